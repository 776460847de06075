"""Which names of medicines the formulary resolves, in data that nobody wrote for it, and how far its two hands agree.

    MEDASST_DATA=… python benchmarks/medicine_names.py [--show 40]

A name counts as resolved where all that it is made of is known; as "part" where only its class, or some of it, is. Names are
taken as they stand (产品名, 商品名 通用名). `--show` lists some that are not resolved.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from medasst.formulary import Formulary
from medasst.lexicon import Lexicon
from medasst.rulebook import Rulebook


def dialmed(folder: Path) -> Iterator[str]:
    """Product names that doctors' prescriptions were normalised from, and the labels."""
    yield from json.loads((folder / "dialmed/medication_normalization.json").read_text("utf-8"))
    yield from json.loads((folder / "dialmed/label.json").read_text("utf-8"))


def listing(folder: Path) -> Iterator[str]:
    """What three captures of a pharmacy's shelf are called."""
    for path in sorted((folder / "pharmacy-listing").glob("*.json")):
        for row in json.loads(path.read_text("utf-8")):
            yield row.get("namecn") or row.get("tyname") or row["name"]


def dictionary(folder: Path) -> Iterator[str]:
    """A crawled list of medicines' names."""
    yield from filter(None, map(str.strip, (folder / "medical-dict/drug.txt").read_text("utf-8").splitlines()))


SETS: Mapping[str, Callable[[Path], Iterator[str]]] = {
    "dialmed": dialmed,
    "pharmacy-listing": listing,
    "medical-dict": dictionary,
}


def resolved(name: str, lexicon: Lexicon, formulary: Formulary) -> str:
    """How far a name is known: all, part or nothing; by itself, or by the medicine that it holds."""
    found = [formulary.contents(name)] + [formulary.contents(medicine.concept) for medicine in lexicon.medicines(name)]
    if any(one.resolved for one in found):
        return "resolved"
    return "part" if any(one.substances or one.may_be for one in found) else "nothing"


def main() -> None:
    """Print a line for each set, then one for what two hands wrote."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--show", type=int, default=0, help="so many unresolved names of each set")
    arguments = parser.parse_args()
    if "MEDASST_DATA" not in os.environ:
        parser.error("set MEDASST_DATA to the folder of the data sets")
    book = Rulebook.load()
    lexicon, formulary = Lexicon(book), Formulary(book)
    folder = Path(os.environ["MEDASST_DATA"])
    sets = {title: list(dict.fromkeys(names(folder))) for title, names in SETS.items()}
    for title, every in {**sets, "our own list": list(book.drugs.rows)}.items():
        how = {name: resolved(name, lexicon, formulary) for name in every}
        counts = Counter(how.values())
        shares = ", ".join(f"{kind} {counts[kind] / len(every):.1%}" for kind in ("resolved", "part", "nothing"))
        print(f"{title}: {len(every)} names, {shares}")
        if arguments.show:
            print(*[name for name in every if how[name] != "resolved"][: arguments.show], sep="、")
    pairs = [row for row in book.medicines.interactions if row.again is not None]
    differ = sum(not row.agreed for row in pairs) / len(pairs)
    print(f"interactions: {len(book.medicines.interactions)} rows, two hands differ in {differ:.1%}")
    told = [
        (first, again)
        for row in book.medicines.doses
        if row.again is not None
        for first, again in zip(row.first.model_dump().values(), row.again.model_dump().values(), strict=True)
        if first is not None or again is not None
    ]
    differ = sum(first != again for first, again in told) / len(told)
    print(f"doses: {len(book.medicines.doses)} rows, {len(told)} amounts, two hands differ in {differ:.1%}")


if __name__ == "__main__":
    main()
