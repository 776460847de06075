"""Vignettes generated from the rulebook's own tables: each rule's examples, and the words that raise it, in variants.

    python benchmarks/generated_vignettes.py runs/dialogue-generated/vignettes.jsonl [--each 3]
    medasst evaluate configs/dialogue-generated/evaluate.toml

Of each rule's first examples come their variants without commas, minimised, misspelt, with a disease before and a question
after, which must keep the level; and of the words that raised the rule those that are denied, long over, somebody else's or
asked about in general, which must raise nothing (`medasst/evaluation/variants.py`). An example whose words can't be told is
only kept.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from medasst.dialogue import of_turns
from medasst.evaluation.variants import Danger, variants, write_vignettes
from medasst.lexicon import Lexicon
from medasst.rulebook import URGENCY, Rulebook
from medasst.safety import Triage


def dangers(book: Rulebook, each: int) -> Iterator[Danger]:
    """The first examples of each rule, with the one finding that raised it where it was only one."""
    lexicon = Lexicon(book)
    triage = Triage(book, lexicon)
    for rule in book.triage:
        levels = tuple(level for level in URGENCY if URGENCY.index(level) >= URGENCY.index(rule.level))
        for number, text in enumerate(rule.must[:each]):
            raised = [alarm for alarm in triage.alarms(of_turns([text], lexicon)) if alarm.rule.id == rule.id]
            because = [said.mention for alarm in raised for said in alarm.because]
            alone = because[0] if len(because) == 1 and because[0].kind == "finding" else None
            words = (alone.words,) if alone else ()
            yield Danger(f"{rule.id}-{number}", text, levels, words, alone.concept if alone else "")


def main() -> None:
    """Generate and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--each", type=int, default=3, help="examples of each rule")
    arguments = parser.parse_args()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    made = list(variants(dangers(Rulebook.load(), arguments.each)))
    write_vignettes(arguments.out, made)
    print(f"{len(made)} vignettes in {arguments.out}")


if __name__ == "__main__":
    main()
