"""docs/results.md from a finished evaluation: numbers and record ids, never a text of the data or of a model.

    python benchmarks/results.py runs/real/evaluate --train runs/real/train > docs/results.md

Predictions are not even opened: what the page says comes from report.json, run.json and the items' scores.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medasst.errors import DataError, InputError, MedasstError
from medasst.evaluation.statistics import Bootstrap, Difference, paired_mean

_LIKENESS = ("bleu_4", "rouge_1", "rouge_2", "rouge_l")
_HAN = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff]+")
_OWN_WORDS = frozenset({"用户", "题目", "答案"})  # of the templates that the page explains
_EXTREMES = 3  # record ids named on either side

_QA_NOTES = (
    "Each figure compares an answer with **one** reference by shared characters and words. It rewards sounding like these "
    "references: their length, their phrases, their order. It does not tell whether an answer is medically right, complete, "
    "safe or kind. A fluent wrong answer can score above a right one in other words.",
    "The references are themselves answers from the public internet, some cut off, some wrong.",
    "A base model that never stops is penalised by its length: part of the distance between it and a tuned model is knowing "
    "when to stop. A system that cuts the base at its first generated `用户：` takes that part away: read the difference from "
    "it beside the difference from the base.",
    "The retrieval baseline only copies the training answer of the nearest question. Where it scores near or above the tuned "
    "model, the score measures the style of the source more than an answer to the question.",
    "The intervals cover the chance in which items were drawn, nothing else: one base, one training run, one seed, one "
    "decoding. Whole conversations are drawn, since turns of one hang together.",
    "Training and test items come from the same sources. Exact and near duplicates of test questions were taken out of "
    "training, but the style is shared; on another source the gain may be smaller.",
)
_PROTOCOLS = {
    "option_text/v1": "the option whose text has the highest mean log-probability a token after the question counts; options "
    "are not listed. That favours options that read naturally there, and isn't comparable with results by letter.",
    "letter/v1": "options are listed with their letters, and the letter that is likeliest as the beginning of the answer "
    "counts. A weak model may prefer one letter throughout.",
    "generate/v1": "options are listed with their letters, and the answer that the model writes is read, strictly, then "
    "leniently; what names no single option is unparsed and counts as wrong.",
}
_EXAM_NOTES = (
    "The public exams may be in the pretraining text of any base; a figure above guessing is then memory in part.",
    "Fine-tuning on some thousands of answers teaches a form, hardly facts: no large change of the exams is to be expected.",
)
_ALL_NOTES = (
    "No doctor or pharmacist has judged any of these answers. None of the figures says that a model may speak to a shopper.",
    "The embedded base is for demonstration; figures of another base need their own run.",
)


@dataclass(frozen=True)
class Finished:
    """A finished evaluation, read back."""

    folder: Path
    report: Mapping[str, Any]
    facts: Mapping[str, Any]

    @classmethod
    def read(cls, folder: Path) -> Finished:
        """Raises DataError where the folder holds no finished evaluation."""
        return cls(folder, _json(folder / "report.json", "evaluate"), _json(folder / "run.json", "evaluate"))

    def tasks(self, kind: str) -> list[Mapping[str, Any]]:
        return [task for task in self.report["tasks"] if task["kind"] == kind]

    def rows(self, task: str) -> dict[str, dict[str, Mapping[str, Any]]]:
        """Rows of a task by system and metric."""
        found: dict[str, dict[str, Mapping[str, Any]]] = {}
        for row in self.report["results"]:
            if row["task"] == task:
                found.setdefault(row["system"], {})[row["metric"]] = row
        return found

    def scores(self, system: str, task: str) -> dict[str, dict[str, Any]]:
        """Scores by record id."""
        lines = (self.folder / "scores" / system / f"{task}.jsonl").read_text("utf-8").splitlines()
        return {row["id"]: row for row in map(json.loads, lines)}

    def gains(self, task: str, metric: str, system: str, other: str) -> dict[str, float]:
        """The difference system - other by record id."""
        ours, theirs = self.scores(system, task), self.scores(other, task)
        return {name: ours[name][metric] - theirs[name][metric] for name in ours}

    def difference(self, task: str, metric: str, system: str, other: str) -> Difference:
        """Paired over the items, with the run's own seed and resamples."""
        ours, theirs = self.scores(system, task), self.scores(other, task)
        clusters = [row["cluster"] for row in ours.values()]
        a, b = ([rows[item][metric] for item in ours] for rows in (ours, theirs))
        return paired_mean(a, b, clusters, Bootstrap(self.report["resamples"], self.report["seed"]))


def results_page(run: Path, train: Path | None = None, *, system: str = "tuned", command: str = "") -> str:
    """The Markdown page of a finished evaluation.

    Args:
        run: what `evaluate` wrote.
        train: what `train` wrote, for the facts of training.
        system: the tuned system, whose differences from the others are shown.
        command: what the evaluation was started with.

    Raises:
        DataError: a run is not finished, or has no such system.
        InputError: the page would hold text that is neither the page's own nor a name from the job file.
    """
    found = Finished.read(run)
    names = list(dict.fromkeys(row["system"] for row in found.report["results"]))
    if system not in names:
        raise DataError(f"no system {system!r}; it has {', '.join(names)}", run / "report.json")
    lines = ["# Results", "", "Written by `python benchmarks/results.py`; numbers and record ids only.", ""]
    lines += [*_how(found, command), *(_training(train) if train else [])]
    for task in found.tasks("qa"):
        lines += _qa(found, task, system)
    lines += _exams(found, system)
    lines += [*_reading(found, system), "## What these numbers do not show", "", *(f"- {note}" for note in _notes(found)), ""]
    page = "\n".join(lines)
    _refuse_texts(page, [*names, *(str(task[key]) for task in found.report["tasks"] for key in ("name", "source"))])
    return page


def _how(found: Finished, command: str) -> list[str]:
    machine, report = found.facts["machine"], found.report
    cores = f"{machine['cores']} CPU cores ({machine['arch']}), {machine['memory_gb']} GB"
    tokens = report["decoding"]["max_new_tokens"]
    versions = ", ".join(f"{name} {number}" for name, number in found.facts["versions"].items())
    lines = [
        "## How",
        "",
        f"- Machine: {cores}; {machine['system']}.",
        f"- Decoding: greedy, at most {tokens} new tokens, no repetition penalty, the same for every system.",
        f"- Items: drawn with seed {report['seed']}. An item of a QA source is one assistant turn after the true history.",
        f"- Intervals: 95 %; of means {report['resamples']:,} bootstrap resamples of conversations, of shares Wilson's; "
        "differences are paired.",
        "- BLEU-4: characters, sentence level, smoothing method 3. ROUGE: F1 on jieba words. Both in percent.",
        "- Length ratio: characters of all answers over characters of all references. Did not stop: percentage of answers cut "
        "off at the token limit.",
        f"- Versions: {versions}.",
    ]
    return [*lines, *([f"- Command: `{command}`"] if command else []), ""]


def _training(train: Path) -> list[str]:
    facts = _json(train / "run.json", "train")
    result, settings = facts["result"], facts["settings"]
    lora = settings["lora"]
    lines = [
        "## Training",
        "",
        f"- Base `{result['base']}`, LoRA r {lora['r']}, alpha {lora['alpha']}, targets {lora['targets']}.",
        f"- {result['tokens']:,} tokens ({result['answer_tokens']:,} of answers), {result['steps']:,} steps, "
        f"{result['seconds'] / 60:.0f} minutes.",
        f"- Prepared set: manifest.json with sha256 `{facts['manifest_sha256'][:16]}…`.",
        f"- {result['conversations']:,} conversations to draw from, {result['dropped']:,} dropped as too long or empty.",
        f"- Loss at the end {result['loss']:.3f} nats an answer token.",
    ]
    before, after = result["validation_loss_before"], result["validation_loss"]
    if before is not None and after is not None:
        lines.append(f"- Validation loss {before:.3f} before, {after:.3f} after.")
    return [*lines, ""]


def _qa(found: Finished, task: Mapping[str, Any], system: str) -> list[str]:
    name, rows = task["name"], found.rows(task["name"])
    shown = [*_LIKENESS, "length_ratio", "unstopped"]
    lines = [
        f"## {task['source']}",
        "",
        f"{task['n']} of {task['available']:,} assistant turns; protocol `{task['protocol']}`.",
        "",
    ]
    lines += _table(
        ["system", "n", *(task["metrics"][metric] for metric in shown), "failed"],
        ([s, str(r["bleu_4"]["n"]), *(_figure(r[m]) for m in shown), str(r["bleu_4"]["failed"])] for s, r in rows.items()),
    )
    lines += _differences(found, task, _LIKENESS, system, [other for other in rows if other != system])
    baseline = found.report["baseline"]
    if baseline != system and baseline in rows:
        order = sorted((gain, item) for item, gain in found.gains(name, "rouge_l", system, baseline).items())
        most, least = [item for _, item in reversed(order[-_EXTREMES:])], [item for _, item in order[:_EXTREMES]]
        said = f"Records with the largest ROUGE-L gain over {baseline}: {_ids(most)}; with the least, or a loss: {_ids(least)}."
        lines += [said, ""]
    return lines


def _exams(found: Finished, system: str) -> list[str]:
    if not (tasks := found.tasks("choice")):
        return []
    lines = ["## Exams", ""]
    for task in tasks:
        rows = found.rows(task["name"])
        left_out = f", {task['left_out']} with several right answers left out" if task["left_out"] else ""
        lines += [
            f"### {task['name']}",
            "",
            f"{task['n']} of {task['available']:,} questions{left_out}; guessing gets {task['chance']:.1f} %.",
            f"Protocol `{task['protocol']}`: {_PROTOCOLS[task['protocol'].partition(',')[0]]}",
            "",
        ]
        body = [
            [s, *(str(r["accuracy"][key]) for key in ("n", "unparsed", "failed")), _figure(r["accuracy"])]
            for s, r in rows.items()
        ]
        lines += _table(["system", "n", "unparsed", "failed", "accuracy"], body)
        able = [s for s, r in rows.items() if r["accuracy"]["status"] == "ok"]
        if system in able:
            lines += _differences(found, task, ("accuracy",), system, [other for other in able if other != system])
    return lines


def _differences(
    found: Finished, task: Mapping[str, Any], metrics: Sequence[str], system: str, others: Sequence[str]
) -> list[str]:
    if not others:
        return []

    def cell(metric: str, other: str) -> str:
        gain = found.difference(task["name"], metric, system, other)
        mark = "" if gain.low <= 0 <= gain.high else "**"
        return f"{mark}{gain.value:+.2f}{mark} [{gain.low:+.2f}, {gain.high:+.2f}]"

    body = ([f"{system} − {other}", *(cell(metric, other) for metric in metrics)] for other in others)
    return [*_table(["difference (bold: excludes 0)", *(task["metrics"][metric] for metric in metrics)], body)]


def _reading(found: Finished, system: str) -> list[str]:
    """What the intervals say, in sentences that follow from them."""
    baseline = found.report["baseline"]
    lines = ["## Reading", ""]
    for task in found.tasks("qa"):
        rows = found.rows(task["name"])
        for other in rows:
            if other != system:
                gains = {m: found.difference(task["name"], m, system, other) for m in _LIKENESS}
                up = [task["metrics"][m] for m, gain in gains.items() if gain.low > 0]
                down = [task["metrics"][m] for m, gain in gains.items() if gain.high < 0]
                open_ = [task["metrics"][m] for m, gain in gains.items() if gain.low <= 0 <= gain.high]
                said = [
                    f"{word} in {', '.join(names)}"
                    for word, names in (("above", up), ("below", down), ("not told apart", open_))
                    if names
                ]
                lines.append(f"- {task['source']}: {system} against {other}: {'; '.join(said)}.")
    for task in found.tasks("choice"):
        rows = found.rows(task["name"])
        for name in (baseline, system):
            row = rows[name]["accuracy"]
            if row["status"] == "ok":
                told = (
                    "above"
                    if row["low"] > task["chance"]
                    else "below"
                    if row["high"] < task["chance"]
                    else "not told apart from"
                )
                lines.append(
                    f"- {task['name']}: {name} is {told} guessing ({row['value']:.1f} % against {task['chance']:.1f} %)."
                )
    return [*lines, ""]


def _notes(found: Finished) -> Iterator[str]:
    if tasks := found.tasks("qa"):
        yield from _QA_NOTES
        counts = ", ".join(str(task["n"]) for task in tasks)
        yield f"The QA sources have {counts} items here: differences of a point or two can't be seen with so few."
    if found.tasks("choice"):
        yield from _EXAM_NOTES
    yield from _ALL_NOTES


def _figure(row: Mapping[str, Any]) -> str:
    if row["value"] is None:
        return str(row["status"]) if row["status"] != "ok" else "–"
    interval = f" [{row['low']:.2f}, {row['high']:.2f}]" if row["low"] is not None and row["high"] is not None else ""
    return f"{row['value']:.2f}{interval}"


def _ids(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(head: Sequence[str], rows: Iterator[list[str]] | Sequence[list[str]]) -> list[str]:
    line = "| {} |".format
    return [
        line(" | ".join(head)),
        line(" | ".join(["---", *["---:"] * (len(head) - 1)])),
        *(line(" | ".join(row)) for row in rows),
        "",
    ]


def _refuse_texts(page: str, names: Sequence[str]) -> None:
    """The page is English: any Han text in it that is no name of the job would come from the data."""
    allowed = _OWN_WORDS | {word for name in names for word in _HAN.findall(name)}
    if foreign := sorted(set(_HAN.findall(page)) - allowed):
        raise InputError(
            f"{len(foreign)} runs of Chinese text would stand in the page; it may hold numbers and record ids only"
        )


def _json(path: Path, command: str) -> Mapping[str, Any]:
    try:
        content: Mapping[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"can't be read ({error}); finish the run first: medasst {command} CONFIG.toml", path) from error
    return content


def main() -> None:
    """Write the results page of a finished evaluation to stdout."""
    parser = argparse.ArgumentParser(prog="python benchmarks/results.py", description=main.__doc__)
    parser.add_argument("run", type=Path, help="what medasst evaluate wrote")
    parser.add_argument("--train", type=Path, help="the training run")
    parser.add_argument("--system", default="tuned", help="the system that the page is about")
    parser.add_argument("--command", default="medasst evaluate configs/real/evaluate.toml", help="how the run was made")
    given = parser.parse_args()
    sys.stdout.write(results_page(given.run, given.train, system=given.system, command=given.command))


if __name__ == "__main__":
    try:
        main()
    except MedasstError as error:
        sys.exit(f"{error}")
