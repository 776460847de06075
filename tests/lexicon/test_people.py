"""Whose a mention is."""

from __future__ import annotations

import pytest

from medasst.lexicon import Lexicon

CASES = [
    ("我头疼", "self"),
    ("头疼怎么办", "self"),
    ("宝宝发烧了", "child"),
    ("发烧39度 孩子两岁", "child"),
    ("我妈血压高", "mother"),
    ("俺爹咳嗽半个月", "father"),
    ("老婆怀孕了恶心", "wife"),
    ("老公打呼噜", "husband"),
    ("外婆便秘", "grandmother"),
    ("爷爷腿肿", "grandfather"),
    ("我弟起疹子", "sibling"),
    ("我婆婆膝盖痛", "other"),
    ("同事的孩子发烧", "other"),
    ("我妈的妹妹乳腺癌", "other"),
    ("糖尿病我妈有", "mother"),
    ("我爸昨天摔了，他腿疼", "father"),
    ("不是给我买是给我爸买，他咳嗽", "father"),
    ("给我来盒药，孩子咳嗽", "child"),
    ("医生让我注意，头晕", "self"),
    ("被邻居家狗咬了", "self"),
    ("生完孩子腰痛", "self"),
    ("抱孩子抱得手腕痛", "self"),
    ("帮我妈问下，失眠", "mother"),
    ("妈妈手，手腕痛", "self"),
    ("我妈咳嗽，我怀疑是肺炎", "mother"),
    ("我爷爷肺癌走的，我想问问我咳嗽一个月", "self"),
    ("我妈发烧，我爸没事，她要不要去查流感", "mother"),
    ("他便秘，开塞露给我妈买", "mother"),
    ("我妈推荐的药，我头晕", "self"),
]


@pytest.mark.parametrize(("text", "person"), CASES)
def test_whose(lexicon: Lexicon, text: str, person: str) -> None:
    assert lexicon.read(text).mentions[-1].person == person


def test_each_has_its_own(lexicon: Lexicon) -> None:
    told = {mention.words: mention.person for mention in lexicon.read("我咳嗽，我妈头疼，孩子发烧").mentions}
    assert told == {"咳嗽": "self", "头疼": "mother", "发烧": "child"}


def test_a_child_is_never_somebody_else(lexicon: Lexicon) -> None:
    assert {mention.assertion for mention in lexicon.read("孩子水痘，我也发烧了").mentions} == {"present"}


def test_family_in_danger_is_never_somebody_else(lexicon: Lexicon) -> None:
    first, *_ = lexicon.read("我爸胸口疼，我也有点头晕").mentions
    assert (first.assertion, first.person) == ("present", "father")


def test_the_medicine_asked_for_beside_a_colleagues_illness_is_ones_own(lexicon: Lexicon) -> None:
    flu, medicine = lexicon.read("同事流感，要备奥司他韦吗").mentions
    assert (flu.assertion, flu.person, medicine.person) == ("someone_else", "other", "self")
