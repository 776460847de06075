"""Numbers: every example of the table comes out, and none of what it says is no such number."""

from __future__ import annotations

import pytest

from medasst.lexicon import Lexicon
from medasst.lexicon.script import plain
from medasst.lexicon.values import Values, number
from medasst.rulebook import Rulebook


def test_the_tables_examples(book: Rulebook) -> None:
    values, wrong = Values(book), []
    for key, row in book.values.rows.items():
        for text, wanted in row.examples.items():
            told = [value.number for value in values.find(plain(text).text) if value.quantity == row.quantity]
            if not any(got == pytest.approx(wanted, rel=0.01) for got in told):
                wrong.append(f"{book.values.places[key]}: {text!r} tells {told}, not {wanted}")
        for text in row.never:
            if told := [value for value in values.find(plain(text).text) if value.quantity == row.quantity]:
                wrong.append(f"{book.values.places[key]}: {text!r} tells {told}")
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("12", 12), ("3.5", 3.5), ("十二", 12), ("二十", 20), ("一百八", 180), ("两", 2), ("半", 0.5), ("三八", 38)],
)
def test_numbers(text: str, wanted: float) -> None:
    assert number(text) == wanted


def test_a_value_belongs_to_its_person(lexicon: Lexicon) -> None:
    told = {value.person: value.number for value in lexicon.read("我妈血压180，我爸血压150").values}
    assert told == {"mother": 180, "father": 150}


def test_how_long_and_how_often(lexicon: Lexicon) -> None:
    (mention,) = lexicon.read("拉肚子三天，一天五次").mentions
    assert (mention.hours, mention.times) == (72, 5)
