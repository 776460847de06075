"""How many test questions are found again in train, by the way in which they got there.

    python benchmarks/contamination.py [--number 200] [--seed 7]
    MEDASST_DATA=… python benchmarks/contamination.py     # with questions of the public sets too

Test questions are drawn from our samples and the synthetic corpus of `corpus.py`, with MEDASST_DATA also from the public sets
at hand. Each is put into a train record in the ways of FAMILIES (seeded), and all are looked for by the index that `medasst
prepare` uses, in its default settings. Found means: the record is matched, so it would not stand in train.

Then the other way round: test questions of which one word makes another question (another disease, a negation), and train
questions that nobody touched, against test questions. Of the synthetic corpus every such match is false, unless one question
holds the other word for word; of the public sets it has to be read (`--show` prints the pairs).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import corpus

from medasst.data.contamination import Match, QuestionIndex
from medasst.data.exam import ExamQuestion, with_options
from medasst.data.questions import cores_asked
from medasst.data.recipes import read_conversations, read_exam

SAMPLES = Path(__file__).parent.parent / "medasst" / "samples"
CONVERSATIONS = {
    "huatuo26m-test/*.gz": "huatuo26m",
    "cmedqa2-test/*.gz": "cmedqa2",
    "cmtmedqa-test/CMtMedQA_test*.gz": "cmtmedqa",
    "medicalgpt-sft-1k/*.gz": "medicalgpt-sft",
}
EXAMS = {"cmexam-test/*.gz": "cmexam", "medqa-zh-test/*.gz": "medqa", "nmle-2020-2024/*.gz": "nmle"}
# Written for this page alone; what the product cuts off stands in questions.toml.
POLITE = """\
医生好，打扰了，想跟您请教一下，
大夫您好！有个问题想问问您：
您好，我想请教个事儿。
在线的医生你好，麻烦帮忙看看，
尊敬的专家，您好，
你好呀，请教一下哈，
不好意思打扰了，我想了解下，
药师您好，能否帮我解答一下：
Hi，医生，在吗？我想咨询个问题，
各位老师晚上好，求助，
""".splitlines()
THANKS = ["谢谢！", "麻烦医生了，非常感谢", "期待您的答复，谢谢您", "急，在线等"]
BEFORE = """\
我妈妈今年六十二岁了，在农村老家住着，前几天赶集回来跟我打电话说起这个。
这个问题困扰我很长时间了，在老家的医院也没有人给我讲清楚。
昨天和同事聊天的时候说到了这件事，大家的看法都不一样，
""".splitlines()
AFTER = """\
另外家里老人也有同样的疑惑，方便的话一起说说。
我在外地上班，请假去医院不太方便，所以先到这里问。
网上的说法很多，越看越糊涂。
""".splitlines()
LEAD_INS = """\
请回答下面这道执业医师资格考试的选择题：
下面是一道医学单选题，请给出正确选项并说明理由。
【药学考试真题】
Question: 
作为医学专家，请根据题干选择最合适的答案。
""".splitlines()
MARKS = ["{}. ", "{}、", "（{}）", "{}：", "{} "]


class Family(NamedTuple):
    """A way in which a test question gets into train.

    Args:
        name: for the table.
        made: from a random source and a test question to the user turns of a train record and the test question as it is asked.
        fits: whether a question can get there in this way.
    """

    name: str
    made: Callable[[random.Random, str], tuple[list[str], str]]
    fits: Callable[[str], bool]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--number", type=int, default=200, help="questions of each family")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--show", action="store_true", help="print what was missed, and the matches of untouched questions")
    arguments = parser.parse_args()
    sets = {"samples and synthetic": (_synthetic(arguments.seed), _sample_exam())}
    if folder := os.environ.get("MEDASST_DATA"):
        sets["public sets"] = (_public(Path(folder)), _public_exam(Path(folder)))
    for name, (questions, exam) in sets.items():
        print(f"\n{name}: {len(questions):,} questions, {len(exam):,} exam questions\n")
        print("| how it got into train | found | of | share |\n|---|---:|---:|---:|")
        for family in FAMILIES:
            _measure(family, questions, arguments.number, arguments.seed, arguments.show)
        for way in EXAM_FAMILIES:
            _measure_exam(way, exam, arguments.number, arguments.seed, arguments.show)
        print("\n| what makes it another question | matched wrongly | of | share |\n|---|---:|---:|---:|")
        for other in OTHERS:
            _measure(other, questions, arguments.number, arguments.seed, show=False)
        _untouched(questions, arguments.seed, arguments.show)


# ---- ways ------------------------------------------------------------------------------------------------------------


def _changed(count: int) -> Callable[[random.Random, str], tuple[list[str], str]]:
    def made(r: random.Random, question: str) -> tuple[list[str], str]:
        letters = list(question)
        places = [n for n, letter in enumerate(letters) if letter.isalnum()]
        for place in r.sample(places, count):
            how = r.random()
            other = r.choice(_pool())
            letters[place] = other if how < 0.7 else "" if how < 0.85 else letters[place] + other
        return ["".join(letters)], question

    return made


def _pool() -> str:
    """Letters as frequent as in questions."""
    return "".join(corpus.record(3, number).question for number in range(50) if corpus.record(3, number).kind == "original")


def _polite(r: random.Random, question: str) -> tuple[list[str], str]:
    return [r.choice(POLITE) + question + (r.choice(THANKS) if r.random() < 0.5 else "")], question


def _longer(r: random.Random, question: str) -> str:
    before, after = r.choice(BEFORE), r.choice(AFTER)
    return r.choice([before + question, question + after, before + question + after])


def _inside(r: random.Random, question: str) -> tuple[list[str], str]:
    return [_longer(r, question)], question


def _around(r: random.Random, question: str) -> tuple[list[str], str]:
    return [question], _longer(r, question)


def _punctuated(_: random.Random, question: str) -> tuple[list[str], str]:
    return ["　".join(question.strip("？?。").partition("，")) + "?"], question


def _later(r: random.Random, question: str) -> tuple[list[str], str]:
    first = r.choice(["医生您好，在吗", "我想问几个问题", "孩子三岁，昨天开始不舒服"])
    return [first, *["嗯，是的"] * r.randrange(2), question], question


def _any(_: str) -> bool:
    return True


def _letters(question: str) -> int:
    return sum(char.isalnum() for char in question)


FAMILIES = (
    Family("punctuation, width, blanks", _punctuated, _any),
    Family("one letter changed, short question", _changed(1), lambda q: 6 <= _letters(q) <= 25),
    Family("two letters changed, short question", _changed(2), lambda q: 10 <= _letters(q) <= 25),
    Family("three letters changed", _changed(3), lambda q: 12 <= _letters(q) <= 60),
    Family("polite words around a question under 12 letters", _polite, lambda q: _letters(q) < 12),
    Family("polite words around a longer question", _polite, lambda q: _letters(q) >= 12),
    Family("test question inside a longer train question", _inside, lambda q: _letters(q) >= 8),
    Family("train question inside a longer test question", _around, lambda q: _letters(q) >= 8),
    Family("test question as a later turn", _later, _any),
)


# ---- other questions -------------------------------------------------------------------------------------------------

PEOPLE = ["孩子", "宝宝", "孕妇", "老人", "我爸爸", "我妈妈", "老公", "老婆", "儿子", "女儿", "奶奶", "爷爷", "男性", "女性"]
OPPOSITES = """\
阳性 阴性
高血压 低血压
高血糖 低血糖
饭前 饭后
早上 晚上
左侧 右侧
上腹 下腹
便秘 腹泻
亢进 减退
""".splitlines()
NEGATED = re.compile("(?<!不)(?:能用|能吃|可以|宜选用|属于|包括|需要|正确)")


def _words(kind: str) -> list[str]:
    found: list[str] = tomllib.loads((Path(__file__).parent / "corpus.toml").read_text("utf-8"))["words"][kind].split()
    return found


def _other(name: str, *groups: Sequence[str], letters: tuple[int, int] = (6, 25)) -> Family:
    """A word put in the place of another of its group; a longer one that holds it is looked for first."""
    pattern = re.compile("|".join(sorted((word for group in groups for word in group), key=len, reverse=True)))

    def made(r: random.Random, question: str) -> tuple[list[str], str]:
        at = r.choice(list(pattern.finditer(question)))
        group = next(group for group in groups if at[0] in group)
        other = r.choice([word for word in group if word != at[0]])
        return [question[: at.start()] + other + question[at.end() :]], question

    return Family(name, made, lambda q: letters[0] <= _letters(q) <= letters[1] and bool(pattern.search(q)))


def _negated(_: random.Random, question: str) -> tuple[list[str], str]:
    return [NEGATED.sub(r"不\g<0>", question, count=1)], question


OTHERS = (
    _other("another disease, short question", _words("disease")),
    _other("another medicine, short question", _words("drug")),
    _other("another symptom, short question", _words("symptom")),
    _other("another person, short question", PEOPLE),
    _other("the opposite, short question", *(pair.split() for pair in OPPOSITES)),
    Family("negated, short question", _negated, lambda q: 6 <= _letters(q) <= 25 and bool(NEGATED.search(q))),
    _other("another number, short question", [str(n) for n in range(100)]),
    _other("another disease, 26 to 60 letters", _words("disease"), letters=(26, 60)),
    _other("another number, 26 to 60 letters", [str(n) for n in range(100)], letters=(26, 60)),
)


class ExamFamily(NamedTuple):
    """A way in which an exam question gets into train: its name, and the text of the train question."""

    name: str
    made: Callable[[random.Random, ExamQuestion], str]


def _lettered(r: random.Random, item: ExamQuestion, separator: str) -> str:
    mark = r.choice(MARKS)
    return separator.join(mark.format(letter) + option for letter, option in zip("ABCDEFGH", item.options, strict=False))


def _alone(_: random.Random, item: ExamQuestion) -> str:
    return item.question


def _by_lines(r: random.Random, item: ExamQuestion) -> str:
    return f"{item.question}\n{_lettered(r, item, chr(10))}"


def _in_a_line(r: random.Random, item: ExamQuestion) -> str:
    return item.question + _lettered(r, item, " ")


def _led_in(r: random.Random, item: ExamQuestion) -> str:
    return r.choice(LEAD_INS) + item.question


def _whole(r: random.Random, item: ExamQuestion) -> str:
    return f"{r.choice(LEAD_INS)}\n{_by_lines(r, item)}\n答案："


EXAM_FAMILIES = (
    ExamFamily("exam stem alone", _alone),
    ExamFamily("exam stem with options, a line each", _by_lines),
    ExamFamily("exam stem with options in one line", _in_a_line),
    ExamFamily("lead-in and exam stem", _led_in),
    ExamFamily("lead-in, exam stem, options", _whole),
)


# ---- measuring -------------------------------------------------------------------------------------------------------


def _measure(family: Family, questions: Sequence[str], number: int, seed: int, show: bool) -> None:
    r = random.Random(f"{seed} {family.name}")
    fitting = [question for question in questions if family.fits(question)]
    chosen = r.sample(fitting, min(number, len(fitting)))
    made = [family.made(r, question) for question in chosen]
    rest = [question for question in questions if question not in set(chosen)]
    index = _index([[asked] for _, asked in made] + [[question] for question in rest])
    _print(family.name, [turns for turns, _ in made], index, [asked for _, asked in made], show)


def _measure_exam(family: ExamFamily, exam: Sequence[ExamQuestion], number: int, seed: int, show: bool) -> None:
    r = random.Random(f"{seed} {family.name}")
    told = [item for item in exam if len(item.options) > 2]
    chosen = r.sample(told, min(number, len(told)))
    index = _index([[with_options(item)] for item in chosen])
    _print(family.name, [[family.made(r, item)] for item in chosen], index, [with_options(item) for item in chosen], show)


def _print(name: str, train: list[list[str]], index: QuestionIndex, asked: Sequence[str], show: bool) -> None:
    found = {match.row for match in index.find(cores_asked(train))}
    print(f"| {name} | {len(found)} | {len(train)} | {len(found) / max(len(train), 1):.1%} |")
    if show:
        for row, turns in enumerate(train):
            if row not in found:
                print(f"    missed: {' || '.join(turns)!r} of {asked[row]!r}")


def _untouched(questions: Sequence[str], seed: int, show: bool) -> None:
    r = random.Random(seed)
    shuffled = r.sample(list(dict.fromkeys(questions)), len(set(questions)))
    test, train = shuffled[: len(shuffled) // 10], shuffled[len(shuffled) // 10 :]
    matches = _index([[question] for question in test]).find(cores_asked([[question] for question in train]))
    kinds = ", ".join(f"{kind} {n}" for kind, n in sorted(_counts(matches).items()))
    print(f"\nuntouched: {len(matches)} of {len(train):,} train questions match one of {len(test):,} test questions ({kinds})")
    if show:
        for match in matches:
            print(f"    {match.kind} {match.similarity}: {train[match.row]!r} ~ {test[int(match.item)]!r}")


def _counts(matches: Sequence[Match]) -> dict[str, int]:
    return {kind: sum(match.kind == kind for match in matches) for kind in {match.kind for match in matches}}


def _index(asked: list[list[str]]) -> QuestionIndex:
    return QuestionIndex([str(n) for n in range(len(asked))], cores_asked(asked))


# ---- questions -------------------------------------------------------------------------------------------------------


def _synthetic(seed: int, number: int = 12_000) -> list[str]:
    samples = [json.loads(line) for line in (SAMPLES / "qa.jsonl").read_text("utf-8").splitlines()]
    asked = [str(row.get("question") or row["messages"][0]["content"]) for row in samples]
    records = (corpus.record(seed, n) for n in range(number))
    return list(dict.fromkeys([*asked, *(item.question for item in records if item.kind == "original")]))


def _sample_exam() -> list[ExamQuestion]:
    return list(read_exam(str(SAMPLES / "exam.jsonl")))


def _public(folder: Path) -> list[str]:
    asked = [
        conversation.first_user
        for path, recipe in CONVERSATIONS.items()
        for conversation in read_conversations(str(folder / path), recipe)
    ]
    return list(dict.fromkeys(asked))


def _public_exam(folder: Path) -> list[ExamQuestion]:
    return [item for path, recipe in EXAMS.items() for item in read_exam(str(folder / path), recipe)]


if __name__ == "__main__":
    main()
