"""The checks without a chat: requests read, answers as JSON and as CDS Hooks cards."""

from __future__ import annotations

import json
from typing import Any

import pytest
from person_tables import small_rulebook

from medasst.formulary import Formulary
from medasst.lexicon import Lexicon
from medasst.rulebook import Rulebook
from medasst.safety import PersonChecks
from medasst.safety.check import Checker, CheckError, read_check


@pytest.fixture(scope="module")
def checker(tmp_path_factory: pytest.TempPathFactory) -> Checker:
    book = Rulebook.load(small_rulebook(tmp_path_factory.mktemp("rulebook")))
    return Checker(PersonChecks(Lexicon(book), Formulary(book)))


def ask(checker: Checker, request: dict[str, Any], form: str = "json") -> dict[str, Any]:
    answer = checker.written(read_check(json.dumps(request, ensure_ascii=False)), form)
    written: dict[str, Any] = json.loads(json.dumps(answer))  # nothing in it that JSON doesn't have
    return written


def rules(answer: dict[str, Any]) -> list[str]:
    return [finding["why"][0]["rule"] for finding in answer["findings"]]


def test_a_patient_and_medicines(checker: Checker) -> None:
    patient = {
        "age_months": 384,
        "sex": "female",
        "pregnancy_weeks": 30,
        "weight_kg": 55,
        "allergies": [],
        "conditions": ["十二指肠球部溃疡", "肾功能不好"],
        "drugs": ["华法林"],
        "driving": True,
        "alcohol": True,
    }
    answer = ask(checker, {"patient": patient, "drugs": ["布洛芬缓释胶囊", "复方对乙酰氨基酚片", "泰诺"]})
    assert {"late", "ulcer", "kidney", "bleeding", "asleep", "drink", "check.duplicate"} <= set(rules(answer))
    severities = [finding["severity"] for finding in answer["findings"]]
    assert severities == sorted(severities, key=["forbid", "ask", "caution"].index)
    assert answer["unknown_drugs"] == [] and answer["drugs"]["泰诺"] == ["对乙酰氨基酚", "氯苯那敏"]
    assert answer["not_told"] == ["lactation"] and "together" in answer["covered"]
    assert "不等于" in answer["note"]
    late = answer["findings"][rules(answer).index("late")]
    assert late["why"][0]["because"] == [{"slot": "pregnancy", "what": "", "words": "", "turn": None}]


def test_unknown_is_told_and_never_silence(checker: Checker) -> None:
    answer = ask(checker, {"patient": {"drugs": ["神药"], "conditions": ["怪病"]}, "drugs": ["布洛芬", "仙丹"]})
    assert answer["unknown_drugs"] == ["仙丹", "神药"]
    assert {"check.taken_unknown", "check.unknown_condition", "check.contents_unknown"} <= set(rules(answer))
    assert all(finding["severity"] == "ask" for finding in answer["findings"])


def test_not_told_is_not_no(checker: Checker) -> None:
    told, untold = ask(checker, {"patient": {"drugs": []}, "drugs": ["布洛芬"]}), ask(checker, {"drugs": ["布洛芬"]})
    assert told["findings"] == untold["findings"] == []
    assert told["covered"] == ["drugs"] and untold["covered"] == []
    assert "drugs" in untold["not_told"] and "drugs" not in told["not_told"]


def test_no_allergy_among_the_allergies_is_none(checker: Checker) -> None:
    answer = ask(checker, {"patient": {"allergies": ["无"]}, "drugs": ["布洛芬"]})
    assert answer["findings"] == [] and answer["covered"] == ["allergies"]


def test_a_condition_that_nothing_speaks_of_is_not_covered(checker: Checker) -> None:
    answer = ask(checker, {"patient": {"conditions": ["慢性胃溃疡", "哮喘"]}, "drugs": ["布洛芬", "维生素C"]})
    assert {"medicine": "维生素C", "condition": "慢性胃溃疡"} in answer["not_covered"]
    assert {"medicine": "布洛芬", "condition": "慢性胃溃疡"} not in answer["not_covered"]
    assert "conditions" not in answer["covered"] and "conditions_in_part" in answer["covered"]
    whole = ask(checker, {"patient": {"conditions": ["胃溃疡"]}, "drugs": ["布洛芬"]})
    assert whole["not_covered"] == [] and whole["covered"] == ["conditions"]


def test_pregnancy_and_lactation_told_as_conditions(checker: Checker) -> None:
    answer = ask(checker, {"patient": {"conditions": ["怀孕30周", "哺乳期"]}, "drugs": ["布洛芬"]})
    assert "late" in rules(answer) and {"pregnancy", "lactation"} <= {one["kind"] for one in answer["findings"]}
    assert {"pregnancy", "lactation"} <= set(answer["covered"]) and answer["not_covered"] == []
    assert "check.unknown_condition" not in rules(answer)
    exact = ask(checker, {"patient": {"pregnancy_weeks": 10, "conditions": ["怀孕"]}, "drugs": ["布洛芬"]})
    assert rules(exact) == ["check.left_open"]


def test_a_man_is_not_asked_about_pregnancy(checker: Checker) -> None:
    answer = ask(checker, {"patient": {"sex": "male"}, "drugs": ["布洛芬"]})
    assert answer["findings"] == [] and {"pregnancy", "lactation"} <= set(answer["covered"])


@pytest.mark.parametrize("name", ["布洛芬", "布洛芬缓释胶囊", "布洛芬片（0.2g）", "芬必得", "bu luo fen"])
def test_one_medicine_by_many_names(checker: Checker, name: str) -> None:
    assert ask(checker, {"drugs": [name]})["drugs"][name] == ["布洛芬"]


def test_cards_of_cds_hooks(checker: Checker) -> None:
    patient = {"drugs": ["华法林", "卡托普利", "泰诺"], "conditions": ["消化性溃疡"]}
    cards = ask(checker, {"patient": patient, "drugs": ["布洛芬", "对乙酰氨基酚"]}, "cds-hooks")["cards"]
    assert [card["indicator"] for card in cards[:-1]] == sorted(
        (card["indicator"] for card in cards[:-1]), key=["critical", "warning", "info"].index
    )
    for card in cards:
        assert set(card) <= {"summary", "detail", "indicator", "source", "overrideReasons"}
        assert 0 < len(card["summary"]) < 140 and card["source"]["label"]
        assert all(reason["code"] and reason["display"] for reason in card.get("overrideReasons", []))
        assert all(value not in (None, "", [], {}) for value in card.values())
    assert "overrideReasons" in cards[0] and "overrideReasons" not in cards[-1]
    assert "bleeding" in "".join(card["detail"] for card in cards) and "不等于" in cards[-1]["summary"]
    assert [card["source"]["topic"]["code"] for card in ask(checker, {"drugs": ["布洛芬"]}, "cds-hooks")["cards"]] == [
        "coverage"
    ]


@pytest.mark.parametrize(
    ("body", "field", "remedy"),
    [
        ("{", "", "not valid JSON"),
        ("[]", "", "an object such as"),
        ('{"patient": {}}', "drugs", "is missing"),
        ('{"drugs": []}', "drugs", "at least 1"),
        ('{"drugs": [""]}', "drugs.0", "at least 1"),
        ('{"drugs": "布洛芬"}', "drugs", "array"),
        ('{"drugs": ["a"], "patients": {}}', "patients", "did you mean 'patient'"),
        ('{"drugs": ["a"], "patient": {"agemonths": 3}}', "patient.agemonths", "did you mean 'age_months'"),
        ('{"drugs": ["a"], "patient": {"age_months": -1}}', "patient.age_months", "greater than or equal to 0"),
        ('{"drugs": ["a"], "patient": {"age_months": "3"}}', "patient.age_months", "number"),
        ('{"drugs": ["a"], "patient": {"lactation": "yes"}}', "patient.lactation", "boolean"),
        ('{"drugs": ["a"], "patient": {"sex": "男"}}', "patient.sex", "'female' or 'male'"),
        ('{"drugs": ["a"], "patient": {"sex": "male", "pregnancy_weeks": 9}}', "patient", "correct one of them"),
        ('{"drugs": ["a"], "patient": {"pregnant": false, "pregnancy_weeks": 9}}', "patient", "leave one of them out"),
        (json.dumps({"drugs": ["a"] * 25}), "drugs", "at most 24"),
        (b"\xff\xfe", "", "not valid JSON"),
    ],
)
def test_bad_requests_name_the_field_and_the_remedy(body: str | bytes, field: str, remedy: str) -> None:
    with pytest.raises(CheckError) as error:
        read_check(body)
    assert error.value.field == field and remedy in str(error.value) and "\n" not in str(error.value)
