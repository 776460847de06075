"""POST /v1/check: the person checks over HTTP, the same JSON as the command line's."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from service_fakes import ScriptedAssistant, running

from medasst.formulary import Formulary
from medasst.lexicon import Lexicon
from medasst.rulebook import Rulebook
from medasst.safety import PersonChecks
from medasst.safety.check import Checker
from medasst.service.app import create_app
from medasst.service.config import Limits, ServeConfig


@pytest.fixture(scope="module")
def checked() -> Iterator[str]:
    book = Rulebook.load()
    checker = Checker(PersonChecks(Lexicon(book), Formulary(book)))
    app = create_app(ScriptedAssistant(), {}, ServeConfig(limits=Limits(body_bytes=4096)), checker)
    with running(app) as where:
        yield where


def test_a_check_over_http(checked: str) -> None:
    request = {"patient": {"drugs": ["神药"]}, "drugs": ["布洛芬"]}
    answer = httpx.post(f"{checked}/v1/check", json=request)
    assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
    told = answer.json()
    assert set(told) == {"findings", "covered", "not_told", "unknown_drugs", "not_covered", "drugs", "amounts", "note"}
    assert "神药" in told["unknown_drugs"] and told["covered"] == ["drugs"]
    cards = httpx.post(f"{checked}/v1/check", params={"format": "cds-hooks"}, json=request).json()["cards"]
    assert cards[-1]["source"]["topic"]["code"] == "coverage"


def rules(where: str, drug: str, **patient: object) -> set[tuple[str, str, str]]:
    """Kind, severity and rule of what speaks against a medicine by this package's own tables."""
    told = httpx.post(f"{where}/v1/check", json={"patient": patient, "drugs": [drug]}).json()
    return {(one["kind"], one["severity"], one["why"][0]["rule"]) for one in told["findings"]}


@pytest.mark.parametrize("allergen", ["某种抗生素", "过敏体质", "有过敏", "消炎药", "PG过敏", "记不清"])
def test_an_allergy_to_nobody_knows_what_is_told(checked: str, allergen: str) -> None:
    assert ("unknown", "ask", "check.unknown_allergen") in rules(checked, "布洛芬", allergies=[allergen])


@pytest.mark.parametrize(
    ("allergen", "medicine", "severity", "rule"),
    [
        ("penicillin", "阿莫西林", "forbid", "penicillin"),
        ("Penicillin G", "阿莫西林", "forbid", "penicillin"),
        ("青黴素", "阿莫西林", "forbid", "penicillin"),
        ("安必仙", "阿莫西林", "forbid", "penicillin"),
        ("消炎药", "阿莫西林", "ask", "check.alike_allergen"),
        ("卡马西平", "奥卡西平", "ask", "check.alike_allergen"),
    ],
)
def test_an_allergen_by_any_name(checked: str, allergen: str, medicine: str, severity: str, rule: str) -> None:
    assert ("allergy", severity, rule) in rules(checked, medicine, allergies=[allergen])


@pytest.mark.parametrize("condition", ["怀孕", "孕妇", "怀孕8周", "早孕", "备孕"])
def test_pregnancy_told_as_a_condition(checked: str, condition: str) -> None:
    assert ("pregnancy", "forbid") in {found[:2] for found in rules(checked, "异维A酸", conditions=[condition])}


@pytest.mark.parametrize(
    ("condition", "medicine", "kind", "severity"),
    [
        ("尿毒症", "二甲双胍", "kidney", "forbid"),
        ("透析", "二甲双胍", "kidney", "forbid"),
        ("慢性肾衰竭", "二甲双胍", "kidney", "forbid"),
        ("糖尿病肾病", "二甲双胍", "kidney", "ask"),
        ("肾功能不全", "二甲双胍", "kidney", "ask"),
        ("胃出血", "布洛芬", "contraindication", "forbid"),
        ("胃出血", "华法林", "contraindication", "ask"),
        ("活动性出血", "利伐沙班", "contraindication", "ask"),
        ("脑出血", "华法林", "contraindication", "ask"),
        ("食管静脉曲张", "布洛芬", "contraindication", "forbid"),
        ("溃疡", "布洛芬", "contraindication", "ask"),
        ("心脏病", "西地那非", "contraindication", "ask"),
        ("高钾血症", "氯化钾缓释片", "contraindication", "forbid"),
        ("房室传导阻滞", "倍他乐克", "contraindication", "forbid"),
        ("尿毒症", "地高辛", "kidney", "ask"),
        ("肝炎", "丙戊酸钠", "liver", "ask"),
    ],
)
def test_lay_and_narrower_words_of_a_disease(checked: str, condition: str, medicine: str, kind: str, severity: str) -> None:
    assert (kind, severity) in {found[:2] for found in rules(checked, medicine, conditions=[condition])}


@pytest.mark.parametrize("medicine", ["曲马多", "羟考酮", "氯唑沙宗"])
def test_a_substance_is_not_its_compound(checked: str, medicine: str) -> None:
    compound = {"曲马多": "氨酚曲马多", "羟考酮": "泰勒宁", "氯唑沙宗": "鲁南贝特"}[medicine]
    told = httpx.post(f"{checked}/v1/check", json={"drugs": [medicine, compound]}).json()["drugs"]
    assert told[medicine] == [medicine] and set(told[compound]) == {medicine, "对乙酰氨基酚"}


def test_what_is_one_in_and_one_out_is_told_only_of_such(checked: str) -> None:
    def sentence(*drugs: str) -> str:
        findings = httpx.post(f"{checked}/v1/check", json={"drugs": drugs}).json()["findings"]
        return next(one["sentence"] for one in findings if one["kind"] == "duplicate")

    assert "一个外用、一个内服" in sentence("双氯芬酸钠凝胶", "双氯芬酸钠缓释胶囊")
    assert "外用" not in sentence("左氧氟沙星滴眼液", "左氧氟沙星片")


@pytest.mark.parametrize(
    ("body", "params", "status", "param"),
    [
        (b"{", {}, 400, None),
        (b'{"drugs": []}', {}, 422, "drugs"),
        (b'{"drugs": ["a"], "patient": {"age": 3}}', {}, 422, "patient.age"),
        (b'{"drugs": ["a"]}', {"format": "xml"}, 400, "format"),
        (b'{"drugs": ["' + b"a" * 5000 + b'"]}', {}, 413, None),
        (b"[" * 4000, {}, 400, None),
    ],
)
def test_bad_requests(checked: str, body: bytes, params: dict[str, str], status: int, param: str | None) -> None:
    answer = httpx.post(f"{checked}/v1/check", params=params, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status and answer.json()["error"]["param"] == param


def test_only_json_and_only_where_it_is_offered(checked: str, url: str) -> None:
    assert httpx.post(f"{checked}/v1/check", content=b"{}").status_code == 415
    assert httpx.get(f"{checked}/v1/check").status_code == 405
    assert httpx.post(f"{url}/v1/check", json={"drugs": ["布洛芬"]}).status_code == 404
