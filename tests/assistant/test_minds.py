"""What was told of a person is tied to what is said: what to mind, what the fact changes, what isn't sold again."""

from __future__ import annotations

import pytest
from sample_shop import ASSISTANT as SHOP

from medasst.assistant.events import plain_text
from medasst.conversation import Conversation, Message

BOOK, LEXICON = SHOP.rules.book, SHOP.rules.lexicon
CIRCUMSTANCES = {"pregnancy", "lactation", "infant", "child", "adult", "elderly"}


def replies(*turns: str) -> list[str]:
    """What is said to each of these user turns, in one conversation."""
    said: list[Message] = []
    for turn in turns:
        said.append(Message("user", turn))
        draft = SHOP.draft(Conversation.of(said))
        said.append(Message("assistant", plain_text([*draft.body, *draft.tail])))
    return [message.content for message in said if message.role == "assistant"]


def last(*turns: str) -> str:
    return replies(*turns)[-1]


# The table


@pytest.mark.parametrize("row", BOOK.medicines.minds, ids=lambda row: row.id)
def test_a_row_names_what_there_is_and_says_only_what_may_be_said(row) -> None:  # type: ignore[no-untyped-def]
    assert set(row.complaints) <= BOOK.medicines.complaints.rows.keys()
    known = BOOK.findings.rows.keys() | BOOK.drugs.rows.keys() | BOOK.classes.rows.keys() | CIRCUMSTANCES
    known |= BOOK.medicines.groups.rows.keys() | BOOK.medicines.ingredients.rows.keys()
    works = {what for told in BOOK.told if told.slot == "work" for what in [told.what]}
    unknown = {name.removeprefix("史:").removesuffix("过敏") for name in row.told} - known - works
    assert {name for name in unknown if not LEXICON.medicines(name)} <= {"头孢", "止痛药", "机器操作", "高处作业", "胃出血"}
    assert row.source and not row.checked and len(row.sentence) <= 70


# What was told bears on the complaint


@pytest.mark.parametrize(
    ("turn", "says"),
    [
        ("我爸前列腺肥大，感冒打喷嚏，68岁", "尿不出"),
        ("我开大货车的，感冒流鼻涕，31岁", "犯困"),
        ("血压高，鼻子不通，50岁男", "伪麻黄碱"),
        ("甲亢，着凉感冒了，40岁", "伪麻黄碱"),
        ("得过胃溃疡，牙疼，45岁", "会再出血"),
        ("肾不好，牙疼，60岁", "伤肾"),
        ("吃着华法林，膝盖疼，70岁", "容易出血"),
        ("糖尿病，咳嗽有痰，55岁", "无糖"),
        ("糖尿病，脚趾缝痒脱皮，55岁", "当天看医生"),
        ("戴隐形眼镜，眼睛干，25岁", "15分钟"),
        ("昨晚喝了半斤白酒，头疼，26岁", "伤肝"),
        ("喂奶呢，感冒鼻塞", "减少奶量"),
        ("怀孕20周，便秘", "宫缩"),
        ("吃着优甲乐，拉肚子，30岁", "下午或晚上"),
        ("青霉素过敏，嗓子疼，30岁", "阿莫西林"),
        ("青光眼，感冒流鼻涕，60岁", "眼压"),
        ("蚕豆病，孩子5岁感冒", "溶血"),
    ],
)
def test_what_is_told_is_tied_to_the_complaint(turn: str, says: str) -> None:
    assert says in last(turn)


def test_it_is_said_once_and_only_where_it_bears() -> None:
    first, second = replies("我开出租的，感冒流鼻涕，30岁", "没有过敏，没有别的病")
    assert "会犯困、反应慢" in first and "会犯困、反应慢" not in second
    assert "会犯困、反应慢" not in last("我开出租的，脚气痒，30岁")
    assert "尿不出" not in last("我没有前列腺的毛病，感冒流鼻涕，60岁男")


# What a new fact changes


@pytest.mark.parametrize(
    ("turns", "says", "never"),
    [
        (("头痛，35岁，没有别的病", "没有过敏"), ["没有过敏", "对乙酰氨基酚片"], ["仍然合适", "照前面说的做"]),
        (("咳嗽有痰，52岁，没有过敏", "我有高血压"), ["有高血压", "没有查到"], ["记下了"]),
        (("来例假肚子疼想买布洛芬缓释胶囊", "22岁，没有过敏，没有别的病"), ["22岁", "一次1粒"], ["记下了"]),
        (("便秘四天，40岁，没有过敏没有别的病", "没有呕吐"), ["乳果糖口服溶液"], ["再按前面说的"]),
        (("拉肚子水样，30岁", "没有发热"), [], ["再按前面说的", "仍然合适"]),
    ],
)
def test_a_fact_that_is_added_says_what_it_means(turns: tuple[str, ...], says: list[str], never: list[str]) -> None:
    reply = last(*turns)
    assert [one for one in says if one not in reply] == [], reply
    assert [one for one in never if one in reply] == [], reply


def test_what_was_spoken_against_stays_so_where_it_is_asked_again() -> None:
    assert "布洛芬缓释胶囊" in last("我有胃溃疡，布洛芬缓释胶囊能吃吗", "真的不能吃吗")


# What is served


@pytest.mark.parametrize(
    ("turn", "never"),
    [
        ("鼻子堵得睡不着，30岁，没有别的病，没过敏，没吃药", "枣仁安神"),
        ("便秘好几天肚子胀，30岁，没有别的病，没过敏，没吃药", "双歧杆菌"),
        ("脚趾缝烂了痒得厉害，30岁", "氯雷他定"),
        ("感冒打喷嚏流清鼻涕，30岁，没有别的病", "氯雷他定"),
        ("孩子3岁流鼻涕打喷嚏有点咳嗽，15公斤", "氯雷他定"),
        ("膝盖蹲下去响，不疼，28岁", "双氯芬酸"),
        ("落枕了脖子一扭就疼，30岁", "脚垫高"),
        ("宝宝红屁股有点破皮，8个月", "创可贴"),
    ],
)
def test_what_a_complaint_brings_along_is_not_treated_for_itself(turn: str, never: str) -> None:
    assert never not in last(turn)


def test_what_is_at_home_is_told_how_to_take_and_is_not_sold() -> None:
    reply = last("孩子5岁19公斤发烧38度9，家里有布洛芬混悬液")
    assert "一次5ml" in reply and "【商品】" not in reply and "下单" not in reply


def test_a_medicine_for_phlegm_is_not_for_a_dry_cough() -> None:
    reply = last("我干咳，30岁，没有别的病，盐酸氨溴索口服溶液能吃吗")
    assert "不对症" in reply and "可以按说明书用" not in reply


def test_who_asks_for_something_free_is_not_refused_again() -> None:
    reply = last("阿莫西林来两盒，嗓子发炎", "那有啥不要处方的")
    assert "【商品】" in reply and "处方" not in reply.split("【商品】")[0]


# One verdict


@pytest.mark.parametrize(
    ("turns", "never"),
    [
        (("蒙脱石散和双歧杆菌三联活菌胶囊能一起吃吗",), "不要一起用"),
        (("布洛芬片和对乙酰氨基酚片能交替着吃吗",), "可以按说明书用"),
        (("氧化锌软膏和炉甘石洗剂，痱子用哪个",), "总量"),
    ],
)
def test_one_question_gets_one_verdict(turns: tuple[str, ...], never: str) -> None:
    assert never not in last(*turns)


def test_which_of_two_is_told_by_what_each_does_without_a_card() -> None:
    reply = last("我老反酸，铝碳酸镁咀嚼片和奥美拉唑肠溶胶囊哪个好")
    assert "铝碳酸镁" in reply and "久" in reply and "【商品】" not in reply and "说明书适应症" not in reply


# What a reaction was told of


def test_what_a_reaction_was_told_of_is_never_said_to_fit_nor_sold() -> None:
    said = replies("吃了氯雷他定片心慌得厉害", "刚吃的，第一次吃", "咖啡喝了两杯", "那我还能接着吃吗")
    assert all("可以照" not in reply and "下单" not in reply for reply in said)
    assert "不要再用" in said[-1]


def test_a_medicine_that_is_named_after_its_reaction_is_meant() -> None:
    said = replies("吃了你家的咳嗽药身上起红疙瘩", "就那个川贝枇杷膏，昨晚第一次喝", "那我以后还能喝吗")
    assert "可以按说明书用" not in said[1] and "不要再用" in said[1] and "不要再用" in said[2]
