"""Ours beside what one would otherwise use, on the same records and the same rules.

    python benchmarks/prepare_peers.py [--records 50000] [--near 20000] [--rounds 3] [--work DIR]

Clean and exact duplicates: `medasst.data` against the same rules row by row through `datasets` (`map`, `filter`). Near
duplicates: `medasst.data.duplicates` against datasketch's MinHash and LSH, and rensa's, each with 64 permutations, 16 bands of
4, character 5-grams, and an exact comparison of the candidates.

Every run is a process of its own with one worker, in turn; CPU seconds are user and system time from after the imports to
the result. Needs `datasets` and `datasketch`, and takes `rensa` in where it is installed.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import corpus
import numpy as np
import polars as pl
import prepare_scale
import regex  # type: ignore[import-untyped]

from medasst.config import load
from medasst.conversation import turns_id
from medasst.data import boilerplate, duplicates, filters, privacy, simplified, stages, tidy
from medasst.data.job import check
from medasst.data.phrases import every
from medasst.data.privacy.signs import signs
from medasst.data.raw import read
from medasst.data.settings import PrepareConfig
from medasst.progress import silent
from medasst.text import normalise

SETTINGS = filters.CleanSettings()
NEAR = 64, (16, 4)  # permutations; bands and minima in each, as in `duplicates`


class Run(NamedTuple):
    """One run: its CPU seconds, and the ids that it keeps or the cluster of each record."""

    cpu: float
    found: list[Any]


def main() -> None:
    """Run all in turn and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=50_000)
    parser.add_argument("--near", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "medasst-bench")
    parser.add_argument("--run", choices=RUNS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    folder = prepare_scale.made(arguments.work, arguments.records, arguments.seed)
    sample = arguments.work / f"near-{arguments.near}-{arguments.records}-{arguments.seed}.parquet"
    if arguments.run:
        print(json.dumps(measured(RUNS[arguments.run], sample if "near" in arguments.run else folder)))
        return
    if not sample.exists():
        prepare_scale.sampled(arguments.seed, arguments.near, arguments.records).write_parquet(sample)
    names = [name for name in RUNS if "rensa" not in name or importlib.util.find_spec("rensa")]
    for kind, count in (("clean", arguments.records), ("near", pl.scan_parquet(sample).select(pl.len()).collect().item())):
        runs = side_by_side([name for name in names if name.startswith(kind)], arguments.rounds)
        _print(kind, count, runs)
        if kind == "clean":
            ours, theirs = ({*runs[name][-1].found} for name in ("clean-ours", "clean-datasets"))
            print(f"\nkept by both {len(ours & theirs):,}, ours alone {len(ours - theirs)}, theirs alone {len(theirs - ours)}")
    pairs = prepare_scale.true_pairs(stages.comparison_texts(pl.read_parquet(sample)))
    for name, near_runs in runs.items():
        score = prepare_scale.compared(pairs, np.array(near_runs[-1].found))
        print(f"{name}: recall {score.recall:.4f}, precision {score.precision:.4f} of {score.pairs:,} pairs")


def side_by_side(names: Sequence[str], rounds: int) -> dict[str, list[Run]]:
    """Each by turns, in processes of their own."""
    runs: dict[str, list[Run]] = {name: [] for name in names}
    for _ in range(rounds):
        for name, done in runs.items():
            command = [sys.executable, *sys.argv, "--run", name]
            offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
            said = subprocess.run(command, check=True, stdout=subprocess.PIPE, env={**os.environ, **offline}, text=True)
            done.append(Run(*json.loads(said.stdout.splitlines()[-1])))
    return runs


def measured(prepare: Callable[[Path, Path], Callable[[], list[Any]]], path: Path) -> Run:
    """The CPU seconds of this process for what `prepare` gives back, once that has imported and loaded what it needs."""
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        work = prepare(path, Path(scratch))
        before = resource.getrusage(resource.RUSAGE_SELF)
        found = work()
        after = resource.getrusage(resource.RUSAGE_SELF)
    return Run(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, found)


def _print(kind: str, count: int, runs: Mapping[str, Sequence[Run]]) -> None:
    medians = {name: statistics.median(run.cpu for run in done) for name, done in runs.items()}
    ours = medians[f"{kind}-ours"]
    print(f"\n{count:,} records\n| | CPU seconds (spread) | records per CPU second | to ours |\n|---|---:|---:|---:|")
    for name, done in runs.items():
        spread = f"{min(run.cpu for run in done):.2f}-{max(run.cpu for run in done):.2f}"
        median = medians[name]
        print(f"| {name} | {median:.2f} ({spread}) | {count / median:,.0f} | {median / ours:.1f} |")


# ---- clean and exact duplicates --------------------------------------------------------------------------------------


def clean_ours(folder: Path, scratch: Path) -> Callable[[], list[Any]]:
    """As `medasst prepare` does it, with one worker: hashed, read, cleaned, written as chunks; exact duplicates told by id."""
    config = load(PrepareConfig, folder / "prepare.toml").model_copy(update={"workers": 1})

    def work() -> list[Any]:
        chunks = read(check(config), scratch, silent)
        light = pl.concat([chunks.kept(chunk, duplicates.ORDER) for chunk in range(len(chunks.folders))])
        ids: list[Any] = light.join(duplicates.exact(light), on="row", how="anti")["id"].to_list()
        return ids

    return work


def clean_datasets(folder: Path, scratch: Path) -> Callable[[], list[Any]]:
    """The same rules in plain Python, a row at a time, through `datasets` and its own loaders."""
    datasets = importlib.import_module("datasets")
    texts = datasets.Features({"question": datasets.Value("string"), "answer": datasets.Value("string")})
    _rules()

    def loaded(layout: str) -> Any:
        paths = [str(path) for path in sorted(folder.glob(f"part-{layout}-*"))]
        kind, how = ("csv", {"encoding": "gb18030", "keep_default_na": False}) if layout == "csv" else ("json", {})
        rows = datasets.load_dataset(kind, data_files=paths, split="train", cache_dir=str(scratch), **how)
        return rows.map(_FIELDS[layout], remove_columns=rows.column_names, features=texts)

    def work() -> list[Any]:
        rows = datasets.concatenate_datasets([loaded(layout) for layout in corpus.LAYOUTS])
        rows = rows.map(cleaned_row).filter(lambda row: not row["reason"])
        seen: set[str] = set()

        def is_new(row: Mapping[str, str]) -> bool:
            known = row["id"] in seen
            seen.add(row["id"])
            return not known

        return list(rows.filter(is_new)["id"])

    return work


_FIELDS: dict[str, Callable[[Mapping[str, Any]], dict[str, str]]] = {
    "alpaca": lambda row: {"question": row["instruction"], "answer": row["output"]},
    "csv": lambda row: {"question": row["ask"], "answer": row["answer"]},
    "qlist": lambda row: {"question": row["questions"][0][0], "answer": row["answers"][0]},
    "chat": lambda row: {"question": row["messages"][0]["content"], "answer": row["messages"][1]["content"]},
}


@cache
def pattern(rust: str) -> Any:
    """A pattern of the product for Python: by `re` where it can, else (classes of Unicode, sets) by `regex`."""
    python = re.sub(r"\\x\{([0-9A-Fa-f]+)\}", lambda match: re.escape(chr(int(match[1], 16))), rust)
    return regex.compile(python, regex.VERSION1) if r"\p{" in python or "--[" in python else re.compile(python)


class _Rules(NamedTuple):
    tidy: Sequence[tuple[Any, str]]
    boilerplate: Sequence[tuple[Any, str, int]]
    entity: Any
    swaps: tuple[list[str], list[str]]
    traditional: Any


@cache
def _rules() -> _Rules:
    label, polite = boilerplate._LABEL, f"(?:{boilerplate._YOU}好{boilerplate._PAUSE})?"
    return _Rules(
        [(pattern(tidy._INVISIBLE), ""), (pattern(tidy._BLANKS), " "), (pattern(r" *\n\s*"), "\n")],
        [
            (pattern(boilerplate._OPENING), "", 1),
            (pattern(rf"([。！？；!?;.\n])[\s，,]*{label}\s*[:：]\s*{polite}"), r"\1", 0),
            (pattern(rf"[\s，,、]*{label}\s*[:：]\s*{polite}"), "。", 0),
            (pattern(boilerplate._CLOSING), r"\1", 1),
            (pattern(boilerplate._RUN_ON), "。", 1),
        ],
        re.compile("|".join(map(re.escape, tidy._ENTITIES))),
        (filters._swaps()["clear"], filters._swaps()["faint"]),
        re.compile(simplified.traditional_sign()),
    )


def cleaned_row(row: Mapping[str, str]) -> dict[str, str]:
    """A question and its answer tidied and masked, with the reason to drop them (or "") and their id."""
    question, answer = row["question"].strip(), row["answer"].strip()
    if not question or not answer:
        return {"question": question, "answer": answer, "reason": "empty", "id": ""}
    question, answer = _masked(_tidied(question)), _masked(_closed(_without_boilerplate(_tidied(answer))))
    turns = [("user", question), ("assistant", answer)]
    return {"question": question, "answer": answer, "reason": _reason(question, answer), "id": turns_id(turns)}


def _tidied(text: str) -> str:
    rules = _rules()
    text = pattern(tidy._TAG).sub("", pattern(r"\r\n?").sub("\n", text))
    text = rules.entity.sub(lambda match: tidy._ENTITIES[match[0]], text)
    for found, instead in rules.tidy:
        text = found.sub(instead, text)
    text = pattern(tidy._TAIL).sub("", pattern(tidy._HEAD).sub(r"\1", text.strip()), count=1)
    text = normalise(pattern(tidy._DOUBLED).sub(r"\1", text, count=1).strip())
    return simplified._converted(text) if rules.traditional.search(text) else text


def _without_boilerplate(text: str) -> str:
    if not pattern(boilerplate._SIGN).search(text):
        return text
    cut = text
    for found, instead, times in _rules().boilerplate:
        cut = found.sub(instead, cut, count=times)
    cut = cut.strip()
    letters = len(pattern(filters._NO_LETTER).sub("", cut))
    return text if letters < boilerplate._LEAST or pattern(boilerplate._POLITE).search(text) else cut


def _closed(text: str) -> str:
    return text if pattern(tidy.OPEN_END).search(text) else pattern(r"[，,、]+\s*$").sub("。", text)


def _masked(text: str) -> str:
    shows = any(pattern(first).search(text) for group in signs() for first in group.patterns)
    return privacy.mask(text) if shows else text


def _reason(question: str, answer: str) -> str:
    """The filters in their order, leaving at the first that is true."""
    asked, said = (pattern(filters._NO_LETTER).sub("", text) for text in (question, answer))
    letters = len(said) - len(pattern(r"\p{N}").findall(said))
    drops: dict[str, Callable[[], bool]] = {
        "empty_turn": lambda: not question or not answer,
        "broken_encoding": lambda: bool(pattern(filters._BROKEN).search(f"{question}\n{answer}")),
        "question_short": lambda: len(asked) < SETTINGS.min_question,
        "answer_short": lambda: len(said) < SETTINGS.min_answer,
        "long": lambda: max(len(question), len(answer)) > SETTINGS.max_turn,
        "echo": lambda: asked.lower() == said.lower(),
        "wrong_language": lambda: letters - _foreign(said) < SETTINGS.min_han * max(letters, 1),
        "placeholder": lambda: _is_placeholder(answer),
        "cut_off": lambda: _is_cut_off(answer),
        "advertising": lambda: bool(pattern(every("advertising")).search(answer)),
        "paraphrased": lambda: _is_paraphrased(answer),
        "repetition": lambda: _is_repetition(answer, said),
    }
    return next((name for name, drop in drops.items() if drop()), "")


def _foreign(letters: str) -> int:
    return len(pattern(r"[\p{L}--\p{Han}]").findall(letters))


def _is_placeholder(answer: str) -> bool:
    if len(answer) >= 200 or not pattern(rf"{filters._WAITING}|(?:您|你)好|祝|谢").search(answer):
        return False
    left = pattern(filters._COURTESY).sub("", pattern(filters._WAITING).sub("", answer))
    return len(left) < SETTINGS.min_answer


def _is_cut_off(answer: str) -> bool:
    low, high = filters._LIMIT
    at_limit = low <= len(answer) <= high and not pattern(filters._FULL_STOP).search(answer)
    return at_limit or bool(pattern(tidy.OPEN_END).search(answer))


def _is_paraphrased(answer: str) -> bool:
    clear, faint = (sum(word in answer for word in words) for words in _rules().swaps)
    return 2 * clear + faint > SETTINGS.max_swaps * max(len(answer) / 300, 1)


def _is_repetition(answer: str, letters: str) -> bool:
    clauses = pattern(r"[^，。；！？、,;!?\n\s]{6,}").findall(answer)
    said, new = sum(map(len, clauses)), sum(map(len, set(clauses)))
    start = letters[: 3 * filters._UNIT]
    longest = min(filters._UNIT, len(start) // 2) if len(start) >= filters._UNIT else 0
    word = any(start[n:] == start[:-n] for n in range(1, longest + 1))
    return word or said - new > SETTINGS.max_repeated * max(said, 1)


# ---- near duplicates -------------------------------------------------------------------------------------------------


def near_ours(sample: Path, _: Path) -> Callable[[], list[Any]]:
    """`medasst.data.duplicates`."""
    frame = pl.read_parquet(sample)
    texts = stages.comparison_texts(frame)
    return lambda: list(map(int, prepare_scale.found_clusters(frame, texts)))


def near_datasketch(sample: Path, _: Path) -> Callable[[], list[Any]]:
    """datasketch, its batch call for a text's shingles."""
    datasketch = importlib.import_module("datasketch")
    texts = stages.comparison_texts(pl.read_parquet(sample))

    def work() -> list[Any]:
        index = datasketch.MinHashLSH(num_perm=NEAR[0], params=NEAR[1])

        def hashed(grams: set[str]) -> Any:
            minhash = datasketch.MinHash(num_perm=NEAR[0])
            minhash.update_batch([gram.encode() for gram in grams])
            return minhash

        return _clustered(texts, hashed, index.query, index.insert)

    return work


def near_rensa(sample: Path, _: Path) -> Callable[[], list[Any]]:
    """rensa, a record at a time."""
    rensa = importlib.import_module("rensa")
    texts = stages.comparison_texts(pl.read_parquet(sample))

    def work() -> list[Any]:
        index = rensa.RMinHashLSH(threshold=prepare_scale.THRESHOLD, num_perm=NEAR[0], num_bands=NEAR[1][0])

        def hashed(grams: set[str]) -> Any:
            minhash = rensa.RMinHash(num_perm=NEAR[0], seed=42)
            minhash.update(list(grams))
            return minhash

        return _clustered(texts, hashed, index.query, index.insert)

    return work


def _clustered(
    texts: Sequence[str],
    hashed: Callable[[set[str]], Any],
    query: Callable[[Any], Sequence[int]],
    insert: Callable[[int, Any], object],
) -> list[Any]:
    """Each text looked up among those before it, candidates compared exactly, clusters joined."""
    sets: list[set[str]] = []
    cluster = list(range(len(texts)))

    def first(place: int) -> int:
        while cluster[place] != place:
            place = cluster[place]
        return place

    for place, text in enumerate(texts):
        grams = {text[i : i + 5] for i in range(max(len(text) - 4, 1))}
        sets.append(grams)
        minhash = hashed(grams)
        for other in query(minhash):
            common = len(grams & sets[other])
            if common / (len(grams) + len(sets[other]) - common) >= prepare_scale.THRESHOLD:
                cluster[first(place)] = first(other)
        insert(place, minhash)
    return [first(place) for place in range(len(texts))]


RUNS = {
    "clean-ours": clean_ours,
    "clean-datasets": clean_datasets,
    "near-ours": near_ours,
    "near-datasketch": near_datasketch,
    "near-rensa": near_rensa,
}


if __name__ == "__main__":
    main()
