"""The options of an exam question in any form in which they are published; each keeps the letter it came with."""

from __future__ import annotations

import math
import re
import string
import unicodedata
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from medasst.conversation import JSON
from medasst.data.json_text import loose
from medasst.data.records import RecordError, described
from medasst.text import normalise

LETTERS = string.ascii_uppercase
_BLANK = {"", "nan", "null", "none", "<na>"}  # what exports write for a cell that holds nothing
_TRUE, _FALSE = {"1", "1.0", "true", "yes", "对", "正确"}, {"0", "0.0", "false", "no", "错", "错误", *_BLANK}

_FIELDS = ("options", "option", "choices", "choice", "questionoptions", "candidates", "opts", "endings", "选项", "候选项")
_KEYS = ("key", "label", "letter", "id", "aid", "index", "option", "name", "标号", "序号")
_TEXTS = ("value", "text", "content", "atext", "optiontext", "answer", "option", "内容", "选项")
_RIGHT = ("iscorrect", "correct", "isanswer", "isright", "right", "istrue")

_PREFIX = "options?|opt|op|choices?|answers?|ans|endings?|sol|选项|候选项|correctanswer|correct|iscorrect|right"
_KEY = re.compile(rf"(?P<prefix>{_PREFIX})?(?P<key>[a-p]|\d{{1,2}})(?P<suffix>选项|项|option|choice|correct)?")
_STARTS = ({"A", "B"}, {"0", "1"}, {"1", "2"})  # keys that columns of options have at least
_MARKS = re.compile(r"[\s_\-.．、:：()（）\[\]【】'\"]+")

_LABEL = re.compile(r"\s*[（(\[【]?\s*([A-P])\s*(?:[)）\]】]\s*[.．、:：]?|[.．、:：]|\s)\s*")
_SURE_LABEL = re.compile(r"\s*[（(\[【]?\s*([A-Pa-p])\s*(?:[)）\]】]\s*[.．、:：]?|[.．、:：])\s*")
_NUMBER = re.compile(r"\s*[（(]?(\d{1,2})\s*(?:[)）]\s*[.．、:：]?|[.．、:：])(?!\d)\s*")
# Marks of options in one text, the strictest first: after a blank, after any separator, anywhere but inside a Latin word.
_INLINE = (
    re.compile(r"(?:^|(?<=\s))([A-P])\s*[.．、]\s*"),
    re.compile(r"(?:^|(?<=[\s;；,，。|/]))[（(]?([A-Pa-p])\s*(?:[)）]\s*[.．、:：]?|[.．、:：])\s*"),
    re.compile(r"(?<![A-Za-z])([A-P])\s*[.．:：]\s*"),
)


class Options(NamedTuple):
    """What can be chosen.

    Args:
        texts: by letter, in the order of letters; a letter without a text is left out, and no other takes its place.
        size: how many letters there are up to the last with a text.
        first: the number of the first option, where the set numbers its options.
        right: letters that are marked as right among the options themselves.
    """

    texts: dict[str, str]
    size: int
    first: int | None = None
    right: frozenset[str] = frozenset()

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, JSON]], right: Iterable[str] = ()) -> Options:
        """From (letter or number, text) pairs in any order.

        Raises:
            RecordError: two texts under one key, numbers that begin neither at 0 nor at 1, or numbers and letters mixed.
        """
        found: dict[str, str] = {}
        for key, value in pairs:
            if key in found:
                raise RecordError("bad_options", f"two options {key}")
            found[key] = "" if is_blank(value) else normalise(_text(value)).strip()
        first = _first_number(found)
        letters = {key: key if first is None else LETTERS[int(key) - first] for key in found}
        texts = {letters[key]: found[key] for key in sorted(found, key=lambda key: letters[key]) if found[key]}
        size = LETTERS.index(max(texts)) + 1 if texts else 0
        return cls(texts, size, first, frozenset(letters[key] for key in right))

    @classmethod
    def listed(cls, values: Sequence[JSON], right: Iterable[int] = ()) -> Options:
        """From texts in the order of letters; a blank one keeps its letter. Raises RecordError: more than there are letters."""
        if len(values) > len(LETTERS):
            raise RecordError("bad_options", f"{len(values)} options; there are letters for {len(LETTERS)}")
        return cls.of(zip(LETTERS, values, strict=False), [LETTERS[place] for place in right])


def squash(name: JSON) -> str:
    """A field's name or a key in the form in which names are compared: "Option (Ａ)" is "optiona"."""
    return _MARKS.sub("", unicodedata.normalize("NFKC", str(name))).lower()


def is_blank(value: JSON) -> bool:
    """Whether a cell holds nothing."""
    return value is None or (isinstance(value, float) and math.isnan(value)) or str(value).strip().lower() in _BLANK


def flag(value: JSON) -> bool | None:
    """What a mark of right or wrong says; None where it is none."""
    text = str(value).strip().lower()
    return True if text in _TRUE else False if value is None or text in _FALSE else None


def key_of(name: JSON) -> str:
    """The letter or number that a key names: "a", "（Ａ）", "option_a", "选项1"; "" where it names none."""
    match = _KEY.fullmatch(squash(name))
    return match["key"].upper() if match else ""


def find_options(row: Mapping[str, JSON]) -> Options | None:
    """The options of a row, whose names are squashed: in columns of their own, or in one field. None where there are none.

    Raises:
        RecordError: there are some, but they can't be told apart.
    """
    if (options := _columns(row)) is not None:
        return options
    for name in _FIELDS:
        if not is_blank(given := row.get(name)) and not isinstance(given, int | float):
            return read_options(given)
    listed = row.get("answers")
    if isinstance(listed, list) and len(listed) > 1 and all(isinstance(o, Mapping) and _named(o, _KEYS) for o in listed):
        return read_options(listed)
    return None


def _columns(row: Mapping[str, JSON]) -> Options | None:
    """Options in columns: A, B, …; option_a, …; 选项A, …. Columns that only say yes or no mark those that are right."""
    groups: dict[str, list[tuple[str, JSON]]] = {}
    for name, value in row.items():
        match = _KEY.fullmatch(name)
        if match and not isinstance(value, list | dict) and (match["prefix"] or not match["key"].isdigit()):
            groups.setdefault(f"{match['prefix'] or ''}…{match['suffix'] or ''}", []).append((match["key"].upper(), value))
    whole = {name: pairs for name, pairs in groups.items() if any(start <= {key for key, _ in pairs} for start in _STARTS)}
    marks = {name for name, pairs in whole.items() if all(flag(value) is not None for _, value in pairs)}
    texts = [pairs for name, pairs in whole.items() if name not in marks] or list(whole.values())
    if len(texts) > 1:
        raise RecordError("bad_options", f"several groups of option columns: {', '.join(whole)}")
    if not texts:
        return None
    right = [key for name in marks for key, value in whole[name] if flag(value)] if len(whole) > 1 else []
    return Options.of(texts[0], right)


def read_options(given: JSON) -> Options:
    """Options from one value: an object by keys, a list of texts, objects or pairs, a block of lines, or one text.

    Raises:
        RecordError: they can't be told apart.
    """
    if isinstance(given, str):
        return _from_text(normalise(given))
    if isinstance(given, Mapping):
        return _from_object({squash(name): value for name, value in given.items()} if _is_table(given) else given)
    if isinstance(given, list):
        return _from_list(given)
    raise RecordError("bad_options", f"the options are {described(given)}")


def _is_table(given: Mapping[str, JSON]) -> bool:
    return bool(given) and all(isinstance(column, list) for column in given.values())


def _from_object(given: Mapping[str, JSON]) -> Options:
    if _is_table(given):  # {"text": […], "label": […]}
        texts, keys = _named(given, _TEXTS), _named(given, _KEYS)
        if not texts:
            raise RecordError("bad_options", f"no texts among the columns {', '.join(map(str, given))}")
        return _with_keys(given[keys], given[texts]) if keys else _from_list(given[texts])
    keyed = [(key_of(name), name, value) for name, value in given.items()]
    if unknown := [str(name) for key, name, _ in keyed if not key]:
        raise RecordError("bad_options", f"options are keyed by {', '.join(unknown)[:100]}, neither letters nor numbers")
    if all(isinstance(value, Mapping) for _, _, value in keyed):
        return _from_list([{**{squash(n): v for n, v in value.items()}, "key": key} for key, _, value in keyed])
    return Options.of((key, value) for key, _, value in keyed)


def _from_list(given: Sequence[JSON]) -> Options:
    if len(given) == 1 and isinstance(given[0], str | Mapping):
        return read_options(given[0])
    if all(isinstance(option, Mapping) for option in given):
        return _from_objects([{squash(name): value for name, value in option.items()} for option in given])
    if given and all(isinstance(option, list) and len(option) == 2 for option in given):
        return _with_keys([key for key, _ in given], [text for _, text in given])
    return _from_texts([None if is_blank(option) else normalise(_text(option)) for option in given])


def _from_objects(given: Sequence[Mapping[str, JSON]]) -> Options:
    if all(len(option) == 1 and key_of(next(iter(option))) for option in given):  # [{"A": …}, {"B": …}]
        return Options.of((key_of(name), value) for option in given for name, value in option.items())
    names = list(given[0]) if given else []
    texts = next((name for name in _TEXTS if name in names and _named(set(names) - {name}, _KEYS)), "") or _named(names, _TEXTS)
    if not texts:
        raise RecordError("bad_options", f"the options are objects with {', '.join(names) or 'nothing'}")
    marks = _named(names, _RIGHT)
    keys = _named(set(names) - {texts}, _KEYS) or _lettering(given, [name for name in names if name not in (texts, marks)])
    right = [place for place, option in enumerate(given) if marks and flag(option.get(marks))]
    values = [option.get(texts) for option in given]
    if not keys or (keys in ("id", "name") and not any(key_of(option.get(keys)) for option in given)):  # of a data base
        return Options.listed(values, right)
    return _with_keys([option.get(keys) for option in given], values, right)


def _lettering(given: Sequence[Mapping[str, JSON]], names: Sequence[str]) -> str:
    """The field of unknown name that holds a letter in every option, each another one."""
    for name in names:
        letters = [str(option.get(name)).strip().upper() for option in given]
        if len(set(letters)) == len(given) and all(letter in LETTERS and letter for letter in letters):
            return name
    return ""


def _with_keys(keys: Sequence[JSON], texts: Sequence[JSON], right: Iterable[int] = ()) -> Options:
    named = [key_of(key) for key in keys]
    if len(named) != len(texts) or not all(named):
        raise RecordError("bad_options", f"options are keyed by {', '.join(map(str, keys))[:100]}, neither letters nor numbers")
    return Options.of(zip(named, texts, strict=True), [named[place] for place in right])


def _named(given: Container[str], names: tuple[str, ...]) -> str:
    return next((name for name in names if name in given), "")


def _text(value: JSON) -> str:
    if isinstance(value, list | Mapping):
        raise RecordError("bad_options", f"an option is {described(value)}, not text")
    return str(value)


def _first_number(keys: Collection[str]) -> int | None:
    """The number that options are counted from, where their keys are numbers."""
    numbers = [int(key) for key in keys if key.isdigit()]
    if not numbers:
        return None
    if len(numbers) < len(keys) or min(numbers) > 1 or max(numbers) > len(LETTERS) - 1:
        raise RecordError("bad_options", f"the options are keyed by {', '.join(keys)}")
    return min(numbers)


def _from_texts(texts: Sequence[str | None]) -> Options:
    """Texts, each of which may begin with its own letter or number. "CT 检查" alone has none."""
    filled = [text for text in texts if text]
    if (label := _label_of(filled)) is not None:
        return _checked(list(_split_labels(label, filled)))
    numbers = [match[1] for text in filled if (match := _NUMBER.match(text))]
    if len(numbers) == len(texts) > 1 and [int(n) - int(numbers[0]) for n in numbers] == list(range(len(numbers))):
        return Options.of(_split_labels(_NUMBER, filled))
    marks = [match[1].upper() if text and (match := _SURE_LABEL.match(text)) else "" for text in texts]
    if marks and marks[0] == "A" and any(marks[1:]):
        if any(mark not in ("", LETTERS[place]) for place, mark in enumerate(marks)):
            raise RecordError("bad_options", f"only some options have letters: {', '.join(mark or '–' for mark in marks)}")
        return Options.listed(
            [_SURE_LABEL.sub("", text, count=1) if text and mark else text for text, mark in zip(texts, marks, strict=True)]
        )
    return Options.listed(texts)


def _label_of(texts: Collection[str]) -> re.Pattern[str] | None:
    """The form of the letters that stand before all of these texts. Those of "A 型", "O 型" are none: too many are missing."""
    if texts and all(_SURE_LABEL.match(text) for text in texts):
        return _SURE_LABEL
    if texts and all(_LABEL.match(text) for text in texts):
        last = max(letter for letter, _ in _split_labels(_LABEL, texts))
        return _LABEL if LETTERS.index(last) <= len(texts) else None
    return None


def _split_labels(label: re.Pattern[str], texts: Iterable[str]) -> Iterator[tuple[str, str]]:
    for text in texts:
        match = label.match(text)
        assert match
        yield match[1].upper(), text[match.end() :]


def _checked(pairs: list[tuple[str, str]]) -> Options:
    """Options with the letters that stand before them. Raises RecordError where these aren't letters of options."""
    letters = [letter for letter, _ in pairs]
    missing = [letter for letter in LETTERS if letter < max(letters) and letter not in letters]
    hidden = [letter for letter in missing for _, text in pairs if re.search(rf"(?<![A-Za-z]){letter}(?![A-Za-z])", text)]
    if "A" not in letters or hidden:
        raise RecordError("bad_options", f"the options are lettered {', '.join(letters)}")
    return Options.of(pairs)


def _from_text(given: str) -> Options:
    """A block of lines, one text with letters in it, a list that was written out, or texts between bars."""
    if given.lstrip().startswith(("[", "{")):
        with suppress(ValueError):
            return read_options(loose(given))
    lines = [line.strip() for line in given.splitlines() if line.strip()]
    inline = _inline(given)
    if len(lines) > 1 and _label_of(lines) and (inline is None or len(inline) <= len(lines)):
        return _from_texts(lines)
    if inline is not None:
        return Options.of(inline)
    if len(lines) > 1 and not any(_SURE_LABEL.match(line) for line in lines):
        return _from_texts(lines)
    if len(lines) == 1 and given.count("|") > 0:
        return _from_texts([part.strip() for part in given.split("|")])
    raise RecordError("bad_options", "the options don't split into A, B, C, …")


def _inline(given: str) -> list[tuple[str, str]] | None:
    """The options of one text, where its marks are all letters from A on, each once; None otherwise."""
    for mark in _INLINE:
        before, *parts = mark.split(given)
        letters = [letter.upper() for letter in parts[::2]]
        if len(letters) > 1 and squash(before) in ("", "选项") and "".join(sorted(letters)) == LETTERS[: len(letters)]:
            return [
                (letter, text.strip().rstrip(";；,，|/").strip()) for letter, text in zip(letters, parts[1::2], strict=True)
            ]
    return None


def behind_question(text: str) -> tuple[str, Options] | None:
    """A question and the options that stand behind it in the same text; None where none do."""
    for start in re.finditer(r"(?:^|\n|(?<=[？?：:。（(）)\s]))\s*[（(]?A\s*[.．、)）]", text):
        if text[: start.start()].strip() and (found := _inline(text[start.start() :].strip())):
            return text[: start.start()].strip(), Options.of(found)
    return None
