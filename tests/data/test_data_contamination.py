"""Contamination: near pairs against brute force, each way in which a test question gets into train, and its neighbours."""

from __future__ import annotations

import random
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medasst.data.contamination import LONG, Match, QuestionIndex
from medasst.data.fingerprints import FILE, Trained, fingerprints, trained_on
from medasst.data.questions import content_of, cores_asked, cores_of
from medasst.data.settings import Contamination
from medasst.data.slips import SlipIndex, allowed, slipped
from medasst.errors import DataError
from medasst.shingles import N
from medasst.text import comparison_key

HAN = "头痛发热咳嗽腹泻便秘皮疹瘙痒心悸胸闷乏力浮肿眩晕耳鸣失眠盗汗消瘦黄疸血尿"


def index(*questions: str, settings: Contamination | None = None) -> QuestionIndex:
    return QuestionIndex([f"q{n}" for n in range(len(questions))], cores_asked([[q] for q in questions]), settings)


def kind(train: str | list[str], test: str) -> str | None:
    matches = index(test).find(cores_asked([[train] if isinstance(train, str) else train]))
    return matches[0].kind if matches else None


def grams(text: str) -> set[str]:
    return {text[i : i + N] for i in range(max(1, len(text) - N + 1))} if text else set()


def test_near_and_contained_questions_are_those_of_brute_force() -> None:
    rng = random.Random(9)
    tests = ["".join(rng.choices(HAN, k=rng.randint(3, 40))) for _ in range(80)]
    train = []
    for i in range(300):
        text = list(rng.choice(tests)) if i % 2 else rng.choices(HAN, k=25)
        for _ in range(rng.randint(0, 2)):
            text[rng.randrange(len(text))] = rng.choice(HAN)
        around = ["".join(rng.choices(HAN, k=rng.choice([0, 0, 2, 30]))) for _ in range(2)]
        train.append("".join(text)[2:-3] if i % 5 == 0 else around[0] + "".join(text) + around[1])
    settings = Contamination(edits=0)
    found = {match.row: match for match in index(*tests, settings=settings).find(cores_asked([[text] for text in train]))}
    for row, text in enumerate(train):
        expected = set()
        for test in tests:
            common, ours, theirs = len(grams(text) & grams(test)), len(grams(text)), len(grams(test))
            if common / (ours + theirs - common) >= settings.threshold:
                expected.add("exact" if text == test else "near")
            if len(test) >= LONG and common >= settings.contained * theirs:
                expected.add("contained")
            if len(text) >= LONG and common >= settings.contained * ours:
                expected.add("part")
        if expected:
            assert row in found, text
        if row in found and found[row].kind in {"exact", "near"}:
            assert found[row].kind in expected
    assert {match.kind for match in found.values()} == {"exact", "near", "contained", "part"}


STEM = "阿司匹林最常见的不良反应是"
ITEM = f"{STEM}\nA. 胃肠道反应\nB. 过敏反应\nC. 水杨酸反应\nD. 肝损害"


@pytest.mark.parametrize(
    ("expected", "train", "test"),
    [
        ("exact", "维生素c的作用是？", "维生素Ｃ 的作用是（　）"),
        ("exact", "医生您好，打扰一下，请问口臭怎么办？谢谢！", "口臭怎么办"),
        ("exact", "口臭怎么办", "你好，想咨询一下，口臭怎么办呢？急，在线等"),
        ("exact", "下午好各位老师，冒昧想跟您请教个事儿，口臭怎么办", "口臭怎么办"),
        ("exact", "痔疮便血怎么办？祝您工作顺利，万分感激", "我在网上看了好久还是不明白，所以来问问：痔疮便血怎么办"),
        ("contained", "朋友推荐我来问您，输液港是什么？跪谢！", "输液港是什么"),
        ("contained", "在线求医：心慌，恶心想吐，好人一生平安", "心慌、恶心想吐"),
        ("part", "输液港是什么", "朋友推荐我来问您，输液港是什么？跪谢！"),
        ("exact", "孩子吃什么好", "孩子吃什么好？"),
        ("edited", "高血压能吃釉子吗", "高血压能吃柚子吗"),
        ("edited", "高血压能吃柚柚子吗", "高血压能吃柚子吗"),
        ("edited", "小孩半夜咳漱不停应该吃什么糖将好", "小孩半夜咳嗽不停应该吃什么糖浆好"),
        ("contained", "我家孩子三岁，昨天开始上幼儿园，发烧三十九度能吃布洛芬吗，家里老人不让吃", "发烧三十九度能吃布洛芬吗"),
        ("part", "发烧三十九度能吃布洛芬吗", "我家孩子三岁，昨天开始上幼儿园，发烧三十九度能吃布洛芬吗，家里老人不让吃"),
        ("exact", STEM, ITEM),
        ("exact", f"{STEM}（　） A、胃肠道反应 B、过敏反应 C、水杨酸反应 D、肝损害", ITEM),
        ("exact", ITEM, STEM),
        ("contained", f"请回答下面这道执业药师考试题：{STEM}", ITEM),
        ("exact", f"12．{STEM}", ITEM),
        ("exact", "1．5岁儿童的头围约是", "5岁儿童的头围约是"),
        ("exact", "宜选用\nA. 阿司匹林\nB. 青霉素\nC. 硝酸甘油", "宜选用（　）\nA．阿司匹林\nB．青霉素\nC．硝酸甘油"),
    ],
)
def test_ways_into_train(expected: str, train: str, test: str) -> None:
    assert kind(train, test) == expected


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("低血压能吃柚子吗", "高血压能吃柚子吗"),  # one word for another
        ("高血压能吃苹果吗", "高血压能吃柚子吗"),
        ("孩子3岁33斤正常吗该怎么喂", "孩子3岁39斤正常吗该怎么喂"),
        ("维生素b1的主要生理作用", "维生素b2的主要生理作用"),
        ("哮喘发作时宜选用的是吸入剂", "哮喘发作时不宜选用的是吸入剂"),
        ("糖尿病和痛风的病因有何不同", "糖尿病和痛风的症状有何不同"),
        ("怎么办", "口臭怎么办"),
        ("系统性红斑狼疮能不能吃海鲜", "系统性红斑狼疮"),  # a word, no question
        ("糖尿病十年，能吃西瓜吗", "能吃西瓜吗"),  # the sentence before it says more than courtesy
        ("在吗", "在吗"),
        ("宜选用\nA. 阿司匹林\nB. 青霉素\nC. 硝酸甘油", "宜选用\nA. 胰岛素\nB. 甲氨蝶呤\nC. 异烟肼"),
        ("", "？！"),
        # One set of options for two questions.
        (ITEM.replace(STEM, "利福平最常见的不良反应是"), ITEM),
        (ITEM.replace(STEM, "Cmax是指"), ITEM.replace(STEM, "MRT是指")),
    ],
)
def test_another_question_is_no_match(train: str, test: str) -> None:
    assert kind(train, test) is None
    assert kind(test, train) is None


def test_every_user_turn_is_compared_but_talk_is_not() -> None:
    assert kind(["孩子三岁了", "嗯，是的", "发烧三十九度能吃布洛芬吗"], "发烧三十九度能吃布洛芬吗") == "exact"
    assert kind(["孩子咳嗽三天了", "好的，谢谢医生"], "好的") is None


def test_a_later_turn_of_a_test_dialogue_counts_if_it_says_enough() -> None:
    later = "每天拉四五次，都是黄色水样便，需要停母乳吗"
    test = QuestionIndex(["t"], cores_asked([["医生你好", "没有发烧", later]]))
    assert test.find(cores_asked([["没有发烧"], [later]])) == [Match(1, "t", "exact", 1.0)]


def test_the_best_match_is_named_whatever_the_order() -> None:
    questions = ["高血压能吃柚子吗", "高血压能吃釉子吗", "高血压能吃柚子吗？"]
    for order in ([0, 1, 2], [2, 1, 0]):
        test = QuestionIndex([f"q{n}" for n in order], cores_asked([[questions[n]] for n in order]))
        assert test.find(cores_asked([["高血压能吃柚子吗"]])) == [Match(0, "q0", "exact", 1.0)]


def test_empty_questions_match_nothing() -> None:
    assert index("？！").find(cores_asked([[""], ["。。"]])) == []
    assert index().find(cores_asked([["头痛怎么办"]])) == []
    assert index("头痛怎么办").find(cores_asked([])) == []


def test_slips_are_found_as_by_comparing_all_pairs() -> None:
    rng = random.Random(3)
    tests = ["".join(rng.choices(HAN, k=rng.randint(5, 30))) for _ in range(200)]
    train = []
    for text in tests:
        letters = list(text)
        for _ in range(rng.randint(1, 4)):
            place = rng.randrange(len(letters))
            letters[place] = rng.choice([rng.choice(HAN), "", letters[place] + rng.choice(HAN)])
        train.append("".join(letters))
    found = {(train[i], tests[j], edits) for i, j, edits in SlipIndex(tests, 3).find(train)}
    expected = set()
    for left in train:
        for right in tests:
            limit = (min(len(left), len(right)) >= 5) + (min(len(left), len(right)) >= 9) + (min(len(left), len(right)) >= 12)
            if 0 < (edits := distance(left, right)) <= limit and slipped(left, right):
                expected.add((left, right, edits))
    assert len(expected) > 50
    assert {triple for triple in found if triple[2]} == expected


def distance(left: str, right: str) -> int:
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        last, row[0] = row[0], i
        for j, b in enumerate(right, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (a != b))
    return row[-1]


def test_edits_allowed_grow_with_length() -> None:
    assert allowed(pl.Series([4, 5, 8, 9, 11, 12, 80]).to_numpy(), 3).tolist() == [0, 1, 1, 2, 2, 3, 3]
    assert allowed(pl.Series([80]).to_numpy(), 1).tolist() == [1]


@given(st.lists(st.text(alphabet="您好医生请问口臭怎么办吃什么药ABC. 、（）\n", max_size=30), max_size=4))
def test_a_record_has_the_cores_of_its_turns_in_any_company(turns: list[str]) -> None:
    alone = cores_of(pl.Series([turns], dtype=pl.List(pl.String)))
    together = cores_of(pl.Series([["头痛"], turns, []], dtype=pl.List(pl.String)))
    assert together[1].to_list() == alone[0].to_list()
    assert all(core["core"] == comparison_key(core["core"]) for core in alone[0].to_list())


def test_content_is_what_stands_outside_the_words_of_asking() -> None:
    assert [content_of(text) for text in ("口臭怎么办", "怎么办", "下列哪项不属于", "血小板23偏低")] == [2, 0, 0, 5]


def test_fingerprints_tell_which_questions_were_trained_on(tmp_path: Path) -> None:
    turns = pl.Series([["口臭怎么办"], ["孩子三岁", "发烧三十九度能吃布洛芬吗"]])
    fingerprints(pl.Series(["a", "b"]), cores_of(turns)).write_parquet(tmp_path / FILE)
    found = list(trained_on(tmp_path, index("发烧三十九度能吃布络芬吗", "痛风能喝酒吗")))
    assert found == [Trained("b", Match(1, "q0", "edited", found[0].match.similarity))]


def test_fingerprints_of_another_version_are_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="medasst prepare"):
        list(trained_on(tmp_path, index("头痛怎么办")))
    pl.DataFrame({"id": ["a"], "question_hash": ["b"], "minhash": [[1]]}).write_parquet(tmp_path / FILE)
    with pytest.raises(DataError, match=r"another version than 2.*medasst prepare"):
        list(trained_on(tmp_path, index("头痛怎么办")))
