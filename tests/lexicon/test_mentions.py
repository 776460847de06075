"""What is found as a mention, and what isn't: ways of writing, verbs of one character, compositions, idioms."""

from __future__ import annotations

import pytest

from medasst.lexicon import Lexicon

FOUND = [
    ("拉了三次稀", "腹泻"),
    ("胸口有点疼", "胸痛"),
    ("胳膊上起了个大泡", "上肢起泡"),
    ("脚背摸到一个硬包", "足肿块"),
    ("发燒三天了", "发热"),
    ("ＦＥＶＥＲ", "发热"),
    ("i have chest pain", "胸痛"),
    ("runny nose", "流涕"),
    ("tou teng", "头痛"),
    ("toutong", "头痛"),
    ("想买bu luo fen", "布洛芬"),
    ("布络芬多少钱", "布洛芬"),
    ("有治咳嗽的药吗", "咳嗽药"),
    ("扁平疣膏有吗", "药物"),
    ("打了破伤风", "破伤风疫苗"),
    ("安定片", "地西泮"),
    ("我对头孢过敏", "头孢菌素过敏"),
    ("海鲜过敏", "过敏"),
    ("维C银翘片", "维C银翘片"),
    ("确诊了腹膜后纤维性苔藓", "腹膜后纤维性苔藓"),
]
VERBS = [
    ("孩子吐了两回", "呕吐"),
    ("又烧起来了", "发热"),
    ("还咳", "咳嗽"),
    ("又喘", "喘息"),
    ("没痰", "咳痰"),
    ("晚上睡觉的时候咳", "咳嗽"),
    ("一天拉了七次", "腹泻"),
    ("宝宝一直哭", "哭闹不止"),
    ("不拉了", "腹泻"),
]
NOT_FOUND = [
    "拉开抽屉拿药",
    "拉面好吃吗",
    "我要吐槽你们的快递",
    "烧钱的爱好",
    "你们店烧烤味",
    "喘口气再下单",
    "别哭穷了便宜点",
    "麻烦问一下",
    "抽奖怎么抽",
    "笑死我了",
    "气死人了还没发货",
    "看着就头疼这价格",
    "我热得想死",
    "心里不安定",
    "这剧情让人头大",
    "行不行啊",
    "不敢乱买",
    "几点下班",
    "能刷医保吗",
    "红包怎么领",
    "",
]


def concepts(lexicon: Lexicon, text: str) -> set[str]:
    return {concept for mention in lexicon.read(text).mentions for concept in mention.broader}


@pytest.mark.parametrize(("text", "concept"), FOUND + VERBS)
def test_found(lexicon: Lexicon, text: str, concept: str) -> None:
    assert concept in concepts(lexicon, text)


@pytest.mark.parametrize("text", NOT_FOUND)
def test_nothing_found(lexicon: Lexicon, text: str) -> None:
    assert [mention.words for mention in lexicon.read(text).mentions] == []


def test_a_medicine_for_a_finding_is_no_finding(lexicon: Lexicon) -> None:
    assert [mention.kind for mention in lexicon.read("退烧药有吗").mentions] == ["drug"]


def test_an_allergy_is_one_finding(lexicon: Lexicon) -> None:
    (mention,) = lexicon.read("我青霉素过敏").mentions
    assert (mention.kind, mention.allergen) == ("finding", "青霉素")


def test_a_medicine_within_an_exposure_is_told_too(lexicon: Lexicon) -> None:
    kinds = {mention.kind for mention in lexicon.read("把降压药当糖吃了").mentions}
    assert "drug" in kinds


def test_a_wording_of_two_findings_tells_of_both(lexicon: Lexicon) -> None:
    shared: dict[str, set[str]] = {}
    for row in lexicon.book.findings:
        if row.kind in ("disease", "symptom"):
            for word in row.words:
                shared.setdefault(word, set()).add(row.name)
    word, names = next(
        (word, names) for word, names in shared.items() if len(names) == 2 and len(word) > 3 and "痛" not in word
    )
    assert names <= concepts(lexicon, word)


def test_english_names_what_the_tables_have(lexicon: Lexicon) -> None:
    book = lexicon.book
    known = {*book.findings.rows, *book.drugs.rows, *book.classes.rows, *book.composition.senses}
    known |= {part + sense for part in book.composition.parts for sense in book.composition.senses}
    assert set(book.english) <= known


def test_verbs_name_what_the_tables_have(lexicon: Lexicon) -> None:
    book = lexicon.book
    assert {row.concept for row in book.verbs} <= {*book.findings.rows, *book.composition.senses}


def test_pinyin_over_words_begins_and_ends_with_them(lexicon: Lexicon) -> None:
    """必亮 is not in guanbi liangbian."""
    assert not [one for one in lexicon.read("jiushi guanbi liangbian zhang").mentions if one.kind == "drug"]
