"""Answers about products: facts of the record and the leaflet, nothing that neither says."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from medasst.assistant.acts import Act, Answer, Inquire, Refer, Warn
from medasst.assistant.counter import Counter
from medasst.assistant.products import ProductAnswers
from medasst.assistant.request import read
from medasst.catalogue import Catalogue
from medasst.catalogue.catalogue import SAMPLES
from medasst.catalogue.products import read_product
from medasst.conversation import Conversation
from medasst.lexicon import Lexicon
from medasst.rulebook import Rulebook
from medasst.safety import Rules

Answers = Callable[..., list[Act]]
ROWS = {row["name"]: row for row in map(json.loads, SAMPLES.read_text("utf-8").splitlines())}


def answers_of(catalogue: Catalogue) -> Answers:
    rules = Rules(catalogue)
    answers = ProductAnswers(catalogue, rules, Counter(catalogue, rules))

    def of(*turns: str) -> list[Act]:
        messages = [("user" if number % 2 == 0 else "assistant", turn) for number, turn in enumerate(turns)]
        return answers.answer(read(Conversation.of(messages), catalogue, rules))

    return of


@pytest.fixture(scope="module")
def answer() -> Answers:
    return answers_of(Catalogue.from_samples(Lexicon(Rulebook.load())))


def said(acts: list[Act]) -> str:
    return "".join("".join(act.sentences) if isinstance(act, Answer | Refer) else getattr(act, "text", "") for act in acts)


@pytest.mark.parametrize(
    ("turn", "holds"),
    [
        ("布洛芬缓释胶囊多少钱", ["18.5元", "20粒/盒"]),
        ("蒙脱石散有货吗", ["以下单页面为准"]),
        ("氯雷他定片一盒几片", ["6片/盒"]),
        ("布洛芬缓释胶囊怎么吃", ["成人一次1粒"]),
        ("三岁孩子15公斤，布洛芬混悬液吃多少", ["一次4ml"]),
        ("碳酸钙D3片饭前吃还是饭后吃", ["餐后"]),
        ("蒙脱石散饭前吃还是饭后吃", ["没有规定饭前还是饭后", "一日3次"]),
        ("达克宁要抹多久才算好", ["继续用药"]),
        ("氯雷他定吃了犯困吗", ["可能犯困", "第一次用"]),
        ("左炔诺孕酮片吃完两小时吐了还有用吗", ["应立即补服1片"]),
        ("布洛芬混悬液开封了还能喝吗", ["没有写开封后能放多久", "一个月左右"]),
        ("蒙脱石散怎么保存", ["干燥处"]),
        ("蒙脱石散有什么副作用", ["便秘"]),
        ("健胃消食片可以嚼着吃吗", ["健胃消食片的说明书"]),
        ("云南白药气雾剂先喷哪个", ["先喷保险液"]),
        ("尤卓尔含激素吗", ["含糖皮质激素"]),
        ("氯雷他定片含激素吗", ["没有激素类药物"]),
        ("达克宁能抹脸吗", ["真菌", "不要自己用"]),
        ("过期两个月的碘伏还能用吗", ["不要再用"]),
        ("忘吃了一顿碳酸钙D3片要补上吗", ["不要一次吃两份"]),
        ("避孕药漏吃了怎么办", ["不要一次用两份"]),
        ("布洛芬缓释胶囊和布洛芬片有什么区别", ["成分一样", "一日2次", "4～6小时", "不要一起用"]),
        ("莫匹罗星软膏和红霉素软膏哪个好", ["莫匹罗星软膏：", "红霉素软膏："]),
        ("莫匹罗星软膏和红霉素软膏哪个便宜", ["22.5元", "4.5元"]),
        ("我反酸，铝碳酸镁咀嚼片和奥美拉唑肠溶胶囊吃哪个好", ["中和胃酸", "抑酸强"]),
        ("有便宜点的布洛芬缓释胶囊吗", ["布洛芬片", "9.9元"]),
        ("对乙酰氨基酚片有没有儿童的", ["混悬滴剂"]),
        ("聚维酮碘溶液有没有小瓶的", ["只有一种包装", "100ml/瓶"]),
        ("芬必得多少钱", ["本店没有芬必得", "布洛芬缓释胶囊", "18.5元"]),
        ("褪黑素有吗", ["本店没有褪黑素"]),
        ("皮炎平多少钱", ["地塞米松、樟脑、薄荷脑"]),
        ("老人能吃蒙脱石散吗", ["可以按说明书用", "防止便秘"]),
        ("孕妇能吃布洛芬缓释胶囊吗", ["现在不要用"]),
        ("维C银翘片一次吃几片", ["一次2片", "含对乙酰氨基酚、氯苯那敏"]),
        ("复方对乙酰氨基酚片和感冒灵一起吃行吗", ["都含对乙酰氨基酚"]),
        ("有没有儿童的布洛芬", ["布洛芬混悬液", "22元"]),
        ("孩子能吃氯雷他定吗", ["氯雷他定糖浆", "年龄和体重"]),
        ("藿香正气水和头孢隔多久", ["不得与头孢菌素类"]),
        ("碳酸钙D3片和优甲乐能一起吃吗", ["间隔数小时"]),
        ("美林多少钱", ["本店没有美林", "布洛芬混悬液", "22元"]),
        ("布洛芬和芬必得哪个好", ["布洛芬缓释胶囊", "选一种就行"]),
        ("布洛芬混悬液才过2小时能再喂一次吗", ["不到4小时", "4～6小时"]),
        ("布洛芬混悬液过了7个小时能再喂一次吗", ["4～6小时"]),
        ("感冒灵颗粒和布洛芬片已经一起吃了一顿了", ["两样都先停下"]),
        ("金嗓子喉片吃多了怎么办", ["不超过6片", "先停下来"]),
        ("乳果糖口服溶液几天能见效", ["没有写多久起效", "2～3天"]),
        ("有血压计卖吗", ["目录里没有血压计"]),
        ("中午吃了氯雷他定，今晚有饭局能喝两杯不", ["不喝酒"]),
        ("布洛芬缓释胶囊可以打开倒水里喝吗", ["不得打开", "整粒"]),
        ("达克宁剩半支，能抹身上那个圈圈癣不", ["体股癣", "不要自己用"]),
        ("一直吃着硝苯地平控释片 开塞露能不能天天用", ["不宜长期使用"]),
        ("达克宁抹了四天还是痒，要不要换个", ["继续用药", "先别急着换"]),
        ("蒙脱石散哪个便宜", ["14元"]),
        ("我82，家里有盒维C银翘片，要注意啥", ["含对乙酰氨基酚、氯苯那敏"]),
        ("蒙脱石散一盒够吃几天", ["10袋/盒", "一日3次"]),
        ("维生素D滴剂昨天忘给宝宝吃了，今天要补两粒吗", ["不要一次吃两份"]),
        ("明早抽血查血脂，晚上的碳酸钙D3片还吃不", ["空腹8到12小时"]),
        ("打完流感疫苗今天能洗澡不", ["淋浴"]),
        ("痛经，布洛芬和散利痛哪个好", ["没有散利痛", "痛经", "不要一起用"]),
        ("5岁的娃能吃芬必得吗", ["孩子不能吃", "给孩子用的是布洛芬混悬液"]),
    ],
)
def test_answers(answer: Answers, turn: str, holds: list[str]) -> None:
    text = said(answer(turn))
    assert [one for one in holds if one not in text] == [], text


@pytest.mark.parametrize(
    "turn",
    [
        "中午吃了氯雷他定，今晚有饭局能喝两杯不",
        "布洛芬缓释胶囊可以打开倒水里喝吗",
        "达克宁剩半支，能抹身上那个圈圈癣不",
        "一直吃着硝苯地平控释片 开塞露能不能天天用",
        "明早抽血查血脂，晚上的碳酸钙D3片还吃不",
        "氯雷他定吃了能晒太阳吗",
    ],
)
def test_nobody_is_told_that_they_may_where_something_else_is_asked(answer: Answers, turn: str) -> None:
    assert "可以按说明书用" not in said(answer(turn))


def test_which_form_suits_is_told_by_the_complaint_and_what_is_missing_is_said(answer: Answers) -> None:
    text = said(answer("口腔溃疡长了两个", "可以看看口腔炎喷雾剂。", "喷的跟贴的哪个好"))
    assert all(part in text for part in ("用贴的", "用喷的", "喷的本店有口腔炎喷雾剂", "贴的本店现在没有"))
    assert "用膏抹" not in said(answer("痔疮犯了，马应龙麝香痔疮膏和普济痔疮栓哪个好"))


def test_whether_one_more_may_be_taken_is_told_by_the_interval(answer: Answers) -> None:
    text = said(answer("布洛芬缓释胶囊怎么吃", "好的", "能再来一粒不"))
    assert "12小时" in text and "不要提前" in text


def test_every_leaflet_sentence_is_cited(answer: Answers) -> None:
    (told,) = answer("布洛芬缓释胶囊怎么吃")
    assert isinstance(told, Answer) and told.sources[0].section == "用法用量" and told.products[0].name == "布洛芬缓释胶囊"


def test_what_is_eaten_or_drunk_with_it_is_warned_of(answer: Answers) -> None:
    acts = answer("吃布洛芬缓释胶囊能喝酒吗")
    assert [act for act in acts if isinstance(act, Warn) and "酒" in act.text]


def test_a_medicine_that_may_not_be_taken_is_neither_shown_nor_said_to_be_allowed(answer: Answers) -> None:
    for turn in ("孕妇能吃布洛芬缓释胶囊吗", "我有胃溃疡，来一盒布洛芬缓释胶囊", "我在吃华法林，能吃布洛芬缓释胶囊吗"):
        acts = answer(turn)
        assert not [act for act in acts if isinstance(act, Answer) and act.products], turn
        assert "可以按说明书" not in said(acts), turn


def test_a_childs_age_is_asked_once(answer: Answers) -> None:
    question = "请问孩子多大、体重多少公斤？"
    (asked,) = [act for act in answer("布洛芬混悬液给孩子吃多少") if isinstance(act, Inquire)]
    assert asked.question.text == question
    assert not [act for act in answer("布洛芬混悬液给孩子吃多少", question, "不知道") if isinstance(act, Inquire)]


def test_nothing_is_said_twice_in_one_answer(answer: Answers) -> None:
    text = said(answer("炉甘石洗剂用之前要摇吗，一天抹几次"))
    assert text.count("一日2～3次") == 1


def test_what_a_leaflet_or_a_record_leaves_open_is_told_as_open() -> None:
    bare = {**ROWS["蒙脱石散"], "leaflet": {}, "stock": 0}
    few = {**ROWS["布洛芬缓释胶囊"], "stock": 7, "maker": ""}
    answer = answers_of(Catalogue.of([read_product(json.dumps(row)) for row in (bare, few)], Lexicon(Rulebook.load())))
    assert "没有用法用量" in said(answer("蒙脱石散怎么吃"))
    assert "没有禁忌" in said(answer("蒙脱石散能吃吗")) and "可以按说明书" not in said(answer("蒙脱石散能吃吗"))
    assert "缺货" in said(answer("蒙脱石散有货吗"))
    assert "库存7件" in said(answer("布洛芬缓释胶囊有货吗"))
    assert "没有登记" in said(answer("布洛芬缓释胶囊哪个厂家的"))


def test_prescription_drugs_are_left_to_the_gate(answer: Answers) -> None:
    for turn in ("阿莫西林多少钱", "硝苯地平怎么吃", "头孢克肟有货吗"):
        assert answer(turn) == [], turn


def test_a_brand_is_the_form_that_it_is_known_for(answer: Answers) -> None:
    assert "缓释胶囊" not in said(answer("美林多少钱"))
    assert "混悬液" not in said(answer("芬必得多少钱"))


def test_a_question_of_forms_compares_what_was_shown(answer: Answers) -> None:
    shown = "【商品】马应龙麝香痔疮膏 10g\n【商品】复方角菜酸酯栓 3.4g"
    text = said(answer("痔疮用什么", shown, "用膏好还是栓好"))
    assert "马应龙麝香痔疮膏" in text and "复方角菜酸酯栓" in text and "只有一种包装" not in text


def test_a_thing_or_a_medicine_not_sold_asks_nothing_of_what_was_spoken_of(answer: Answers) -> None:
    for turn in ("有血压计卖吗", "褪黑素有吗"):
        assert "碘" not in said(answer("聚维酮碘溶液多少钱", "7.5元", turn)), turn


def test_once_the_interval_is_over_nobody_is_told_to_wait(answer: Answers) -> None:
    assert "先不要再用" not in said(answer("布洛芬混悬液过了7个小时能再喂一次吗"))


def test_a_leaflet_is_named_once(answer: Answers) -> None:
    text = said(answer("氯雷他定片晚上吃行不，要吃多久，一次几片"))
    assert text.count("氯雷他定片的说明书写着：") <= 1


def test_what_was_bought_and_is_to_go_back_isnt_looked_for(answer: Answers) -> None:
    assert "目录里没有" not in said(answer("上周买的制氧机没拆封能退吗"))


def test_a_product_shown_and_one_asked_about_arent_waved_through_together(answer: Answers) -> None:
    text = said(answer("成人发烧吃什么", "【商品】对乙酰氨基酚片 0.5g", "布洛芬片能吃不"))
    assert "布洛芬片和对乙酰氨基酚片选一种就行" in text
