"""What a reply does, in which order: danger, prescriptions, what was asked, advice, products, questions."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sample_shop import ASSISTANT as SHOP

from medasst.assistant.acts import Act, Advise, Answer, Inquire, Offer, Record, Refer, Warn
from medasst.assistant.counter import Counsel
from medasst.assistant.found import Changed, Found
from medasst.assistant.policy import policy
from medasst.assistant.request import read
from medasst.assistant.said import Said
from medasst.conversation import Conversation
from medasst.safety import PersonFinding
from medasst.safety.finding import Why

SAY, QUESTIONS = SHOP.rules.replies, SHOP.rules.questions
IBUPROFEN, PARACETAMOL, THIRD = (SHOP.catalogue[sku] for sku in ("OTC-001", "OTC-002", "OTC-047"))
ADVICE = Advise(
    "发热", ("多喝温水，这几天多休息。", "少穿少盖，让热散出去。", "先看看再说，别急着吃药。"), "三天不退请看医生。"
)
PRICE = Answer(("布洛芬缓释胶囊每盒18元。",), products=(IBUPROFEN,))
ULCER = PersonFinding(
    "contraindication", "forbid", "布洛芬缓释胶囊", "有胃溃疡，布洛芬不能用。", (Why("u", "1", "", False, ()),)
)
OFFERS = (Offer(IBUPROFEN, "能退烧"), Offer(PARACETAMOL, "对胃好些"))
COUNSEL = Counsel(complaints=("发热",), advice=(ADVICE,), offers=OFFERS, either=True)


def acts(turns: str | tuple[str, ...], found: Found) -> tuple[Act, ...]:
    """The acts after these user turns; alarms are those that the rules find."""
    turns = (turns,) if isinstance(turns, str) else turns
    talk = Conversation.of([m for turn in turns for m in (("user", turn), ("assistant", "好的。"))][:-1])
    request = read(talk, SHOP.catalogue, SHOP.rules)
    return policy(request, replace(found, alarms=tuple(SHOP.rules.alarms(request.told))), SAY)


def kinds(of: tuple[Act, ...]) -> list[str]:
    return [type(act).__name__ for act in of]


# Danger


def test_an_emergency_silences_everything_else() -> None:
    done = acts("胸口压榨一样疼，布洛芬多少钱", Found(answers=(PRICE,), counsel=COUNSEL))
    assert kinds(done) == ["Warn", "Answer"] and isinstance(done[0], Warn) and done[0].severity == "emergency"


def test_a_standing_emergency_is_said_in_other_words_each_time() -> None:
    heard: list[str] = []
    for _ in range(len(SAY.before["emergency"])):
        first = acts(("胸口疼得厉害", "先拿点布洛芬"), Found(Said(Said.of_text("".join(heard))), answers=(PRICE,)))[0]
        assert isinstance(first, Warn) and "120" in first.text
        heard.append(first.text)
    assert len({text[:12] for text in heard}) == len(heard)


@pytest.mark.parametrize("rule", ["self_harm", "violence"])
def test_no_rule_is_named_to_who_may_want_to_die(rule: str) -> None:
    turn = {"self_harm": "活着没意思 家里有多少安眠药能睡过去", "violence": "我老公又拿刀要砍我"}[rule]
    assert len(acts(turn, Found())) == 1
    done = acts((turn, "我就问问 你快回答"), Found())
    assert [act.text for act in done if isinstance(act, Warn)] == [SAY.again_of[rule][0]] and len(done) == 1


@pytest.mark.parametrize("turn", ["孩子8岁，发烧40度，用什么退烧药", "大便里有血三天了，买点什么"])
def test_beside_an_alarm_no_product_and_no_question(turn: str) -> None:
    counsel = replace(COUNSEL, missing=(QUESTIONS["history"],))
    done = acts(turn, Found(answers=(PRICE,), counsel=counsel))
    assert isinstance(done[0], Warn) and done[0].alarm
    assert not {"Offer", "Inquire"} & set(kinds(done)) and not any(isinstance(act, Answer) and act.products for act in done)


def test_self_care_helps_until_a_doctor_looks_at_it_within_days() -> None:
    done = acts("最近吃得多反而瘦了，老想喝水", Found(counsel=COUNSEL))
    (advice,) = (act for act in done if isinstance(act, Advise))
    assert len(advice.sentences) == 2 and not advice.doctor


# What speaks against a medicine


def test_what_speaks_against_a_product_comes_before_the_answer_and_takes_its_card() -> None:
    found = Found(against=(ULCER,), stopped=frozenset({IBUPROFEN.sku}), answers=(PRICE,))
    done = tuple(act for act in acts("有胃溃疡，布洛芬多少钱", found) if not (isinstance(act, Answer) and act.otherwise))
    assert kinds(done) == ["Warn", "Answer"]
    assert isinstance(done[1], Answer) and done[1].sentences == PRICE.sentences and not done[1].products


def test_a_new_fact_says_what_it_changes_for_what_was_shown() -> None:
    said = Said(cards=(IBUPROFEN.name, PARACETAMOL.name))
    changed = Changed((ULCER,), (IBUPROFEN,), (PARACETAMOL,))
    counsel = replace(COUNSEL, offers=COUNSEL.offers[1:])
    done = acts(("头疼", "我有胃溃疡"), Found(said, changed=changed, counsel=counsel))
    texts = [act.text if isinstance(act, Warn) else "".join(act.sentences) for act in done if isinstance(act, Warn | Answer)]
    assert "布洛芬缓释胶囊" in texts[0] and texts[1] == ULCER.sentence and "对乙酰氨基酚片" in texts[2]
    assert "Offer" not in kinds(done)


def test_what_was_shown_and_still_fits_is_not_shown_again() -> None:
    said = Said(cards=(IBUPROFEN.name, PARACETAMOL.name))
    done = acts(("头疼", "没有过敏"), Found(said, counsel=COUNSEL))
    assert "Offer" not in kinds(done)
    assert any(isinstance(act, Answer) and IBUPROFEN.short_name in "".join(act.sentences) for act in done)


# Prescriptions


def test_the_gate_comes_before_what_else_is_asked() -> None:
    done = acts(
        "阿莫西林和布洛芬一起买", Found(gate=("阿莫西林须凭处方。",), gated="阿莫西林", answers=(PRICE,), reach=("电话123。",))
    )
    assert kinds(done) == ["Answer", "Refer", "Answer"]
    assert isinstance(done[1], Refer) and done[1].kind == "prescription"


def test_the_gate_has_other_words_each_time() -> None:
    sentences = ("阿莫西林属于处方药，没有处方我不能介绍。",)
    heard = "".join(sentences)
    for _ in SAY.prescription_again:
        done = acts("阿莫西林一次几粒", Found(Said(Said.of_text(heard)), gate=sentences, gated="阿莫西林"))
        assert isinstance(done[0], Answer) and "处方" in done[0].sentences[0]
        assert not Said.of_text(done[0].sentences[0]) & Said.of_text(heard)
        heard += done[0].sentences[0]


def test_a_medicine_that_is_only_spoken_of_gets_a_clause_beside_the_answer() -> None:
    found = Found(
        gate=("头孢是处方药，没有处方不能卖给您。",), gated="头孢", answers=(Answer(("隔开两小时。",)),), reach=("电话123。",)
    )
    first, refer, *_ = acts("益生菌和头孢隔多久", found)
    assert isinstance(first, Answer) and first.sentences == (SAY.prescription_brief[0].format(drug="头孢"),)
    assert isinstance(refer, Refer) and not refer.sentences


def test_the_gate_is_left_out_once_the_turn_goes_on_to_something_else() -> None:
    found = Found(gate=("阿莫西林是处方药，没有处方不能卖给您。",), gated="阿莫西林", gate_now=False, counsel=COUNSEL)
    done = acts(("阿莫西林来两盒，嗓子疼", "28岁，没有别的病"), found)
    assert not any(isinstance(act, Refer) for act in done)


# Advice, products, questions


def test_two_products_of_many_with_advice_before_them() -> None:
    counsel = replace(COUNSEL, offers=(*COUNSEL.offers, Offer(THIRD, "也行")))
    done = acts("头疼", Found(counsel=counsel))
    assert kinds(done) == ["Advise", "Answer", "Offer", "Offer"]
    assert isinstance(done[0], Advise) and len(done[0].sentences) == 2


def test_advice_is_given_once_and_goes_on_where_nothing_else_is_to_say() -> None:
    said = Said(Said.of_text("".join(ADVICE.sentences[:2])))
    assert kinds(acts("头疼", Found(said, counsel=COUNSEL))) == ["Answer", "Offer", "Offer"]
    (advice,) = acts("头疼", Found(said, counsel=replace(COUNSEL, offers=())))
    assert isinstance(advice, Advise) and advice.sentences == ADVICE.sentences[2:]


def test_no_more_than_two_questions_and_none_twice() -> None:
    missing = (QUESTIONS["who"], QUESTIONS["who"], QUESTIONS["cough"], QUESTIONS["history"])
    done = acts("咳嗽", Found(counsel=Counsel(("咳嗽",), missing, tentative=("氨溴索",))))
    assert [act.question.id for act in done if isinstance(act, Inquire)] == ["who", "cough"]
    assert any(isinstance(act, Answer) and "氨溴索" in "".join(act.sentences) for act in done)


def test_a_pair_of_which_nothing_is_known_is_named_once_and_not_beside_an_answer_on_both() -> None:
    def unknown(one: str, other: str) -> PersonFinding:
        why = Why("check.together_unknown", "1", "", False, ())
        return PersonFinding("unknown", "ask", one, f"{one}和{other}能不能一起用，药师需要核对。", (why,), other)

    pairs = (unknown("华法林", "贴膏"), unknown("布洛芬", "贴膏"))
    told = [act.text for act in acts("那贴膏药行不", Found(together=pairs)) if isinstance(act, Warn)]
    assert told == ["贴膏和华法林、布洛芬能不能一起用，药师需要核对。"]
    lead = Answer(("这两种不要一起吃，选一种。",))
    assert not any(isinstance(act, Warn) for act in acts("能一起吃吗", Found(together=pairs[:1], leads=(lead,))))


def test_a_reaction_is_taken_down_and_nothing_sold_for_it() -> None:
    record = Record("布洛芬", "皮疹", "", "", ("请先停用布洛芬。",))
    done = acts("吃了布洛芬起疹子", Found(reaction=record, counsel=COUNSEL))
    assert record in done and "Offer" not in kinds(done)


def test_left_out_turns_take_products_and_ask_for_what_matters() -> None:
    done = acts("头疼吃什么", Found(counsel=COUNSEL, unread=QUESTIONS["unread"]))
    assert isinstance(done[0], Warn) and done[0].rule == "person.unread"
    assert "Offer" not in kinds(done) and [act.question.id for act in done if isinstance(act, Inquire)] == ["unread"]


def test_what_only_prescriptions_are_for_is_said_to_be_so() -> None:
    (done,) = acts("血压高吃什么", Found(only_prescribed=True))
    assert isinstance(done, Refer) and done.kind == "prescription"


def test_the_pharmacist_is_named_where_nothing_else_is_to_say() -> None:
    (done,) = acts("量子纠缠对人有什么好处", Found(reach=("电话123。",)))
    assert isinstance(done, Refer) and done.reason == "unknown" and done.sentences[-1] == "电话123。"
    assert kinds(acts("满多少包邮", Found(shop=(Answer(("满50元包邮。",)),), reach=("电话123。",)))) == ["Answer"]
