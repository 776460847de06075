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
    ("儿子发烧，姐姐也烧起来了", "child"),
    ("妹妹发烧了，姐姐没事", "child"),
    ("我妹妹发烧了", "sibling"),
    ("怀孕了还能打针吗？帮闺蜜问的", "other"),
    ("鼻炎好了，这回给我闺女买", "self"),
    ("奶奶有哮喘，爷爷没有", "grandmother"),
    ("湿疹，奶奶说喂安乃近", "self"),
    ("老公说他不舒服", "husband"),
    ("我爸是医生，他咳嗽三天了", "father"),
    ("哺乳期吃布洛芬对宝宝有影响吗", "self"),
    ("孩子爸爸有鼻炎", "husband"),
    ("他爸肾结石疼得打滚", "husband"),
    ("同事感冒了，他爸也咳嗽", "other"),
    ("左氧氟沙星我十六岁的儿子能吃吗", "child"),
    ("现在没事，就怕像他表哥那样过敏", "self"),
    ("孩子嘴角烂了，同桌好像也有，会不会是疱疹", "child"),
    ("我妈咳嗽，我爸也有痰", "father"),
    ("脚烂了，工友让我买皮炎平", "self"),
    ("老公出差了，他的二甲双胍我误吃了一片", "self"),
    ("得过妊娠糖尿病，现在娃一岁", "self"),
    ("奶奶说她心口疼是胃的事，可我怕是心绞痛", "grandmother"),
    ("除了鼻塞，其他发热咳嗽没有", "self"),
    ("姨妈前乳房胀", "self"),
    ("布洛芬孕妇能吃吗？我同事想知道", "other"),
    ("不是我怀孕", "self"),
]


@pytest.mark.parametrize(("text", "person"), CASES)
def test_whose(lexicon: Lexicon, text: str, person: str) -> None:
    assert lexicon.read(text).mentions[-1].person == person


def test_each_has_its_own(lexicon: Lexicon) -> None:
    told = {mention.words: mention.person for mention in lexicon.read("我咳嗽，我妈头疼，孩子发烧").mentions}
    assert told == {"咳嗽": "self", "头疼": "mother", "发烧": "child"}


def test_a_child_is_never_somebody_else(lexicon: Lexicon) -> None:
    assert {mention.by_cues for mention in lexicon.read("孩子水痘，我也发烧了").mentions} == {"present"}


def test_family_in_danger_is_never_somebody_else(lexicon: Lexicon) -> None:
    first, *_ = lexicon.read("我爸胸口疼，我也有点头晕").mentions
    assert (first.by_cues, first.person) == ("present", "father")


def test_the_medicine_asked_for_beside_a_colleagues_illness_is_ones_own(lexicon: Lexicon) -> None:
    flu, medicine = lexicon.read("同事流感，要备奥司他韦吗").mentions
    assert (flu.by_cues, flu.person, medicine.person) == ("someone_else", "other", "self")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("我姑姑以前乳腺癌，我妈乳房长了个硬块", ["someone_else", "present"]),
        ("小姨子新冠后味觉没了，现在我老公也闻不到味", ["someone_else", "someone_else", "present"]),
        ("我姥姥当年出麻疹，我娃没出疹子", ["someone_else", "absent"]),
        ("哥哥痛风我也痛风，他吃非布司他", ["someone_else", "present", "someone_else"]),
        ("娃脚上脱皮，他爸脚气，应该是传上了吧", ["present", "someone_else"]),
        ("我妈有糖尿病，我儿子咳嗽", ["present", "present"]),
        ("我婆婆面瘫治好了，老公又嘴歪了", ["historical", "present"]),
        ("我婆婆有高血压，我老公也高血压，他吃缬沙坦", ["present", "present", "present"]),
        ("我舅舅痛风发作，给他买止痛药行吗", ["present", "hypothetical"]),
        ("朋友圈说有人用土方治好了癌症，我奶奶便秘", ["someone_else", "present"]),
        ("电视剧里那个女的是肺结核吧", ["someone_else"]),
    ],
)
def test_what_is_told_for_anothers_sake(lexicon: Lexicon, text: str, wanted: list[str]) -> None:
    assert [mention.by_cues for mention in lexicon.read(text).mentions] == wanted


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("我姐吃优思明长斑，我也想调月经", "优思明:someone_else 长斑:someone_else"),
        ("我妈吃优思明长斑，我想给她换药", "优思明:present 长斑:present"),
        ("我爸吃了头孢喘不上气，我想送他去医院", "头孢:present 喘不上气:present"),
        ("孩子爸爸有蚕豆病，孩子查了没有蚕豆病", "蚕豆病:someone_else 蚕豆病:absent"),
        ("孩子爸爸发烧，孩子没发烧", "发烧:present 发烧:absent"),
        ("我婆婆的妹妹胃癌没了，婆婆胃胀", "胃癌:someone_else 胃胀:present"),
        ("我哥酒精肝，他不归我管，我就想知道护肝片好不好", "酒精肝:someone_else 护肝片:hypothetical"),
    ],
)
def test_of_whom_nothing_is_asked(lexicon: Lexicon, text: str, told: str) -> None:
    assert " ".join(f"{mention.words}:{mention.by_cues}" for mention in lexicon.read(text).mentions) == told


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        # One's own matter follows.
        ("楼下修车大哥中风了，我手也有点麻", ["someone_else", "present"]),
        ("我们科长吃红霉素吃得肝炎，我能吃红霉素吗", ["someone_else", "someone_else", "hypothetical"]),
        ("隔壁床的说她有肺炎，不会传染给我吧", ["someone_else"]),
        ("我姑姑中暑已经送医院了，家里还有点藿香正气水能放几年", ["someone_else", "hypothetical"]),
        # Help is asked, or it may be.
        ("楼下修车大哥中风了，怎么办", ["present"]),
        ("我朋友胸口疼，我有速效救心丸能含吗", ["present", "hypothetical"]),
        ("隔壁小孩让蛇咬了脚，肿到膝盖了", ["present", "present"]),
        ("我舅突然胸口疼，我能做点什么", ["present"]),
        ("工地上老张头晕呕吐，工友让我问你们有没有药", ["present", "present"]),
        ("喊他他说不出话，我寻思买点药", ["present"]),
        # What stands before somebody who is only a likeness.
        ("眼皮跳了一礼拜，我师傅就是这么跳着跳着面瘫了", ["present", "present"]),
    ],
)
def test_a_story_of_somebody_from_outside(lexicon: Lexicon, text: str, wanted: list[str]) -> None:
    assert [mention.by_cues for mention in lexicon.read(text).findings() + lexicon.read(text).drugs()] == wanted
