"""What a conversation tells of whom: persons, slots, answers to our questions, corrections, alarms that are over, products."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_shop import BOOK, LEXICON

from medasst.conversation import Message
from medasst.dialogue import DialogueState, Patient, ProductNames, of_turns, state
from medasst.lexicon import Lexicon
from medasst.rulebook import Rulebook, SlotName

SHELF = ProductNames(["布洛芬缓释胶囊", "对乙酰氨基酚片", "感冒灵颗粒"])


def talk(*turns: str, names: ProductNames | None = None) -> DialogueState:
    """The state after these turns; one that begins with > is ours: a question's id, or a text."""
    messages = []
    for turn in turns:
        if turn.startswith(">"):
            question = BOOK.questions.rows.get(turn[1:])
            messages.append(Message("assistant", f"好的。{question.text}" if question else turn[1:]))
        else:
            messages.append(Message("user", turn))
    return state(messages, LEXICON, names)


def findings(patient: Patient) -> set[str]:
    """What somebody has, without what only goes on around it."""
    rows = BOOK.findings.rows
    own = [said.mention for said in patient.said if said.mention.kind == "finding" and said.mention.current]
    return {one.concept for one in own if one.concept not in rows or rows[one.concept].kind != "circumstance"}


def known(patient: Patient, *slots: SlotName) -> list[str]:
    return [patient.slot(slot).known for slot in slots]


# --- whose it is


@pytest.mark.parametrize(
    ("turns", "person"),
    [
        (["我女儿2岁发烧38.5", "我自己也头疼，32岁，吃什么"], "self"),
        (["我老婆怀孕了，便秘", "我自己脚气用什么"], "self"),
        (["我妈血压高", "头有点晕"], "mother"),
        (["给我爸买药", "他68了，咳嗽有痰一周"], "father"),
        (["我爸在吃华法林", "我妈膝盖疼，68岁"], "mother"),
        (["我和我老婆都感冒了", "我是鼻塞，她在喂奶，就流点鼻涕"], "wife"),
        (["我爷爷82，便秘", "他前列腺也不好", "对了我也便秘，我26，男"], "self"),
        (["儿子流鼻涕", "另外我婆婆76，刚才看东西重影"], "other"),
        (["我妈嗓子疼", "给我也来盒含片"], "self"),
        (["孩子发烧了", "我给他吃了布洛芬"], "child"),
        (["帮同学问，她拉肚子", "她说站不起来"], "other"),
        (["同事感冒了我怎么预防"], "self"),
        (["头疼"], "self"),
        (["有什么好的止咳药", "给孩子用，5岁"], "child"),
    ],
)
def test_whom_the_last_turn_is_about(turns: list[str], person: str) -> None:
    assert talk(*turns).current.person == person


def test_persons_keep_what_is_theirs() -> None:
    told = talk("我老婆怀孕5个月，便秘", "我自己脚气，也在吃降压药")
    wife, own = told.patient("wife"), told.current
    assert known(wife, "pregnancy", "drugs") == ["yes", "unknown"] and findings(wife) == {"怀孕", "便秘"}
    assert known(own, "pregnancy", "drugs") == ["unknown", "yes"] and findings(own) == {"脚气"}
    assert wife.sex == "female" and wife.values["pregnancy_weeks"] == pytest.approx(21.5)


def test_several_children_are_one_child_of_the_younger_age() -> None:
    told = talk("两个孩子都发烧，大的9岁38.4，小的4个月大38.6")
    assert told.current.person == "child" and told.current.stage == "infant" and not told.contradictions


def test_what_is_said_of_two_is_of_both() -> None:
    told = talk("我和我老婆都感冒了")
    assert findings(told.patient("self")) == findings(told.patient("wife")) == {"普通感冒"}


def test_nobody_is_named() -> None:
    told = talk("头疼")
    assert not told.current.named and told.current.slot("person").known == "unknown"
    assert talk("我头疼").current.slot("person").known == "yes"


@pytest.mark.parametrize("answer", ["我妈", "给我妈买的", "是我妈吃"])
def test_who_is_told_later_gets_what_was_said_before(answer: str) -> None:
    told = talk("头疼三天了", ">who", answer)
    assert told.current.person == "mother" and findings(told.current) == {"头痛"}
    assert told.current.slot("duration").number == 72 and not told.patient("self").said


@pytest.mark.parametrize(
    ("wrong", "right", "person"),
    [
        ("我老婆头晕", "不是，是我岳母，我说错了", "other"),
        ("拉肚子", "是我儿子不是我", "child"),
        ("我妈头疼", "说错了，是我爱人", "wife"),
        ("肚子疼", "哦不是我，是我朋友问的", "other"),
    ],
)
def test_a_corrected_person(wrong: str, right: str, person: str) -> None:
    told = talk(wrong, right)
    assert told.current.person == person and findings(told.current)
    assert not any(findings(patient) for patient in told.patients if patient.person != person)


# --- slots


@pytest.mark.parametrize(
    ("turn", "slot", "expected"),
    [
        ("没有药物过敏，失眠怎么办", "allergies", "no"),
        ("没过敏史", "allergies", "no"),
        ("头疼，不过敏", "allergies", "no"),
        ("感冒了，没吃别的药", "drugs", "no"),
        ("没有慢性病和过敏", "conditions", "no"),
        ("没有慢性病和过敏", "allergies", "no"),
        ("过敏、慢性病都没有", "conditions", "no"),
        ("没有别的毛病，也没吃别的药，不过敏", "drugs", "no"),
        ("对青霉素过敏", "allergies", "yes"),
        ("胶布过敏，膝盖擦破了贴什么", "allergies", "yes"),
        ("没有青霉素过敏", "allergies", "unknown"),
        ("十二指肠球部溃疡，头痛吃什么", "conditions", "yes"),
        ("我有高血压，头痛", "conditions", "yes"),
        ("我在吃二甲双胍，感冒了", "drugs", "yes"),
        ("二甲双胍多少钱", "drugs", "unknown"),
        ("我开出租的，感冒流鼻涕，吃点啥", "work", "yes"),
        ("不开车，流鼻涕吃什么", "work", "no"),
        ("怀孕三个月咳嗽", "pregnancy", "yes"),
        ("在备孕，感冒了", "pregnancy", "yes"),
        ("没怀孕没喂奶，感冒", "lactation", "no"),
        ("我是男的，肚子疼", "pregnancy", "no"),
        ("来大姨妈肚子疼", "pregnancy", "no"),
        ("头疼", "allergies", "unknown"),
    ],
)
def test_yes_no_and_unknown(turn: str, slot: SlotName, expected: str) -> None:
    told = talk(turn).current.slot(slot)
    assert told.known == expected
    assert told.turn == (None if expected == "unknown" else 0)


def test_what_a_slot_holds() -> None:
    told = talk("我68岁，青霉素过敏，有高血压，一直吃硝苯地平", "也对海鲜过敏").current
    assert told.slot("allergies").what == ("青霉素", "海鲜") and told.slot("allergies").turn == 1
    assert told.slot("conditions").what == ("高血压",) and told.slot("drugs").what == ("硝苯地平",)
    assert told.slot("age").number == 816 and told.stage == "elderly"


@pytest.mark.parametrize(
    ("turn", "years"),
    [("我妈70了，嗓子疼", 70), ("我26，男，便秘", 26), ("发烧，31男", 31), ("给三岁孩子买退烧药", 3), ("拉肚子，30出头", 30)],
)
def test_ages_told_shortly(turn: str, years: int) -> None:
    assert talk(turn).current.slot("age").number == 12 * years


@pytest.mark.parametrize(
    ("turn", "hours"),
    [("头疼三天了", 72), ("咳嗽一天三次", None), ("两天前开始拉肚子", 48), ("吃了半个月氨氯地平，脚肿", None)],
)
def test_how_long(turn: str, hours: float | None) -> None:
    assert talk(turn).current.slot("duration").number == hours


def test_not_yet_three_months_is_below_three() -> None:
    told = talk("宝宝不到3个月大，发烧38.5").current
    assert told.values["age_months"] < 3 and told.stage == "infant"


# --- our questions


@pytest.mark.parametrize("question", list(BOOK.questions), ids=lambda question: question.id)
def test_every_button_fills_a_slot_of_its_question(question) -> None:  # type: ignore[no-untyped-def]
    for option in question.options:
        told = talk("不舒服", f">{question.id}", option)
        slots = [told.current.slot(slot) for slot in question.slots]
        assert any(slot.turn == 1 for slot in slots), option
        assert any(slot.known != "unknown" or slot.unsure for slot in slots), option
        assert all(asked.answered for asked in told.asked), option
        assert not findings(told.current) - {"怀孕", "哺乳", "不适", *told.current.slot("conditions").what} & {
            "过敏反应",
            "性病",
        }


def test_every_text_of_a_question_is_recognised() -> None:
    for question in BOOK.questions:
        for text in (question.text, *question.also):
            (asked,) = talk("头疼", f">先说清楚一点：{text}\n以上内容仅供参考。").asked
            assert asked.question.id == question.id and asked.turn == 0 and not asked.answered


def test_a_whole_conversation_of_short_answers() -> None:
    told = talk("头疼", ">who", "成人", ">pregnant", "没有", ">history", "都没有", "谢谢")
    own = told.current
    assert known(own, "person", "age", "pregnancy", "lactation", "allergies", "conditions", "drugs") == [
        "yes",
        "yes",
        *["no"] * 5,
    ]
    assert own.stage == "adult" and findings(own) == {"头痛"} and all(asked.answered for asked in told.asked)


@pytest.mark.parametrize(
    ("question", "answer", "slot", "expected"),
    [
        ("child_age", "两岁", "age", 24),
        ("child_age", "2", "age", 24),
        ("child_age", "2岁半，20斤", "weight", 10),
        ("child_age", "3 15", "weight", 15),
        ("child_age", "8个月", "age", 8),
        ("weight", "二十斤", "weight", 10),
        ("weight", "12公斤左右", "weight", 12),
        ("temperature", "38", "temperature", 38),
        ("temperature", "38度5", "temperature", 38.5),
        ("duration", "两天", "duration", 48),
        ("duration", "3", "duration", 72),
        ("severity", "8分", "severity", 8),
        ("severity", "7", "severity", 7),
        ("pregnancy_week", "20", "pregnancy", 20),
        ("age", "38", "age", 456),
        ("pregnant", "19", "age", 228),
        ("pregnant", "8周", "pregnancy", 8),
    ],
)
def test_numbers_as_answers(question: str, answer: str, slot: SlotName, expected: float) -> None:
    assert talk("孩子不舒服", f">{question}", answer).current.slot(slot).number == pytest.approx(expected)


@pytest.mark.parametrize(
    ("question", "answer", "slot", "low", "high"),
    [
        ("child_age", "12岁以上", "age", 144, None),
        ("child_age", "不到1岁", "age", None, 12),
        ("child_age", "3到6岁", "age", 36, 72),
        ("duration", "两三天", "duration", 48, 72),
    ],
)
def test_bounds_as_answers(question: str, answer: str, slot: SlotName, low: float | None, high: float | None) -> None:
    told = talk("鼻塞流鼻涕", f">{question}", answer).current.slot(slot)
    assert (told.known, told.number, told.low, told.high) == ("yes", None, low, high)


@pytest.mark.parametrize(
    ("question", "answer", "slot", "what"),
    [
        ("cough", "干咳", "cough", ("干咳",)),
        ("cough", "没有痰", "cough", ("干咳",)),
        ("cough", "嗯有痰的", "cough", ("有痰",)),
        ("allergy_what", "青霉素", "allergies", ("青霉素",)),
        ("allergy_what", "芒果", "allergies", ("芒果",)),
        ("drugs", "二甲双胍", "drugs", ("二甲双胍",)),
        ("conditions_what", "高血压", "conditions", ("高血压",)),
    ],
)
def test_named_answers(question: str, answer: str, slot: SlotName, what: tuple[str, ...]) -> None:
    told = talk("不舒服", f">{question}", answer).current.slot(slot)
    assert told.known == "yes" and told.what == what


def test_a_wish_is_no_answer() -> None:
    assert talk("头疼", ">drugs", "有布洛芬吗").current.slot("drugs").known == "unknown"
    assert talk("头疼", ">allergy", "阿莫西林多少钱").current.slot("allergies").known == "unknown"


def test_no_without_a_question_says_nothing() -> None:
    assert talk("头疼", "没有").current.slots.keys() == talk("头疼").current.slots.keys()


def test_whoever_does_not_know_is_not_asked_again() -> None:
    told = talk("孩子发烧", ">weight", "不清楚")
    assert told.current.slot("weight").unsure and told.asked[0].answered


def test_a_general_no_takes_nothing_back() -> None:
    told = talk("青霉素过敏，头疼", ">history", "都没有")
    assert told.current.slot("allergies").what == ("青霉素",) and not told.contradictions
    assert known(told.current, "conditions", "drugs") == ["no", "no"]


# --- corrections and contradictions


def test_a_later_value_replaces_the_earlier_one() -> None:
    assert talk("孩子3岁", "不是3岁是2岁").current.values["age_months"] == 24
    assert talk("我嗓子疼发烧38.5", "打错了，是37.5").current.values["temperature"] == 37.5
    assert not talk("孩子3岁", "不是3岁是2岁").contradictions
    told = talk("我没有过敏", "不对，说错了，我青霉素过敏")
    assert told.current.slot("allergies").known == "yes" and not told.contradictions


def test_another_part_of_the_body() -> None:
    told = talk("膝盖疼", "不是膝盖，是胸口这里，说错了")
    assert told.current.slot("complaint").what == ("胸痛",) and len(findings(told.current)) == 2


def test_contradictions_are_kept_and_the_stricter_holds() -> None:
    told = talk("我对青霉素过敏", "头疼", "我没有过敏")
    ((person, slot, first, second),) = [(c.person, c.slot, c.first, c.second) for c in told.contradictions]
    assert (person, slot, first, second) == ("self", "allergies", 0, 2) and told.current.slot("allergies").known == "yes"
    assert [c.slot for c in talk("孩子3岁", "孩子8岁了").contradictions] == ["age"]


# --- alarms that are over


def standing(told: DialogueState, concept: str) -> bool:
    return any(
        s.resolved_by is None for p in told.patients for s in p.said if s.mention.concept == concept and s.mention.current
    )


@pytest.mark.parametrize(
    "after",
    [
        "去过医院了，医生说是肌肉拉伤",
        "检查过没事",
        "去急诊看了，心电图正常，开了药",
        "查了没查出什么问题",
        "看过医生了，说没大事，让回家休息",
        "已经好了",
        "现在不疼了",
        "胸口不疼了",
    ],
)
def test_what_is_over(after: str) -> None:
    told = talk("刚才胸口疼", after, "那我脚气用什么药")
    assert not standing(told, "胸痛") and standing(told, "脚气")


@pytest.mark.parametrize(
    "after",
    [
        "去医院要挂什么科",
        "去年检查过没事",
        "还没去医院",
        "没去检查，应该不要紧",
        "明天去医院检查，医生说没事就好",
        "医生说没事但是现在更疼了",
        "要不要去医院检查",
        "不想去医院",
        "应该没事吧",
        "医生让我住院",
        "以前也胸口疼过",
        "药没了",
        "吃了药还是疼",
    ],
)
def test_what_is_not_over(after: str) -> None:
    assert standing(talk("刚才胸口疼", after), "胸痛")


@pytest.mark.parametrize("again", ["刚才又闷了，比上次重", "胸闷又来了", "现在胸闷得厉害"])
def test_what_is_there_again(again: str) -> None:
    told = talk("胸闷", "去过医院了，医生说是焦虑", again)
    assert standing(told, "胸闷")


def test_only_the_matter_it_belongs_to_is_over() -> None:
    told = talk("胸口疼", "我脚崴了肿了", "脚去医院拍过片了，没骨折")
    assert standing(told, "胸痛") and not standing(told, "扭伤")
    assert standing(talk("我胸口疼", "我妈没事了"), "胸痛")
    told = talk("我妈胸口疼", "我自己肚子疼", "现在不疼了")
    assert standing(told, "胸痛") and not standing(told, "腹痛")


def test_a_lasting_condition_stays() -> None:
    told = talk("我有高血压，头疼", "去医院看过了，没事")
    assert standing(told, "高血压") and not standing(told, "头痛")


def test_a_fall_is_not_just_over() -> None:
    assert standing(talk("孩子从床上摔下来了", "现在没事了"), "跌伤")


def test_our_own_warnings_are_nobodys_complaint() -> None:
    told = talk("头疼", ">如果出现胸痛、呼吸困难、意识不清，请立刻拨打120。有药物过敏吗？", "好的")
    assert findings(told.current) == {"头痛"} and told.current.slot("allergies").known == "unknown"


# --- products


@pytest.mark.parametrize(
    ("turn", "expected"),
    [
        ("第二个怎么吃", ("对乙酰氨基酚片",)),
        ("第一种孕妇能用吗", ("布洛芬缓释胶囊",)),
        ("最后那个多少钱", ("感冒灵颗粒",)),
        ("前一个吧", ("布洛芬缓释胶囊",)),
        ("对乙酰氨基酚片饭前吃吗", ("对乙酰氨基酚片",)),
        ("第五个呢", ()),
        ("这个怎么吃", ()),  # which of the three?
        ("谢谢", ()),
    ],
)
def test_which_product(turn: str, expected: tuple[str, ...]) -> None:
    told = talk("头疼", ">可以看看：布洛芬缓释胶囊、对乙酰氨基酚片、感冒灵颗粒。", turn, names=SHELF)
    assert told.refers == expected
    assert [(shown.number, shown.turn) for shown in told.shown] == [(1, 0), (2, 0), (3, 0)]


def test_that_one_where_there_is_one() -> None:
    assert talk("头疼", ">布洛芬缓释胶囊", "刚才那个怎么吃", names=SHELF).refers == ("布洛芬缓释胶囊",)
    assert talk("头疼", "第一个怎么吃", names=SHELF).refers == ()


# --- a pure fold

PIECES = st.sampled_from(
    [
        "我妈",
        "孩子",
        "胸口疼",
        "不疼了",
        "没有",
        "，",
        "。",
        "38",
        "3岁",
        "不是",
        "是我",
        "去过医院了没事",
        "又",
        "第二个",
        "过敏",
        "😀",
        "\ud83d",
        "\x00",
        "她",
        "吃了布洛芬",
        "一",
        " ",
        "都没有",
    ]
)
TEXTS = st.one_of(st.lists(PIECES, max_size=8).map("".join), st.text(max_size=30))
QUESTION_TEXTS = st.sampled_from([question.text for question in BOOK.questions])
MESSAGES = st.lists(
    st.one_of(
        st.builds(Message, st.just("user"), TEXTS),
        st.builds(Message, st.sampled_from(["assistant", "system"]), st.one_of(TEXTS, QUESTION_TEXTS)),
    ),
    max_size=8,
)


@settings(max_examples=300, deadline=None)
@given(MESSAGES)
def test_the_state_is_the_same_for_the_same_messages(messages: list[Message]) -> None:
    told = state(messages, LEXICON, SHELF)
    assert told == state(list(messages), LEXICON, SHELF)
    assert told.turn == sum(message.role == "user" for message in messages) - 1
    assert told.current in told.patients
    assert all(slot.turn is None or 0 <= slot.turn <= told.turn for p in told.patients for slot in p.slots.values())
    silent = [message for message in messages if message.role != "system"]
    assert state(silent, LEXICON, SHELF) == told


def test_another_process_with_the_same_tables_tells_the_same() -> None:
    turns = ["我妈70了胸口疼", "去过医院了，没事", "我自己对青霉素过敏"]
    assert of_turns(turns, LEXICON) == of_turns(turns, Lexicon(Rulebook.load()))


def test_long_conversations_take_time_in_proportion() -> None:
    pool = ["我妈胸口疼", "不疼了", "没有过敏", "孩子3岁发烧38.5", "不是我，是我妈", "去过医院了，没事", "又疼了", "谢谢"]

    def seconds(size: int) -> float:
        turns = [random.Random(number).choice(pool) for number in range(size)]
        of_turns(turns, LEXICON)
        runs = []
        for _ in range(5):
            started = time.perf_counter()
            of_turns(turns, LEXICON)
            runs.append(time.perf_counter() - started)
        return min(runs)

    assert seconds(4000) < 12 * seconds(1000)


@pytest.mark.parametrize("text", ["", "😀" * 1000, "胸口疼，" * 2500, "啊" * 100_000, "\ud83d", "他她我妈，" * 5000])
def test_any_text_will_do(text: str) -> None:
    assert of_turns([text, "没有"], LEXICON).turn == 1


@pytest.mark.parametrize("slip", ["打错了，是膝盖疼", "哦打错了 是膝盖疼", "说错了，膝盖疼", "不好意思我打错字了，是膝盖疼"])
def test_what_was_typed_by_mistake_was_never_meant(slip: str) -> None:
    told = {said.mention.words: said.resolved for said in talk("胸口疼", slip).current.said}
    assert told["胸口疼"] == "mistaken" and told["膝盖疼"] == ""


def test_a_mistake_takes_back_no_deed_and_nothing_without_something_else_in_its_place() -> None:
    assert all(said.resolved == "" for said in talk("孩子吞了一颗电池", "打错了，是我头疼").patient("child").said)
    assert all(said.resolved == "" for said in talk("胸口疼", "打错了").current.said)
    assert all(said.resolved == "" for said in talk("胸口疼", "胰岛素打错了，心慌").current.said)


def test_how_long_it_has_lasted_is_no_age_in_days() -> None:
    told = talk("孩子发烧", "三岁半", "一天，玩得挺欢，喝水尿尿都正常")
    assert told.current.values["age_months"] == 42


@pytest.mark.parametrize("told", ["哺乳期 宝宝4个月", "在喂奶，孩子8个月"])
@pytest.mark.parametrize("asked", [[], [">who"]])
def test_a_nursing_mother_stays_the_one_spoken_of(told: str, asked: list[str]) -> None:
    now = talk("痔疮犯了，有点疼", *asked, told).current
    assert now.person == "self" and now.slot("lactation").known == "yes" and now.slot("age").number is None


def test_a_child_that_is_ill_beside_its_nursing_mother_is_spoken_of() -> None:
    assert talk("我喂奶呢", "宝宝8个月拉肚子").current.person == "child"
