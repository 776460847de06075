"""How a product is taken by somebody: the leaflet's own sentences for this age and weight, or nothing."""

from __future__ import annotations

import pytest

from medasst.assistant import dosage
from medasst.catalogue import Product, Section
from medasst.dialogue import Patient, Slot
from medasst.dialogue.patient import stage_of

SUSPENSION = (
    "口服，用前摇匀：1～3岁（体重10～15kg）一次4ml，4～6岁（16～21kg）一次5ml，7～9岁（22～27kg）一次8ml。"
    "可间隔4～6小时重复一次，24小时内不超过4次。6个月以下须由医师决定。"
)
TABLET = "口服。12岁以上儿童及成人一次1片，6～12岁儿童一次半片。24小时内不得超过4次。"
ADULTS = "口服。成人一次2粒，一日3次，24小时内不超过6粒。儿童用量请咨询医师或药师。用药3天症状未缓解应就医。"
OVERLAPPING = (
    "口服。1～2岁一次2.5ml，一日2次；2～6岁一次2.5ml，一日3次；6～12岁一次5ml，一日2～3次；12岁以上及成人一次10ml，一日3次。"
)
SYRUP = "口服。2～12岁儿童体重大于30kg者一次10ml，体重等于或小于30kg者一次5ml；成人一次10ml；均为一日1次。"
CREAM = "外用。取适量涂于患处，一日2次。用药7天症状未缓解应就医。"
STRICT_CREAM = "外用。取适量涂于患处，一日2次。12岁以下儿童请咨询医师。"
IRON = "口服。用于预防：成人一日1片，孕妇一日2片，儿童一日半片。"
PLAIN = "口服。一次5～10ml，一日2次。"


def product(text: str) -> Product:
    section = Section(text=text, document="示例说明书", section="用法用量")
    return Product(sku="X", name="示例药", status="otc-a", price=1, leaflet={"dosage": section})


def person(months: float | None = None, kg: float | None = None, *, pregnant: bool = False, stage: str = "") -> Patient:
    slots = {
        "age": Slot("unknown" if months is None else "yes", number=months),
        "weight": Slot("unknown" if kg is None else "yes", number=kg),
        "pregnancy": Slot("yes" if pregnant else "unknown"),
    }
    values = {} if months is None else {"age_months": months}
    return Patient("self", (), values, None, stage or stage_of(months), slots)  # type: ignore[arg-type]


ADULT = person()
CASES = [
    (SUSPENSION, person(36), ["1～3岁", "一次4ml", "24小时内不超过4次"], ["5ml", "8ml", "医师"]),
    (SUSPENSION, person(36, 10), ["一次4ml"], ["5ml"]),
    (SUSPENSION, person(36, 18), ["一次5ml"], ["4ml"]),  # the weight decides
    (SUSPENSION, person(60, 14), ["一次4ml"], ["5ml"]),
    (SUSPENSION, person(100, 40), ["一次8ml"], ["5ml"]),  # heavier than the table: never more than for the age
    (SUSPENSION, person(47), ["一次4ml"], []),
    (SUSPENSION, person(48), ["一次5ml"], []),
    (SUSPENSION, person(5), [], []),
    (SUSPENSION, person(36, 8), [], []),
    (SUSPENSION, ADULT, [], []),
    (SUSPENSION, person(stage="child"), [], []),
    (TABLET, ADULT, ["一次1片", "不得超过4次"], ["半片"]),
    (TABLET, person(150), ["一次1片"], ["半片"]),
    (TABLET, person(100), ["半片"], ["一次1片"]),
    (TABLET, person(40), [], []),
    (ADULTS, ADULT, ["一次2粒，一日3次，24小时内不超过6粒"], ["儿童", "就医"]),
    (ADULTS, person(840), ["一次2粒"], ["儿童"]),
    (ADULTS, person(120), [], []),
    (OVERLAPPING, person(24), ["2～6岁", "一日3次"], ["1～2岁"]),
    (OVERLAPPING, person(18), ["1～2岁", "一日2次"], ["2～6岁"]),
    (OVERLAPPING, person(144), ["一次10ml"], ["6～12岁"]),
    (OVERLAPPING, ADULT, ["一次10ml"], ["2.5ml"]),
    (SYRUP, person(72), ["一次10ml", "一次5ml", "一日1次"], ["成人"]),  # of no known weight both are told
    (SYRUP, person(72, 20), ["一次5ml", "一日1次"], ["10ml"]),
    (SYRUP, person(120, 35), ["一次10ml", "一日1次"], ["5ml"]),
    (CREAM, person(8), ["取适量涂于患处，一日2次"], ["就医"]),
    (CREAM, ADULT, ["取适量涂于患处"], ["就医"]),
    (STRICT_CREAM, person(60), [], []),
    (STRICT_CREAM, ADULT, ["取适量"], ["医师"]),
    (IRON, person(360, pregnant=True), ["一日2片"], ["一日1片", "半片"]),
    (IRON, ADULT, ["一日1片"], ["一日2片"]),
    (PLAIN, ADULT, ["一次5～10ml，一日2次"], []),
    (PLAIN, person(60), [], []),
    ("口服。具体用量按说明书或遵医嘱。", ADULT, [], []),
]


@pytest.mark.parametrize(("text", "patient", "wanted", "never"), CASES)
def test_what_the_leaflet_says_for_this_person(text: str, patient: Patient, wanted: list[str], never: list[str]) -> None:
    told = dosage.how(product(text), patient)
    assert all(word in told for word in wanted) and not any(word in told for word in never), told
    assert bool(told) == bool(wanted)
    clauses = (clause for clause in told.replace("。", "，").replace("；", "，").replace("：", "，").split("，") if clause)
    assert all(clause in text for clause in clauses)  # its own words, nothing added


def test_a_product_without_the_section_tells_nothing() -> None:
    assert dosage.how(Product(sku="X", name="示例药", status="otc-a", price=1), ADULT) == ""


def test_how_much_a_child_takes_at_most_is_told_to_no_grown_up() -> None:
    text = "口服。成人一次1丸，一日2次，24小时内不超过3丸；3岁以上儿童一次1丸，24小时内不超过2丸。"
    assert "2丸" not in dosage.how(product(text), person(40 * 12)).replace("一日2次", "")
