"""Personal data → placeholders: `[电话] [身份证] [证件号] [病历号] [银行卡] [车牌] [邮箱] [微信] [QQ] [姓名] [地址] [生日]`.

Each kind is a recogniser: what it looks like, the cues that tell it, and a check (`recogniser`). Doses, laboratory values,
dates, approval and batch numbers, and the numbers that everybody is meant to know (120, 12356, crisis and poison lines) stay.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from functools import reduce
from operator import or_

import polars as pl

from medasst.conversation import JSON
from medasst.data.privacy import accounts, apart, births, names, numbers, places, scattered
from medasst.data.privacy.fields import label_of, without_fields
from medasst.data.privacy.numbers import is_id_card, is_luhn
from medasst.data.privacy.recogniser import Recogniser, has_numerals, replaced, view_of
from medasst.data.privacy.signs import EVERY, Group, signs
from medasst.data.simplified import simplified_series, simplify, traditional_sign
from medasst.text import normalise

__all__ = ["PLACEHOLDER", "is_id_card", "is_luhn", "mask", "mask_json", "mask_name", "mask_raw", "masked_series"]

_ESCAPE = re.compile(r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|\\u([0-9a-fA-F]{4})")
_WORD = re.compile(r"[\u4e00-\u9fff·]+|[^\u4e00-\u9fff·]+")
PLACEHOLDER = re.compile(r"\[(?:电话|身份证|证件号|病历号|银行卡|车牌|邮箱|微信|QQ|姓名|地址|生日)\]")


def _numbers(text: str) -> str:
    text = _searched(text, _FIGURES)
    return _searched(text, _NUMERALS) if has_numerals(text) or numbers.may_hold_plate(text) else text


def _put_together(text: str) -> str:
    if not scattered.has_many(text):
        return text
    parts, done = list[str](), 0
    for number in scattered.spans(view_of(text, "numerals")):
        if next(_free(text, [number[:2]]), None):
            parts += [text[done : number.start], number.label]
            done = number.end
    return "".join([*parts, text[done:]])


def _closed_up(text: str) -> str:
    text = replaced(text, _free(text, apart.spans(text, places.spans)), "[地址]")
    for finder in (names.stated, names.of_people, names.titled):
        text = replaced(text, _free(text, apart.spans(_simple(text), finder)), "[姓名]")
    return text


_FIGURES = [
    *numbers.papers("digits"),
    *accounts.qq("digits"),
    *numbers.phones("digits"),
    *numbers.plates("digits"),
]
_NUMERALS = [
    *numbers.papers("numerals"),
    *accounts.qq("numerals"),
    *numbers.phones("numerals"),
    *numbers.plates("numerals"),
]
_ACCOUNTS = [*accounts.GROUPS, *accounts.ACCOUNTS]
# In this order: digits of a mail address are no telephone, and what a cue of WeChat is followed by may be one.
_PARTS: dict[str, Callable[[str], str]] = {
    "mails": lambda text: _searched(text, accounts.MAILS),
    "scattered": _put_together,
    "numbers": _numbers,
    "births": lambda text: _searched(text, births.BIRTHS),
    "beds": lambda text: _searched(text, numbers.BEDS),
    "accounts": lambda text: _searched(text, _ACCOUNTS),
    "places": lambda text: replaced(text, _free(text, places.spans(text)), "[地址]"),
    "stated": lambda text: _named(text, names.stated(_simple(text))),
    "of_people": lambda text: _named(text, names.of_people(_simple(text))),
    "titled": lambda text: _named(text, names.titled(_simple(text))),
    "apart": _closed_up,
}


_MOST_PASSES = 10
_LEAST_AGAIN = 3  # letters of a name that is looked for where no cue tells it


def mask(text: str) -> str:
    """The text with personal data replaced, its letters and digits in half width then; masking twice changes nothing more."""
    plain = normalise(text)
    masked = _masked(plain)
    return text if masked == plain else masked


def _masked(text: str) -> str:
    # What is masked may bring a cue nearer to a secret behind it, so again, but not for ever.
    unchanged = 0
    for part in itertools.islice(itertools.cycle(_PARTS.values()), _MOST_PASSES * len(_PARTS)):
        before, text = text, part(text)
        unchanged = unchanged + 1 if text == before else 0
        if unchanged == len(_PARTS):
            break
    return text


def _simple(text: str) -> str:
    """The text in simplified characters, where that leaves each in its place."""
    simplified = simplify(text)
    return simplified if len(simplified) == len(text) else text


def _searched(text: str, recognisers: Sequence[Recogniser]) -> str:
    for recogniser in recognisers:
        view = view_of(text, recogniser.view)
        if (recogniser.least and recogniser.least > numbers.longest(view)) or not recogniser.is_cued(text):
            continue
        if spans := list(recogniser.spans(view)):
            text = replaced(text, _free(text, spans), recogniser.label)
    return text


def _named(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """The names that were found replaced, the longer ones wherever they stand again."""
    found = list(_free(text, spans))
    if not found:
        return text
    again = sorted({text[start:end] for start, end in found if end - start >= _LEAST_AGAIN}, key=len, reverse=True)
    text = replaced(text, found, "[姓名]")
    for name in again:
        text = text.replace(name, "[姓名]")
    return text


def _free(text: str, spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The spans that touch no placeholder."""
    for start, end in spans:
        if not any(label.start() < end and start < label.end() for label in PLACEHOLDER.finditer(text)):
            yield start, end


def mask_json(value: JSON) -> JSON:
    """The value with every text, number and key in it masked; of a field called phone, 姓名 or the like the whole value."""
    if isinstance(value, dict):
        masked: dict[str, JSON] = {}
        for key, item in value.items():
            label = label_of(str(key))
            masked[_new_key(mask(normalise(str(key))), masked)] = _labelled(item, label) if label else mask_json(item)
        return masked
    if isinstance(value, list | tuple):
        return [mask_json(item) for item in value]
    if value is None or isinstance(value, bool):
        return value
    text = normalise(str(value))
    masked_text = mask(text)
    return masked_text if isinstance(value, str) or masked_text != text else value


def _new_key(key: str, known: Mapping[str, JSON]) -> str:
    """Two keys that were numbers of two people stay two."""
    return key if key not in known else next(f"{key} {n}" for n in itertools.count(2) if f"{key} {n}" not in known)


def _labelled(value: JSON, label: str) -> JSON:
    """Everything that is told in a personal field replaced."""
    if isinstance(value, dict):
        return {mask(normalise(str(key))): _labelled(item, label_of(str(key)) or label) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_labelled(item, label) for item in value]
    return value if value is None or isinstance(value, bool) or value == "" else label


def mask_raw(text: str) -> str:
    """A piece of a file as it stood there, masked: JSON with \\u escapes, broken or whole, rows of tables."""
    text = _ESCAPE.sub(_unescaped, text)
    return mask(without_fields(normalise(text)))


def _unescaped(match: re.Match[str]) -> str:
    if match[1]:
        return (bytes.fromhex(match[1]) + bytes.fromhex(match[2])).decode("utf-16-be")
    letter = chr(int(match[3], 16))
    return match[0] if "\ud800" <= letter <= "\udfff" or letter < " " else letter


def mask_name(name: str) -> str:
    """The name of a file or folder, masked: a part of it that is a person's name goes too (张小明_2024.csv)."""
    masked = mask(normalise(name))
    return _WORD.sub(lambda match: "[姓名]" if names.is_name(match[0]) else match[0], masked)


def masked_series(texts: pl.Series, *, simplified: bool = False) -> pl.Series:
    """`mask` on each text; only the parts of it that a text shows a sign of go through Python.

    Args:
        texts: a text each, or null.
        simplified: none of them has a character of traditional Chinese only, so that names needn't be looked for in such.
    """
    rows = _likely(texts)
    if not simplified:
        traditional = texts.str.contains(traditional_sign()).fill_null(value=False).arg_true()
        for place, parts in _likely(simplified_series(texts.gather(traditional))).items():
            rows[traditional[place]] |= parts
    likely = zip(rows, texts.gather(list(rows)), rows.values(), strict=True)
    changed = {row: mask(text) for row, text, parts in likely if _shows(normalise(text), parts)}
    return texts.clone().scatter(list(changed), list(changed.values())) if changed else texts


def _likely(texts: pl.Series) -> defaultdict[int, set[str]]:
    """By row, the parts of `mask` that its text shows a sign of."""
    rows = defaultdict[int, set[str]](set)
    for row, part in _signs_in(texts, pl.int_range(len(texts), eager=True), signs()):
        rows[row].add(part)
    return rows


def _signs_in(texts: pl.Series, rows: pl.Series, groups: Iterable[Group]) -> Iterator[tuple[int, str]]:
    """A row and a part that its text shows a sign of, for some rows of a column."""
    for group in groups:
        found = reduce(or_, [texts.str.contains(pattern) for pattern in group.patterns]).fill_null(value=False)
        if found.any():
            with_sign = rows.filter(found)
            yield from itertools.product(with_sign, _PARTS if EVERY in group.parts else group.parts)
            yield from _signs_in(texts.filter(found), with_sign, group.then)


def _shows(text: str, parts: Container[str]) -> bool:
    return any(masked(text) != text for part, masked in _PARTS.items() if part in parts)
