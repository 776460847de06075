"""The law as the assistant keeps it: rows of `law.toml`, a duty each."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import model_validator

from medasst.rulebook.rows import Row, Words

Reading = Literal["original", "secondary copy", "original not read"]


class DutyRow(Row):
    """A duty that binds an online pharmacy's assistant in China.

    Attributes:
        rule: the duty in one sentence, in our words.
        instrument, body, number: the full name, who issued it, and under what number; `number` is empty where it has none or
            where we aren't sure of it.
        in_force: since when.
        article: empty where we aren't sure of it.
        words: what the instrument wants said word by word.
        read: whether somebody opened the instrument itself, or read its words in another's copy; `copy_at` names that copy.
        kept: whether MedAsst does it by itself, wherever it runs; how, in which files of the project, proved by which tests
            (pytest's node ids).
        missing: what a shop has to do, or what MedAsst can't do yet. A duty that is kept in part isn't kept.
    """

    id: str
    rule: str
    instrument: str
    body: str
    number: str = ""
    in_force: date
    article: str = ""
    words: Words = ()
    read: Reading
    copy_at: str = ""
    kept: bool
    how: str = ""
    files: Words = ()
    tests: Words = ()
    missing: str = ""

    @model_validator(mode="after")
    def _says_how_or_what_is_missing(self) -> DutyRow:
        if self.kept and (not self.how or self.missing):
            raise ValueError("a kept duty says how, and nothing is missing")
        if not self.kept and not self.missing:
            raise ValueError("a duty that isn't kept says what is missing")
        if (self.read == "secondary copy") != bool(self.copy_at):
            raise ValueError("copy_at names the copy where read is 'secondary copy', and only there")
        if self.checked != (self.read == "original"):
            raise ValueError("checked is true where the original was read, and only there")
        return self
