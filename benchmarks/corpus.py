"""A seeded synthetic corpus of Chinese medical Q&A that costs a pipeline what real data costs, with its truth known.

    python benchmarks/corpus.py OUT [--records 1500000] [--shards 15] [--workers 2] [--seed 7]

Every sentence is put together from `corpus.toml`, so the corpus carries nobody's words and no licence; it says nothing true
and is not fit for training. Of the records 8 % are exact copies, 6 % near copies (1-4 % of the characters changed, or a
greeting), 2 % copies with one sentence replaced, 4 % junk; copies stand anywhere, in any file. One good record in fifty and
every advertisement hold personal data.

The shards rotate through four public layouts (alpaca JSONL, GB18030 CSV, lists of questions, chat). Beside each lies
`truth-*.parquet`: record, file, line, kind, original (-1 where it is no copy) and the personal data that was planted: its kind,
whether plain or how disguised, the sentence that tells it, and the value that must go.
A record depends on the seed and its number alone, so equal arguments give equal bytes whatever the number of workers.
"""

from __future__ import annotations

import argparse
import csv
import functools
import json
import multiprocessing
import random
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import polars as pl

LAYOUTS = ("alpaca", "csv", "qlist", "chat")
COPIES = {"exact": 0.08, "near": 0.06, "revised": 0.02}  # shares of all records
JUNK = 0.04
PERSONAL = 0.02  # of the originals
PLAIN = 0.6  # of the personal data; the rest is disguised
QUESTION, ANSWER = 120, 400  # characters at most, personal data apart
TRUTH = pl.Schema(
    {
        "record": pl.Int64(),
        "file": pl.String(),
        "line": pl.UInt32(),
        "kind": pl.String(),
        "original": pl.Int64(),
        "personal": pl.List(pl.Struct(dict.fromkeys(("kind", "form", "told", "value"), pl.String()))),
    }
)
Template = list[str | list[str]]
Item = TypeVar("Item")


class Secret(NamedTuple):
    """A piece of personal data in a sentence that tells it: what must go is `value`."""

    kind: str
    form: str  # plain, or how it is disguised
    told: str
    value: str


class Record(NamedTuple):
    """A question and its answer, with the personal data in it that must not come out of a preparation."""

    number: int
    kind: str  # original, exact, near, revised, or what sort of junk
    original: int
    question: str
    answer: str
    personal: tuple[Secret, ...] = ()


class _Said(NamedTuple):
    """An original in parts, so that a copy can change its words and keep the personal data."""

    before: str
    question: str
    after: str
    answer: str
    personal: tuple[Secret, ...]


class _Words(NamedTuple):
    lists: Mapping[str, list[str]]
    sentences: Mapping[str, list[Template]]
    junk: Mapping[str, Any]
    people: Mapping[str, list[str]]
    secrets: Mapping[str, Mapping[str, list[str]]]


def main() -> None:
    """Write a corpus."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--records", type=int, default=1_500_000)
    parser.add_argument("--shards", type=int, default=15)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    write(arguments.out, arguments.records, arguments.shards, arguments.workers, arguments.seed)
    size = sum(path.stat().st_size for path in arguments.out.glob("part-*"))
    print(f"{arguments.records:,} records, {size / 1e9:.3f} GB")
    print(truth(arguments.out).group_by("kind").len().sort("len", descending=True))


def write(out: Path, count: int, shards: int = 15, workers: int = 2, seed: int = 7) -> None:
    """Write `count` records in `shards` files, and the truth about them, into a folder."""
    out.mkdir(parents=True, exist_ok=True)
    bounds = [count * n // shards for n in range(shards + 1)]
    job = functools.partial(_shard, out, seed)
    if workers == 1:
        list(map(job, range(shards), bounds[:-1], bounds[1:]))
        return
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:  # a fork would copy Polars' locks
        list(pool.map(job, range(shards), bounds[:-1], bounds[1:]))


def truth(folder: Path) -> pl.DataFrame:
    """What is known of every record of a corpus."""
    return pl.read_parquet(folder / "truth-*.parquet")


# ---- records ---------------------------------------------------------------------------------------------------------


def record(seed: int, number: int) -> Record:
    """Record `number` of the corpus with this seed."""
    r = random.Random((seed << 40) | number)
    kind = _kind(r)
    if not number:
        kind = "original"  # there is nothing yet to copy
    if kind == "junk":
        name = _pick(r, list(_JUNK))
        return _JUNK[name](r)._replace(number=number, kind=f"junk:{name}")
    if kind == "original":
        return _whole(number, kind, -1, _original(r))
    place, of = _copied(seed, number, r)
    said = _original(of)
    change: dict[str, Callable[[random.Random, _Said], _Said]] = {"near": _near, "revised": _revised}
    return _whole(number, kind, place, change[kind](r, said) if kind in change else said)


def root(seed: int, number: int) -> int:
    """The number of the original that a record copies; its own where it is no copy."""
    r = random.Random((seed << 40) | number)
    return _copied(seed, number, r)[0] if _kind(r) in COPIES and number else number


def _copied(seed: int, number: int, r: random.Random) -> tuple[int, random.Random]:
    """An original before this record, and its random source, past the choice of its kind."""
    while True:
        place = int(r.random() * number)
        of = random.Random((seed << 40) | place)
        # The first record is an original whatever its draw.
        if _kind(of) == "original" or not place:
            return place, of


def _whole(number: int, kind: str, original: int, said: _Said) -> Record:
    return Record(number, kind, original, said.before + said.question + said.after, said.answer, said.personal)


def _kind(r: random.Random) -> str:
    place = r.random()
    for kind, share in (*COPIES.items(), ("junk", JUNK)):
        place -= share
        if place < 0:
            return kind
    return "original"


def _original(r: random.Random) -> _Said:
    question, answer = _question(r), _answer(r)
    if r.random() >= PERSONAL:
        return _Said("", question, "", answer, ())
    told = secret(r)
    first = r.random() < 0.5
    return _Said(f"{told.told}，" if first else "", question, "" if first else told.told, answer, (told,))


def _question(r: random.Random) -> str:
    sentences = _words().sentences
    text = _fill(r, sentences["opening"]) if r.random() < 0.6 else ""
    text += _fill(r, sentences["question"])
    for _ in range(int(r.random() * 4)):
        text += _fill(r, sentences["tail"]) if r.random() < 0.75 else ""
    return text[:QUESTION]


def _answer(r: random.Random) -> str:
    sentences = _words().sentences
    long = int(min(ANSWER, max(50.0, r.lognormvariate(5.22, 0.5))))
    text = _fill(r, sentences["greeting"]) if r.random() < 0.6 else ""
    left = list(sentences["answer"])
    r.shuffle(left)
    while len(text) < long and left:
        text += _fill(r, [left.pop()])
    text += _fill(r, sentences["closing"]) if r.random() < 0.5 else ""
    return text[:ANSWER]


def _near(r: random.Random, said: _Said) -> _Said:
    """As a second post of the same: a few characters changed, other punctuation, a greeting."""
    question = _nudged(r, said.question) if r.random() < 0.5 else said.question
    return said._replace(question=question, answer=_nudged(r, said.answer))


_PUNCTUATION = str.maketrans("，。！？：；", ",.!?:;")


def _nudged(r: random.Random, text: str) -> str:
    letters = list(text)
    for _ in range(max(1, int(len(letters) * r.uniform(0.01, 0.04) / 2))):
        place, how = int(r.random() * len(letters)), r.random()
        if how < 0.4:
            letters[place] = _pick(r, letters)
        elif how < 0.7:
            letters.insert(place, _pick(r, letters))
        elif len(letters) > 5:
            del letters[place]
    text, how = "".join(letters), r.random()
    if how < 0.15:
        return text.translate(_PUNCTUATION)
    if how < 0.3:
        return "你好，" + text
    return text.replace("。", "。 ") if how < 0.4 else text


def _revised(r: random.Random, said: _Said) -> _Said:
    """One sentence of the answer replaced: near for a long answer, another text for a short one."""
    parts = [part for part in said.answer.split("。") if part]
    parts[int(r.random() * len(parts))] = _fill(r, _words().sentences["answer"]).rstrip("。")
    return said._replace(answer="。".join(parts) + "。")


def _fill(r: random.Random, templates: Sequence[Template]) -> str:
    return "".join([part if isinstance(part, str) else _pick(r, part) for part in _pick(r, templates)])


def _pick(r: random.Random, items: Sequence[Item]) -> Item:
    return items[int(r.random() * len(items))]  # several times as fast as choice


@functools.cache
def _words() -> _Words:
    data = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
    lists = {name: words.split() for name, words in data["words"].items()}
    lists |= {name: [str(n) for n in range(*limits)] for name, limits in data["numbers"].items()}
    sentences = {name: [_template(text, lists) for text in texts] for name, texts in data["sentences"].items()}
    return _Words(
        lists, sentences, data["junk"], {name: words.split() for name, words in data["people"].items()}, data["secrets"]
    )


def _template(text: str, lists: Mapping[str, list[str]]) -> Template:
    parts: Template = []
    for part in text.split("{"):
        name, closed, rest = part.partition("}")
        parts += [lists[name], rest] if closed else [part]
    return [part for part in parts if part]


# ---- personal data: how it is told, and the value that must go -------------------------------------------------------


def _digits(r: random.Random, count: int) -> str:
    return f"{r.randrange(10**count):0{count}d}"


def secret(r: random.Random, kind: str = "", plain: float = PLAIN) -> Secret:
    """Personal data of a kind (any, if none is named), by the grammar in `corpus.toml`; plain with this probability."""
    kind = kind or _pick(r, secret_kinds())
    how = _words().secrets[kind]
    value = _formed(r, _pick(r, how["forms"]))
    form = "plain" if not how["disguises"] or r.random() < plain else _pick(r, how["disguises"])
    value = _DISGUISES[form](r, value) if form != "plain" else value.replace("{at}", "@")
    told = _pick(r, how["tell"]).replace("{bank}", _pick(r, _words().people["bank"]))
    return Secret(kind, form, told.replace("{}", value), value)


def secret_kinds() -> list[str]:
    """The kinds of personal data that the grammar knows."""
    return list(_words().secrets)


def _formed(r: random.Random, form: str) -> str:
    for name in re.findall(r"\{(\w+)\}", form):
        made = {"id18": _id_card, "id15": _old_id_card}.get(name)
        word = made(r) if made else _pick(r, _words().people[name]) if name in _words().people else f"{{{name}}}"
        form = form.replace(f"{{{name}}}", word, 1)
    form = re.sub(r"\[([^]]+)\]", lambda match: _pick(r, "2345678" if match[1] == "2-8" else match[1]), form)
    parts = re.split(r"(\{at\})", form)
    return "".join(part if part == "{at}" else "".join(_letter(r, letter) for letter in part) for part in parts)


def _letter(r: random.Random, letter: str) -> str:
    choices = {"#": "0123456789", "%": "123456789", "@": "abcdefghijkmnpqrstuvwxyz", "&": "ABCDEFGHJKLMN"}
    return _pick(r, choices[letter]) if letter in choices else letter


def _id_card(r: random.Random) -> str:
    born = f"{r.randrange(1940, 2020)}{r.randrange(1, 13):02d}{r.randrange(1, 29):02d}"
    body = f"{_pick(r, _REGIONS)}{_digits(r, 4)}{born}{_digits(r, 3)}"
    # GB 11643-1999: the weights are the powers of two, the last digit's the first.
    return body + "10X98765432"[sum(int(digit) << (17 - place) for place, digit in enumerate(body)) % 11]


def _old_id_card(r: random.Random) -> str:
    born = f"{r.randrange(30, 85)}{r.randrange(1, 13):02d}{r.randrange(1, 29):02d}"
    return f"{_pick(r, _REGIONS)}{_digits(r, 4)}{born}{_digits(r, 3)}"


_REGIONS = ("11", "12", "13", "31", "32", "33", "37", "41", "42", "43", "44", "51", "61")
_HAN_FIGURES, _CAPITALS, _CIRCLES = ("".join(signs) for signs in ("零一二三四五六七八九", "零壹贰叁肆伍陆柒捌玖", "⓪①②③④⑤⑥⑦⑧⑨"))


def _figures(signs: str) -> Callable[[random.Random, str], str]:
    return lambda _, value: value.translate(str.maketrans("0123456789", signs))


def _bare(value: str) -> str:
    return re.sub(r"[-\s()+]", "", value)


def _full(_: random.Random, value: str) -> str:
    value = value.replace("{at}", "@")
    return "".join(chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter for letter in value)


def _in_groups(signs: str, size: int) -> Callable[[random.Random, str], str]:
    def grouped(r: random.Random, value: str) -> str:
        value = _bare(value)
        return _pick(r, signs).join([value[:3], *(value[place : place + size] for place in range(3, len(value), size))])

    return grouped


def _mixed(r: random.Random, value: str) -> str:
    return "".join(_HAN_FIGURES[int(letter)] if letter.isdigit() and r.random() < 0.4 else letter for letter in value)


def _letters(_: random.Random, value: str) -> str:
    return value[:1] + value[1:].replace("0", "O").replace("1", "l")


def _with_words(r: random.Random, value: str) -> str:
    value = _bare(value)
    first, second = _pick(r, [("（不要）", "（骚扰）"), ("哈", "哈"), ("空格", "空格"), ("（去掉）", "（括号）")])
    return f"{value[:3]}{first}{value[3:7]}{second}{value[7:]}"


_DISGUISES: dict[str, Callable[[random.Random, str], str]] = {
    "spaced": lambda _, value: " ".join(_bare(value)),
    "stars": _in_groups("*＊★", 4),
    "dots": _in_groups(".·•", 4),
    "grouped": _in_groups("- ._", 4),
    "dashed": lambda _, value: f"{value[0]}-{value[1]}-{value[2:].lstrip('·')}",
    "full": _full,
    "han": _figures(_HAN_FIGURES),
    "capital": _figures(_CAPITALS),
    "circled": _figures(_CIRCLES),
    "letters": _letters,
    "mixed": _mixed,
    "brackets": lambda _, value: f"【{_bare(value)[:3]}】【{_bare(value)[3:7]}】【{_bare(value)[7:]}】",
    "words": _with_words,
    "at": lambda r, value: value.replace("{at}", _pick(r, ["(at)", " at ", "艾特", "[at]"])).replace(".", "点"),
    "hash": lambda r, value: value.replace("{at}", _pick(r, "#＃*")),
    "under": lambda _, value: value.replace("_", "下划线").replace("-", "下划线"),
    "between": lambda r, value: _pick(r, "*·. ").join(value),
    "apart": lambda _, value: re.sub(r"(?<=[区路街村])(?=.)", " ", value),
}


# ---- junk ------------------------------------------------------------------------------------------------------------


def _junk(question: str, answer: str, personal: tuple[Secret, ...] = ()) -> Record:
    return Record(0, "", -1, question, answer, personal)


def _empty(r: random.Random) -> Record:
    return _junk(_pick(r, _words().junk["nothing"]), "")


def _short(r: random.Random) -> Record:
    return _junk(_pick(r, _words().junk["short_question"]), _pick(r, _words().junk["short_answer"]))


def _advert(r: random.Random) -> Record:
    account, phone = f"{_pick(r, 'abcxyz')}{r.randrange(10**6, 10**8)}", f"1{_pick(r, '3578')}{_digits(r, 9)}"
    link = f"http://www.{r.randrange(10**5)}.example.com/?id={r.randrange(10**4)}"
    told = Secret("wechat", "plain", f"加微信 {account} 咨询", account), Secret("mobile", "plain", f"电话{phone}", phone)
    answer = f"{told[0].told}，祖传秘方三天见效，详情 {link} {told[1].told}"
    return _junk(_question(r), answer, told)


def _html(r: random.Random) -> Record:
    return _junk(_question(r), "<p>" + _answer(r).replace("。", "。</p>\r\n<p>&nbsp;&nbsp;") + "</p><br/>")


def _repeat(r: random.Random) -> Record:
    return _junk(_question(r), _pick(r, _words().junk["repeated"]) * r.randrange(20, 80))


def _mojibake(r: random.Random) -> Record:
    return _junk(_question(r).encode().decode("latin-1"), _answer(r).encode().decode("latin-1"))


def _placeholder(r: random.Random) -> Record:
    return _junk(_question(r), _pick(r, _words().junk["waiting"]))


def _english(r: random.Random) -> Record:
    words = _words().junk["english"].split()
    return _junk(_question(r), " ".join(_pick(r, words) for _ in range(r.randrange(20, 60))))


_JUNK: dict[str, Callable[[random.Random], Record]] = {
    "empty": _empty,
    "short": _short,
    "advert": _advert,
    "html": _html,  # the one kind whose words are good
    "repeat": _repeat,
    "mojibake": _mojibake,
    "placeholder": _placeholder,
    "english": _english,
}


# ---- files -----------------------------------------------------------------------------------------------------------


def _shard(out: Path, seed: int, shard: int, first: int, last: int) -> None:
    layout = LAYOUTS[shard % len(LAYOUTS)]
    name = f"part-{layout}-{shard:05d}.{'csv' if layout == 'csv' else 'jsonl'}"
    records = (record(seed, number) for number in range(first, last))
    rows = _write_csv(out / name, records) if layout == "csv" else _write_jsonl(out / name, records, layout)
    frame = pl.DataFrame(list(rows), schema=TRUTH, orient="row")
    frame.write_parquet(out / f"truth-{shard:05d}.parquet")


def _write_jsonl(path: Path, records: Iterator[Record], layout: str) -> Iterator[tuple[object, ...]]:
    with path.open("w", encoding="utf-8", newline="") as file:
        for line, item in enumerate(records, 1):
            file.write(json.dumps(as_row(item, layout), ensure_ascii=False) + "\n")
            yield item.number, path.name, line, item.kind, item.original, [told._asdict() for told in item.personal]


def _write_csv(path: Path, records: Iterator[Record]) -> Iterator[tuple[object, ...]]:
    with path.open("w", encoding="gb18030", newline="") as file:
        table = csv.writer(file)
        table.writerow(["department", "title", "ask", "answer"])
        line = 2
        for item in records:
            table.writerow(as_row(item, "csv").values())
            yield item.number, path.name, line, item.kind, item.original, [told._asdict() for told in item.personal]
            line += 1 + item.question.count("\n") + item.answer.count("\n")


def as_row(item: Record, layout: str) -> dict[str, Any]:
    """The record as a row of one of LAYOUTS."""
    if layout == "csv":
        departments = _words().lists["dept"]
        department = departments[item.number % len(departments)]
        return {"department": department, "title": item.question[:15], "ask": item.question, "answer": item.answer}
    if layout == "qlist":
        return {"id": item.number, "questions": [[item.question]], "answers": [item.answer]}
    if layout == "chat":
        turns = [{"role": "user", "content": item.question}, {"role": "assistant", "content": item.answer}]
        return {"id": item.number, "messages": turns}
    return {"id": item.number, "instruction": item.question, "input": "", "output": item.answer}


if __name__ == "__main__":
    main()
