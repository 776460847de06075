"""How a shop's file is read: which column holds what, and what its words mean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, Self

from pydantic import Field, model_validator
from rapidfuzz import fuzz

from medasst.catalogue import SECTIONS, Label
from medasst.config import Config, FilePath, Pattern
from medasst.errors import ConfigError

CODES = ("approval", "national", "insurance", "trace", "gtin", "atc")
Told = Literal["otc-a", "otc-b", "dual", "rx"]


class Columns(Config):
    """The shop's column for each field of a product; those without a default must be there.

    Attributes:
        status: how the shop sells it; label: the mark on the package. They may be one column.
        approval, national, insurance, trace, gtin, atc: 批准文号, 本位码, 医保药品代码, the product's part of the 追溯码, …
    """

    sku: str
    name: str
    price: str
    brand: str = ""
    aliases: str = ""
    status: str = ""
    label: str = ""
    form: str = ""
    strength: str = ""
    pack: str = ""
    maker: str = ""
    ingredients: str = ""
    symptoms: str = ""
    stock: str = ""
    approval: str = ""
    national: str = ""
    insurance: str = ""
    trace: str = ""
    gtin: str = ""
    atc: str = ""


class LeafletColumns(Config):
    """The shop's column for each section of the leaflet; what has none isn't told. `document`: the column that names it."""

    indications: str = ""
    dosage: str = ""
    contraindications: str = ""
    cautions: str = ""
    adverse_reactions: str = ""
    interactions: str = ""
    pregnancy: str = ""
    children: str = ""
    elderly: str = ""
    storage: str = ""
    document: str = ""


class CatalogueMapping(Config):
    """One import.

    Attributes:
        files: the shop's files, or patterns of them: CSV, TSV, XLSX, JSON, JSON lines, also packed.
        sheet: the sheet of a workbook; may be left out where only one is filled.
        headings: the columns' names, where the file has none.
        columns: which column holds what.
        leaflet: the same for the sections of the leaflet.
        status_of_all: how the shop sells them, where no column says it.
        words: the shop's words for how a product is sold → otc-a, otc-b, dual or rx; added to those of `words.toml`.
        separators: what parts the items of a list in a cell.
        refuse_above: share of bad rows above which the file isn't taken at all: a column may be mapped wrongly.
        rulebook, overlay: the tables that it is served by, as in the settings of `serve`.
    """

    files: tuple[Pattern, ...] = Field(min_length=1)
    sheet: str = ""
    headings: tuple[str, ...] = ()
    columns: Columns
    leaflet: LeafletColumns = LeafletColumns()
    status_of_all: Label | None = None
    words: Mapping[str, Told] = Field(default_factory=dict)
    separators: tuple[str, ...] = ("、", "，", ",", "；", ";", "|", "\n")
    refuse_above: float = Field(default=0.5, ge=0, lt=1)
    rulebook: FilePath | None = None
    overlay: FilePath | None = None

    @model_validator(mode="after")
    def _status_is_told(self) -> Self:
        if not self.columns.status and self.status_of_all is None:
            raise ValueError("name the column of how products are sold (columns.status), or say it of all: status_of_all")
        return self

    def named(self) -> Iterator[tuple[str, str]]:
        """Every column that is named, with the setting that names it."""
        for table, part in (("columns", self.columns), ("leaflet", self.leaflet)):
            for field in type(part).model_fields:
                if column := getattr(part, field):
                    yield f"{table}.{field}", column

    def sections(self) -> Iterator[tuple[str, str]]:
        """The leaflet sections that a column is named for, each with its column."""
        return ((key, column) for key in SECTIONS if (column := getattr(self.leaflet, key)))

    def check(self, there: Iterable[str], file: str) -> None:
        """Whether a file has every column that is named. Raises ConfigError: names those that it has, the nearest first."""
        columns = list(dict.fromkeys(there))
        for setting, column in self.named():
            if column not in columns:
                near = nearest(column, columns)
                raise ConfigError(f"{setting} names the column {column!r}, which {file} doesn't have; its columns are {near}")


def nearest(name: str, known: Iterable[str]) -> str:
    """Names for an error message, those first that are most like one."""
    return ", ".join(sorted(known, key=lambda other: -fuzz.ratio(name, other))) or "none"
