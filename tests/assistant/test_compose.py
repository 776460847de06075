"""Acts in words: nothing twice, every sentence checked, what the law has stand beside it."""

from __future__ import annotations

import pytest
from sample_shop import ASSISTANT as SHOP

from medasst.assistant.acts import Act, Advise, Answer, Inquire, Offer, Refer, Source, Warn
from medasst.assistant.compose import Draft, compose
from medasst.assistant.events import Ask, Card, Citation, Finding, HandOff, Text, plain_text
from medasst.assistant.said import Said
from medasst.conversation import Message
from medasst.dialogue import Shown

RULES, SAY = SHOP.rules, SHOP.rules.replies
IBUPROFEN, PARACETAMOL = SHOP.catalogue["OTC-001"], SHOP.catalogue["OTC-002"]
REST = "多喝温水，早点休息，这一两天别熬夜。"
VEILED = "室温开到24至26度，让热散出去。"
DOCTOR = "如果三天不退或者精神差，请去看医生。"


def said(*replies: str, shown: tuple[Shown, ...] = ()) -> Said:
    return Said.of([Message("assistant", reply) for reply in replies], shown)


def drafted(*acts: Act, before: Said | None = None) -> Draft:
    return compose(acts, before or Said(), RULES)


def text(draft: Draft) -> str:
    return plain_text((*draft.body, *draft.tail))


def of(kind: type, draft: Draft) -> list:
    return [event for event in (*draft.body, *draft.tail) if isinstance(event, kind)]


def test_a_sentence_of_an_earlier_reply_is_left_out_however_it_is_marked() -> None:
    before = said(f"您好。{REST.rstrip('。')}！")
    assert text(drafted(Advise("发热", (REST, VEILED)), before=before)) == VEILED


def test_a_sentence_comes_once_in_a_reply() -> None:
    assert text(drafted(Advise("发热", (REST,)), Answer((REST, VEILED)))).count(REST) == 1


def test_short_courtesies_may_come_again() -> None:
    assert text(drafted(Answer(("不客气。",)), before=said("不客气。"))) == "不客气。"


def test_where_nothing_is_new_a_short_sentence_says_so_and_that_too_but_once() -> None:
    first = text(drafted(Advise("发热", (REST,)), before=said(REST)))
    second = text(drafted(Advise("发热", (REST,)), before=said(REST, first)))
    assert first in SAY.again and second in SAY.again and first != second


def test_the_brief_form_takes_the_place_of_what_was_said() -> None:
    source = Source("布洛芬缓释胶囊说明书", "用法用量")
    draft = drafted(Answer((REST,), (source,), brief="用法和刚才说的一样。"), before=said(REST))
    assert text(draft) == "用法和刚才说的一样。" and of(Citation, draft) == [Citation(*source_fields(source))]
    assert not of(Citation, drafted(Answer((REST,), (source,)), before=said(REST)))


def source_fields(source: Source) -> tuple[str, str]:
    return source.document, source.section


def test_a_card_has_reason_use_and_caution_as_sentences() -> None:
    section = IBUPROFEN.section("dosage")
    draft = drafted(Offer(IBUPROFEN, "能退烧止痛", "有胃溃疡的人不用", "成人一次1粒，一日2次", section))
    (card,) = of(Card, draft)
    assert (card.how, card.caution) == ("用法：成人一次1粒，一日2次。", "注意：有胃溃疡的人不用。")
    assert card.citation.endswith("用法用量") and card.as_text().count("。") == 3
    assert draft.notices == (SAY.otc_notice,)


def test_a_product_is_shown_once_in_a_conversation() -> None:
    first = drafted(Offer(IBUPROFEN, "能退烧止痛"), Offer(IBUPROFEN, "能退烧止痛"))
    assert len(of(Card, first)) == 1
    before = said(text(first), shown=(Shown(IBUPROFEN.name, 0, 1),))
    assert before.cards == (IBUPROFEN.name,)
    again = drafted(Offer(IBUPROFEN, "能退烧止痛"), Offer(PARACETAMOL, "对胃刺激小"), before=before)
    assert [card.sku for card in of(Card, again)] == [PARACETAMOL.sku]


def test_advice_then_products_then_when_to_see_a_doctor_then_questions() -> None:
    ask = Inquire(RULES.questions["who"])
    draft = drafted(ask, Advise("发热", (REST,), DOCTOR), Offer(IBUPROFEN, "能退烧止痛"))
    assert [type(event) for event in (*draft.body, *draft.tail)] == [Text, Card, Text, Ask]
    assert draft.body[-1].as_text().strip() == DOCTOR and draft.tail[-1].options  # type: ignore[union-attr]


def test_a_danger_is_said_again_and_a_warning_is_not() -> None:
    danger = Warn("acute_coronary", "emergency", "请马上拨打120，不要再等了。", "1", alarm=True)
    warning = Warn("ulcer", "warning", "有胃溃疡的人不能用布洛芬。", "1")
    draft = drafted(danger, warning, before=said(danger.text, warning.text))
    assert [finding.rule for finding in of(Finding, draft)] == ["acute_coronary"] and draft.reason == "red_flag"


def test_a_sentence_that_may_not_be_said_is_replaced_once() -> None:
    leaking = "阿莫西林一次吃两粒，一天三次。"
    draft = drafted(Answer((leaking, "头孢克肟一次一粒，一天两次。")))
    assert [event.replaced_by_rule for event in of(Text, draft)] == ["prescription"]
    assert "两粒" not in text(draft)


@pytest.mark.parametrize(
    ("acts", "reason"),
    [
        ((Answer((REST,)),), "stop"),
        ((Refer("unknown", ("这一点我答不准，请问药师。",)),), "hand_off"),
        ((Answer((REST,)), Refer("person", ("这一点我答不准，请问药师。",))), "stop"),
        ((Refer("prescription", ("请先看医生，拿到处方再来。",), "prescription"),), "prescription"),
        ((Warn("fever", "urgent", "请今天就去医院。", "1", alarm=True), Answer((REST,))), "red_flag"),
    ],
)
def test_why_a_reply_ends(acts: tuple[Act, ...], reason: str) -> None:
    assert drafted(*acts).reason == reason


def test_declining_kindly_is_no_hand_off() -> None:
    draft = drafted(Refer("beside_the_matter", ("这个我帮不上忙，用药的事可以问我。",), "decline"))
    assert draft.reason == "stop" and not of(HandOff, draft)


@pytest.mark.parametrize("forms", [SAY.again, SAY.unknown, SAY.still, SAY.no_longer, SAY.choose_one, SAY.prescription_again])
def test_every_form_may_be_said(forms: tuple[str, ...]) -> None:
    words = {"products": "布洛芬缓释胶囊", "drug": "阿莫西林"}
    for form in forms:
        sentence = form.format(**words)
        assert text(drafted(Answer((sentence,)))) == sentence
    assert len(set(forms)) == len(forms)
