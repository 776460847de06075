"""Exam questions in the forms in which they are published: an option keeps its letter, an answer never names another option."""

from __future__ import annotations

import csv
import json
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medasst.data import ExamQuestion, read_conversations, read_exam
from medasst.data.exam import parse_exam
from medasst.data.exam_mapping import ExamMapping
from medasst.data.recipes import Bad
from medasst.data.records import RecordError

TEXTS = {"A": "休息", "B": "CT检查", "C": "手术", "D": "输液"}
Q = {"question": "发热首选"}


def written(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return str(path)


def table(path: Path, *rows: list[str]) -> str:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return str(path)


def read(pattern: str, **how: Any) -> tuple[list[ExamQuestion], list[Bad]]:
    bad: list[Bad] = []
    return list(read_exam(pattern, on_bad=bad.append, **how)), bad


def right(question: ExamQuestion) -> list[str]:
    return [question.options[place] for place in question.answers]


OPTIONS: dict[str, dict[str, Any]] = {
    "columns": dict(TEXTS),
    "small columns": {key.lower(): text for key, text in TEXTS.items()},
    "full-width columns": dict(zip("ＡＢＣＤ", TEXTS.values(), strict=True)),
    "option_a": {f"option_{key.lower()}": text for key, text in TEXTS.items()},
    "optionA": {f"option{key}": text for key, text in TEXTS.items()},
    "Option (A)": {f"Option ({key})": text for key, text in TEXTS.items()},
    "选项A": {f"选项{key}": text for key, text in TEXTS.items()},
    "A选项": {f"{key}选项": text for key, text in TEXTS.items()},
    "opa": {f"op{key.lower()}": text for key, text in TEXTS.items()},
    "op1": {f"op{n}": text for n, text in enumerate(TEXTS.values(), 1)},
    "ending0": {f"ending{n}": text for n, text in enumerate(TEXTS.values())},
    "columns out of order": dict(reversed(TEXTS.items())),
    "object": {"options": TEXTS},
    "object out of order": {"option": dict(reversed(TEXTS.items()))},
    "object, small and full-width keys": {"options": {"d": "输液", "Ｂ": "CT检查", "（A）": "休息", "C.": "手术"}},
    "object, numbers from 0": {"choices": {str(n): text for n, text in enumerate(TEXTS.values())}},
    "object, numbers from 1": {"choices": {str(n): text for n, text in enumerate(TEXTS.values(), 1)}},
    "object of objects": {"options": {key: {"text": text} for key, text in TEXTS.items()}},
    "texts": {"choices": list(TEXTS.values())},
    "texts with letters": {"选项": [f"{key}. {text}" for key, text in TEXTS.items()]},
    "texts with letters, out of order": {"options": [f"{key}、{text}" for key, text in reversed(TEXTS.items())]},
    "some texts with letters": {"options": ["A. 休息", "B. CT检查", "手术", "D. 输液"]},
    "texts with numbers": {"options": [f"{n}. {text}" for n, text in enumerate(TEXTS.values(), 1)]},
    "keyed objects out of order": {"options": [{"key": key, "value": text} for key, text in reversed(TEXTS.items())]},
    "labelled objects": {"choices": [{"label": key, "text": text} for key, text in TEXTS.items()]},
    "objects with letters under a name of their own": {
        "options": [{"option_id": key, "option_text": text, "no": 7} for key, text in reversed(TEXTS.items())]
    },
    "objects of one pair": {"options": [{key: text} for key, text in reversed(TEXTS.items())]},
    "objects with texts alone": {"options": [{"content": text} for text in TEXTS.values()]},
    "objects with row numbers of a data base": {"options": [{"id": 900 + n, "text": t} for n, t in enumerate(TEXTS.values())]},
    "pairs": {"options": [[key, text] for key, text in TEXTS.items()]},
    "columns inside": {"choices": {"text": list(TEXTS.values()), "label": list(TEXTS)}},
    "columns inside, out of order": {"choices": {"text": list(TEXTS.values())[::-1], "label": list(TEXTS)[::-1]}},
    "lines": {"options": "\n".join(f"{key} {text}" for key, text in TEXTS.items())},
    "lines out of order": {"options": "\n".join(f"{key}．{text}" for key, text in reversed(TEXTS.items()))},
    "lines without letters": {"options": "\n".join(TEXTS.values())},
    "lines of two": {"options": "A. 休息 B. CT检查\nC. 手术 D. 输液"},
    "one wrapped line": {"options": "A. 休息\nB. CT检查\nC. 手术\nD.\n输液"},
    "one text": {"options": "A.休息 B.CT检查 C.手术 D.输液"},
    "one text, small letters": {"options": "(a) 休息; (b) CT检查; (c) 手术; (d) 输液"},
    "one text without blanks": {"options": "A.休息B.CT检查C.手术D.输液"},
    "one text, semicolons": {"options": "A：休息；B：CT检查；C：手术；D：输液"},
    "bars": {"options": "休息|CT检查|手术|输液"},
    "a written-out list": {"options": str(list(TEXTS.values()))},
    "a written-out object": {"options": json.dumps(TEXTS, ensure_ascii=False)},
    "behind the question": {"question": "发热首选（ ）\nA. 休息\nB. CT检查\nC. 手术\nD. 输液"},
}


@pytest.mark.parametrize("form", OPTIONS)
def test_every_form_of_options_is_read(form: str, tmp_path: Path) -> None:
    rows = [{**Q, **OPTIONS[form], "answer": letter} for letter in TEXTS]
    questions, bad = read(written(tmp_path / "a.jsonl", rows))
    assert not bad and [question.options for question in questions] == [tuple(TEXTS.values())] * 4
    assert [right(question) for question in questions] == [[text] for text in TEXTS.values()]
    assert {question.letters for question in questions} == {tuple("ABCD")}


ANSWERS: list[tuple[dict[str, Any], str]] = [
    ({"answer": "B"}, "B"),
    ({"Answer": "b"}, "B"),
    ({"answer": "Ｂ"}, "B"),
    ({"answer": "（B）"}, "B"),
    ({"answer": "B."}, "B"),
    ({"answer": "答案：B"}, "B"),
    ({"答案": "正确答案是B。"}, "B"),
    ({"answer": "【答案】B"}, "B"),
    ({"answer": "故选B"}, "B"),
    ({"answer": "选项B"}, "B"),
    ({"answer": "B选项"}, "B"),
    ({"answer": "The answer is (B)"}, "B"),
    ({"answer": "CT检查"}, "B"),
    ({"answer": "B. CT检查"}, "B"),
    ({"answer": "B CT检查"}, "B"),
    ({"answer": ["B"]}, "B"),
    ({"answer": ["CT检查"]}, "B"),
    ({"answer": '["B"]'}, "B"),
    ({"answer": {"key": "B"}}, "B"),
    ({"answer": "CT检查", "answer_idx": "B"}, "B"),
    ({"answer": "CT检查", "answer_idx": 1}, "B"),
    ({"answer": "CT检查", "answer_idx": 2}, "B"),
    ({"answer": "", "label": "B"}, "B"),
    ({"answerKey": "B"}, "B"),
    ({"correct_option": "B"}, "B"),
    ({"正确答案": "B"}, "B"),
    ({"answer": [False, True, False, False]}, "B"),
    ({"answer": [0, 1, 0, 0]}, "B"),
    ({"answer": {"A": False, "B": True, "C": False, "D": False}}, "B"),
    ({"correct_a": "0", "correct_b": "1", "correct_c": "0", "correct_d": "0"}, "B"),
    ({"answer": 0}, "A"),
    ({"cop": 4}, "D"),
    ({"answer": "A,C"}, "AC"),
    ({"answer": "ACD"}, "ACD"),
    ({"answer": "A、C"}, "AC"),
    ({"answer": "答案：A；C"}, "AC"),
    ({"answer": "A, C, A"}, "AC"),
    ({"answer": ["A", "C"]}, "AC"),
    ({"answer": "休息；手术"}, "AC"),
    ({"answer": "A. 休息\nC. 手术"}, "AC"),
    ({"answer": [True, False, True, False]}, "AC"),
    ({"answer": [0, 2]}, "AC"),
]


@pytest.mark.parametrize(("answer", "letters"), ANSWERS, ids=str)
def test_every_form_of_answers_is_read(answer: dict[str, Any], letters: str) -> None:
    question = parse_exam({**Q, **{f"option_{key.lower()}": text for key, text in TEXTS.items()}, **answer})
    assert right(question) == [TEXTS[letter] for letter in letters]


def test_marks_beside_the_options() -> None:
    given = [{"text": text, "is_correct": text == "手术"} for text in TEXTS.values()]
    assert right(parse_exam({**Q, "options": given})) == ["手术"]
    with pytest.raises(RecordError, match="contradict"):
        parse_exam({**Q, "options": given, "answer": "A"})


GAPS: list[dict[str, Any]] = [
    {"A": "休息", "B": "CT检查", "C": "", "D": "手术", "E": "输液"},
    {"options": {"E": "输液", "D": "手术", "C": None, "B": "CT检查", "A": "休息"}},
    {"options": {"A": "休息", "B": "CT检查", "D": "手术", "E": "输液"}},
    {"options": ["休息", "CT检查", "", "手术", "输液"]},
    {"options": ["A. 休息", "B. CT检查", "D. 手术", "E. 输液"]},
    {"options": [{"key": key, "value": text} for key, text in zip("EDBA", ["输液", "手术", "CT检查", "休息"], strict=True)]},
    {"options": "A 休息\nB CT检查\nD 手术\nE 输液"},
    {"options": "A.休息 B.CT检查 C. D.手术 E.输液"},
    {"op1": "休息", "op2": "CT检查", "op3": "nan", "op4": "手术", "op5": "输液"},
]


@pytest.mark.parametrize("row", GAPS, ids=str)
def test_a_gap_shifts_no_letter(row: dict[str, Any]) -> None:
    questions = {letter: parse_exam({**Q, **row, "answer": letter, "explanation": "x"}) for letter in "ABDE"}
    assert {letter: right(question) for letter, question in questions.items()} == {
        "A": ["休息"],
        "B": ["CT检查"],
        "D": ["手术"],
        "E": ["输液"],
    }
    assert questions["D"].letters == tuple("ABDE")
    with pytest.raises(RecordError, match="bad_answer"):
        parse_exam({**Q, **row, "answer": "C"})


def test_an_explanation_has_the_letters_that_the_question_came_with(tmp_path: Path) -> None:
    headings = ["question", *"ABCDE", "answer", "explanation"]
    path = table(tmp_path / "a.csv", headings, ["发热首选", "甲", "乙", "", "丁", "戊", "D", "丁是对的。"])
    (talk,) = read_conversations(path, "exam-explanations")
    asked, said = (message.content for message in talk.messages)
    assert asked == "发热首选\nA. 甲\nB. 乙\nD. 丁\nE. 戊"
    assert said == "答案：丁（D）\n解析：丁是对的。"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"A": "甲", "B": "乙", "a": "丙", "answer": "A"}, "bad_options"),
        ({"options": {"A": "甲", "a": "乙"}, "answer": "A"}, "bad_options"),
        ({"options": [{"key": "A", "value": "甲"}, {"key": "A", "value": "乙"}], "answer": "A"}, "bad_options"),
        ({"options": "A 甲\nA 乙\nB 丙", "answer": "A"}, "bad_options"),
        ({"options": "A.甲 B.乙 B.丙", "answer": "B"}, "bad_options"),
        ({"options": "A.甲 B乙 C.丙", "answer": "C"}, "bad_options"),
        ({"options": ["A. 甲", "C. 乙", "丙"], "answer": "C"}, "bad_options"),
        ({"options": "A. 甲 B乙\nC. 丙", "answer": "C"}, "bad_options"),
        ({"options": {"yes": "甲", "no": "乙"}, "answer": "yes"}, "bad_options"),
        ({"options": {"A": "甲"}, "answer": "A"}, "bad_options"),
        ({"options": 4, "answer": "A"}, "missing_field"),
        ({"A": "甲", "B": "乙", "option_a": "丙", "option_b": "丁", "answer": "A"}, "bad_options"),
        ({"options": ["甲", "乙"], "answer": "C"}, "bad_answer"),
        ({"options": ["甲", "乙"], "answer": "AC"}, "bad_answer"),
        ({"options": ["甲", "乙"], "answer": "两者都对"}, "bad_answer"),
        ({"options": ["甲", "乙"], "answer": "A. 乙"}, "bad_answer"),
        ({"options": ["甲", "乙"], "answer": "A", "answer_idx": "B"}, "bad_answer"),
        ({"options": ["甲", "乙"], "answer": "A", "answer_idx": 7}, "bad_answer"),
        ({"options": ["甲", "乙"], "answer": True}, "bad_answer"),
        ({"options": ["甲", "乙"], "answer": 7}, "ambiguous_answer"),
        ({"options": ["甲", "乙"], "answer": [0, 1]}, "ambiguous_answer"),
        ({"options": ["甲", "乙", "丙"], "answer": 1}, "ambiguous_answer"),
        ({"options": ["3", "2", "1"], "answer": 3}, "ambiguous_answer"),
        ({"options": ["B", "A"], "answer": "A"}, "ambiguous_answer"),
        ({"options": ["甲", "乙"], "answer": ""}, "no_answer"),
        ({"options": ["甲", "乙"], "answer": -1}, "no_answer"),
        ({"options": ["甲", "乙"], "answer": float("nan")}, "no_answer"),
        ({"options": ["甲", "乙"], "answer": []}, "no_answer"),
        ({"options": ["甲", "乙"]}, "no_answer"),
    ],
    ids=str,
)
def test_what_can_be_read_in_two_ways_is_set_aside(row: dict[str, Any], reason: str) -> None:
    with pytest.raises(RecordError) as error:
        parse_exam({**Q, **row})
    assert error.value.reason == reason, error.value


def numbered(numbers: list[Any], **more: Any) -> list[dict[str, Any]]:
    return [{"question": f"第{n}题", "choices": ["甲", "乙", "丙", "丁"], "answer": n, **more} for n in numbers]


@pytest.mark.parametrize("number", [int, str, float])
@pytest.mark.parametrize(("numbers", "first"), [([1, 0, 3, 2], 0), ([1, 2, 4, 3], 1)])
def test_the_whole_set_tells_where_numbers_begin(number: Any, numbers: list[int], first: int, tmp_path: Path) -> None:
    questions, bad = read(written(tmp_path / "a.jsonl", numbered([number(n) for n in numbers])))
    assert not bad and [question.answers for question in questions] == [(n - first,) for n in numbers]


def test_several_files_are_one_set(tmp_path: Path) -> None:
    written(tmp_path / "1.jsonl", numbered([1, 2]))
    written(tmp_path / "2.jsonl", numbered([4]))
    questions, bad = read(str(tmp_path / "*.jsonl"))
    assert not bad and [question.answers for question in questions] == [(0,), (1,), (3,)]


@pytest.mark.parametrize(("numbers", "told"), [([1, 2, 3], "doesn't tell"), ([0, 2, 4], "both from 0 and from 1")])
def test_numbers_that_tell_nothing_are_set_aside_until_a_mapping_says(numbers: list[int], told: str, tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", numbered(numbers))
    questions, bad = read(path)
    assert not questions and {row.reason for row in bad} == {"ambiguous_answer"} and told in bad[0].text
    stated = ExamMapping(question="question", options="choices", answer="answer", first=1)
    questions, bad = read(path, mapping=stated)
    assert [question.answers for question in questions] == [(n - 1,) for n in numbers if n]
    assert [row.reason for row in bad] == ["bad_answer"] * numbers.count(0)


def test_keys_that_are_numbers_say_where_numbers_begin() -> None:
    for first in (0, 1):
        options = {str(n): text for n, text in enumerate(["甲", "乙", "丙", "丁"], first)}
        assert parse_exam({**Q, "options": options, "answer": 2}).answers == (2 - first,)


def test_numbers_of_explanations_are_told_by_their_file(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", numbered([1, 2, 4], explanation="因为。"))
    talks = list(read_conversations(path, "exam-explanations"))
    assert [talk.messages[1].content.split("\n")[0] for talk in talks] == ["答案：甲（A）", "答案：乙（B）", "答案：丁（D）"]


def test_options_that_are_letters_are_told_by_the_set(tmp_path: Path) -> None:
    blood = {"question": "万能供血者是", "options": ["A", "B", "O", "AB"]}
    letters = [{**blood, "answer": "C"}, {**blood, "answer": "B"}, {**Q, "options": ["O", "A", "B"], "answer": "B"}]
    questions, bad = read(written(tmp_path / "letters.jsonl", letters))
    assert not bad and [right(question) for question in questions] == [["O"], ["B"], ["A"]]
    texts = [{**blood, "answer": "O"}, {**Q, "options": ["O", "A", "B"], "answer": "B"}]
    questions, bad = read(written(tmp_path / "texts.jsonl", texts))
    assert not bad and [right(question) for question in questions] == [["O"], ["B"]]


@given(
    texts=st.lists(st.sampled_from(["休息", "CT检查", "手术", "B超", "A型", "观察"]), min_size=2, max_size=5, unique=True),
    blank=st.sets(st.integers(0, 4)),
    order=st.sampled_from(list(permutations(range(5)))),
    place=st.integers(0, 4),
)
def test_no_order_and_no_gap_makes_another_option_right(texts: list[str], blank: set[int], order: Any, place: int) -> None:
    keyed = {letter: "" if n in blank else text for n, (letter, text) in enumerate(zip("ABCDE", texts, strict=False))}
    shuffled = {letter: keyed[letter] for n in order if (letter := "ABCDE"[n]) in keyed}
    letter = "ABCDE"[place]
    objects = [{"key": key, "text": text} for key, text in shuffled.items()]
    forms: list[dict[str, Any]] = [shuffled, {"options": shuffled}, {"options": objects}]
    for form in forms:
        if keyed.get(letter) and sum(map(bool, keyed.values())) > 1:
            assert right(parse_exam({**Q, **form, "answer": letter})) == [keyed[letter]]
        else:
            with pytest.raises(RecordError):
                parse_exam({**Q, **form, "answer": letter})
