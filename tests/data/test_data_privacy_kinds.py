"""Every kind of personal data, plain and disguised, in sentences around it; and what only looks like it."""

from __future__ import annotations

import importlib.util
import json
import random
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medasst.data.privacy import mask, masked_series
from medasst.data.privacy.names import is_name
from medasst.data.privacy.signs import Group, signs
from medasst.text import normalise

SUITE = Path(__file__).parents[2] / "benchmarks" / "privacy.jsonl"
LINES = [json.loads(line) for line in SUITE.read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def corpus() -> ModuleType:
    spec = importlib.util.spec_from_file_location("corpus", SUITE.with_name("corpus.py"))
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["corpus"] = module
    spec.loader.exec_module(module)
    return module


def is_right(line: dict[str, str]) -> bool:
    text = normalise(line["text"])
    masked = mask(text)
    return normalise(line["secret"]) not in masked if "secret" in line else masked == text


@pytest.mark.parametrize(
    ("suite", "of_all", "of_each_kind"),
    [("found", 0.97, 0.85), ("independent", 0.97, 0.85), ("third", 0.93, 0.75), ("fourth", 0.97, 0.85), ("opened", 0.97, 0.85)],
)
def test_recall_of_the_suites(suite: str, of_all: float, of_each_kind: float) -> None:
    right: dict[str, list[bool]] = defaultdict(list)
    for line in LINES:
        if line["suite"] == suite and "secret" in line:
            right[line["kind"]].append(is_right(line))
    everything = [each for kind in right.values() for each in kind]
    assert sum(everything) >= of_all * len(everything)
    assert all(sum(kind) >= of_each_kind * len(kind) for kind in right.values() if len(kind) > 4)


@pytest.mark.parametrize("line", [line for line in LINES if "secret" not in line], ids=lambda line: line["text"])
def test_what_must_stay_stays(line: dict[str, str]) -> None:
    assert mask(normalise(line["text"])) == normalise(line["text"])


def test_a_column_of_the_suites_equals_the_function() -> None:
    texts = [normalise(line["text"]) for line in LINES]
    assert masked_series(pl.Series(texts)).to_list() == [mask(text) for text in texts]


def test_a_column_of_planted_secrets_equals_the_function(corpus: ModuleType) -> None:
    r = random.Random(11)
    texts = [normalise(f"{corpus.secret(r, kind).told}。") for kind in corpus.secret_kinds() for _ in range(100)]
    masked = masked_series(pl.Series(texts)).to_list()
    assert [(text, mask(text)) for text in texts] == list(zip(texts, masked, strict=True))


def test_a_column_finds_names_of_rare_letters() -> None:
    texts = ["孩子李郗芳", "患者沈逄涛，男", "麻淑逯医生您好"]
    assert masked_series(pl.Series(texts)).to_list() == ["孩子[姓名]", "患者[姓名]，男", "[姓名]医生您好"]


def test_the_patterns_of_a_column_fit_into_the_cache_of_polars() -> None:
    """Which keeps 32 of a thread; one more and all would be compiled anew for every column."""

    def patterns(groups: Iterable[Group]) -> set[str]:
        return {pattern for group in groups for pattern in {*group.patterns, *patterns(group.then)}}

    assert len(patterns(signs())) <= 32


# ---- numbers in disguise -----------------------------------------------------------------------------------------------

HAN, CAPITAL, CIRCLED = "零一二三四五六七八九", "零壹贰叁肆伍陆柒捌玖", "⓪①②③④⑤⑥⑦⑧⑨"


def written(signs: str) -> Callable[[str], str]:
    return lambda digits: digits.translate(str.maketrans("0123456789", signs))


def grouped(sign: str, *sizes: int) -> Callable[[str], str]:
    def parts(digits: str) -> str:
        cuts = [0]
        for size in sizes:
            cuts.append(cuts[-1] + size)
        return sign.join(digits[first:last] for first, last in zip(cuts, [*cuts[1:], len(digits)], strict=True))

    return parts


SEPARATORS = st.sampled_from(["-", " ", ".", "·", "/", "_", "*", "~", "—", "•", "★", "|", "+", "=", " - ", "**", "😊"])
EVERY_DIGIT = st.sampled_from([" ", "-", ".", "·", "*", "_"]).map(lambda sign: sign.join)
ALPHABETS = st.sampled_from([written(HAN), written(CAPITAL), written(CIRCLED), written("０１２３４５６７８９")])
MIXED = st.lists(st.booleans(), min_size=18, max_size=18).map(
    lambda han: lambda digits: "".join(HAN[int(d)] if h and d.isdigit() else d for d, h in zip(digits, han, strict=False))
)
WORDS = st.sampled_from(["（不要）", "（骚扰）", "空格", "哈", "【去掉】"])
MOBILES = st.from_regex(r"1[3-9][1-9]{9}", fullmatch=True)
BEFORE = st.sampled_from(["我电话", "手机号：", "打", "急！", "麻烦联系", "", "有事"])
AFTER = st.sampled_from(["，谢谢", "。", "", "这是我手机", "（晚上打）", "，头晕三天"])


@given(BEFORE, MOBILES, st.one_of(SEPARATORS.map(lambda s: grouped(s, 3, 4)), EVERY_DIGIT, ALPHABETS, MIXED), AFTER)
def test_mobile_numbers_in_disguise(before: str, number: str, disguise: Callable[[str], str], after: str) -> None:
    value = normalise(disguise(number))
    assert value not in mask(f"{before}{value}{after}")


@given(MOBILES, WORDS, WORDS)
def test_mobile_numbers_with_words_between(number: str, first: str, second: str) -> None:
    value = f"{number[:3]}{first}{number[3:7]}{second}{number[7:]}"
    assert value not in mask(f"我电话{value}，去掉中间的字")


@st.composite
def identities(draw: st.DrawFn) -> str:
    region, year = draw(st.sampled_from([110101, 350203, 430103, 510107])), draw(st.integers(1940, 2019))
    month, day, serial = draw(st.integers(1, 12)), draw(st.integers(1, 28)), draw(st.integers(1000, 9999))
    return f"{region}{year}{month:02d}{day:02d}{serial}"


@given(
    st.sampled_from(["身份证", "我的身份证号是", "证件号：", "实名"]),
    identities(),
    st.one_of(SEPARATORS.map(lambda s: grouped(s, 6, 8)), st.sampled_from([" ", "-"]).map(lambda s: s.join), ALPHABETS, MIXED),
)
def test_identity_numbers_in_disguise(before: str, number: str, disguise: Callable[[str], str]) -> None:
    value = normalise(disguise(number))
    assert value not in mask(f"{before}{value}，查一下医保")


@given(
    st.sampled_from(["QQ", "qq：", "扣扣", "企鹅号", "球球", "加Q", "Q Q：", "蔻蔻 ", "我的QQ号是"]),
    st.from_regex(r"[1-9][1-9]{6,9}", fullmatch=True),
    st.one_of(
        st.just(str),
        SEPARATORS.filter(lambda s: s not in {" - ", "😊", "**"}).map(lambda s: grouped(s, 3, 3)),
        ALPHABETS,
        MIXED,
    ),
)
def test_qq_numbers_in_disguise(before: str, number: str, disguise: Callable[[str], str]) -> None:
    value = normalise(disguise(number))
    assert value not in mask(f"{before}{value}，发片子")


@given(
    st.sampled_from(["微信", "微信号：", "vx ", "V信", "薇信", "威❤信", "微 信 ", "wei xin：", "加我微信", "卫星号", "徽信"]),
    st.from_regex(r"[a-z]{3,8}(_|-|下划线)?[0-9]{2,5}", fullmatch=True),
    st.sampled_from(["，祛痘", " 免费", "", "。"]),
)
def test_wechat_accounts_in_disguise(before: str, account: str, after: str) -> None:
    assert account not in mask(f"{before}{account}{after}")


@given(
    st.from_regex(r"[a-z]{4,9}[0-9]{0,4}", fullmatch=True),
    st.sampled_from(["@", "(at)", "艾特", "#", " at ", "圈a", "[at]", " @ "]),
    st.sampled_from(["163", "qq", "gmail", "foxmail"]),
    st.sampled_from([".com", "点com", "。com", " dot com", " . com"]),
)
def test_mail_addresses_in_disguise(local: str, at: str, host: str, top: str) -> None:
    assert local not in mask(f"报告发{local}{at}{host}{top}，谢谢")


NAMES = st.builds(
    "{}{}".format,
    st.sampled_from(["王", "李", "周", "徐", "郑", "韩", "欧阳", "司徒", "诸葛", "闫", "肖", "亓", "仇", "阚"]),
    st.sampled_from(["秀英", "建国", "子轩", "梓涵", "雨桐", "志强", "淑珍", "浩然", "丽", "伟"]),
)
TOLD = st.sampled_from(
    [
        "患者{}，女",
        "姓名：{} 男",
        "我叫{}，",
        "我女儿{}今年六岁",
        "{}医生您好",
        "感谢{}主任",
        "收件人{}，",
        "家属签名：{}",
        "{}，男，45岁，",
        "孩子叫{}。",
        "我妈{}，",
    ]
)


@given(TOLD, NAMES)
def test_names_after_cues_and_before_titles(told: str, name: str) -> None:
    assert name not in mask(told.format(name))


@given(NAMES, st.sampled_from(["*", "·", ".", " ", "-", "_"]))
def test_names_with_signs_between_their_letters(name: str, sign: str) -> None:
    assert sign.join(name) not in mask(f"患者姓名：{sign.join(name)}，来复查")


@pytest.mark.parametrize("name", ["买买提·吐尔逊", "阿依古丽 ‧ 艾山", "卓玛央金", "巴特尔", "额尔德尼", "努尔兰•哈德尔"])
def test_names_of_other_peoples(name: str) -> None:
    assert name not in mask(f"患者{name}，产后") and name not in mask(f"我叫{name}。")


@pytest.mark.parametrize(
    "word", ["高血压", "安静", "阳虚", "雷公藤", "黄芪", "毛囊炎", "白领", "何首乌", "常年", "陈皮", "牛黄", "任何", "高中生"]
)
def test_words_that_begin_with_a_surname_are_no_names(word: str) -> None:
    assert not is_name(word)
    assert mask(f"患者{word}，我是{word}") == f"患者{word}，我是{word}"


@given(
    st.from_regex(r"1[3-9][1-9]{9}", fullmatch=True),
    st.sampled_from(
        [
            ("前三位", "，中间四位是", "，最后四位"),
            ("开头是", "，后面是", "，再后面是"),
            ("先记", "接着", "尾巴"),
            ("", "然后", "然后"),
        ]
    ),
    st.sampled_from([str, written(HAN), written(CIRCLED)]),
)
def test_mobile_numbers_told_in_parts(number: str, words: tuple[str, str, str], disguise: Callable[[str], str]) -> None:
    groups = [disguise(number[:3]), disguise(number[3:7]), disguise(number[7:])]
    masked = mask("我电话" + "".join(word + group for word, group in zip(words, groups, strict=True)) + "，谢谢")
    assert not any(group in masked for group in groups)


@given(
    st.sampled_from(["🐧", "🐧：", "加🐧", "QQ裙", "企鹅群号"]),
    st.from_regex(r"[1-9][1-9]{6,9}", fullmatch=True),
    st.sampled_from([str, written(CIRCLED), written(HAN)]),
)
def test_pictures_and_slang_tell_accounts(cue: str, number: str, disguise: Callable[[str], str]) -> None:
    assert disguise(number) not in mask(f"{cue}{disguise(number)}，发报告")


@pytest.mark.parametrize("letters", ["Ⓐⓑ12_x9", "🅰🅱12_x9", "āb12_x9", "𝐚𝐛12_x9"])
def test_letters_of_other_alphabets_and_in_circles_are_letters(letters: str) -> None:
    assert letters not in mask(f"微信：{letters}")


def test_a_name_that_a_cue_tells_goes_wherever_it_stands_again() -> None:
    assert mask("患者王建国，男。王建国昨夜发热，建国路上堵车") == "患者[姓名]，男。[姓名]昨夜发热，建国路上堵车"


# ---- what only looks like it -------------------------------------------------------------------------------------------

COUNTS = st.integers(10**6, 2 * 10**10)


@given(
    st.sampled_from(["活菌", "双歧杆菌", "干扰素", "白细胞", "HBV-DNA ", "每袋含"]),
    COUNTS,
    st.sampled_from(["CFU", " cfu/g", "IU/ml", "个/L", "/L", "copies/ml", "单位", "U", "拷贝"]),
)
def test_counts_are_no_telephones(before: str, count: int, unit: str) -> None:
    assert mask(f"{before}{count}{unit}") == f"{before}{count}{unit}"


@given(
    st.sampled_from(["批号", "生产批号：", "LOT ", "国药准字H", "国药准字Z", "注册证号H", "备案号", "PMID ", "NCT"]),
    st.integers(10**7, 10**8 - 1),
)
def test_numbers_of_things_stay(before: str, number: int) -> None:
    assert mask(f"{before}{number}，说明书") == f"{before}{number}，说明书"


@given(st.sampled_from(["120", "110", "119", "12320", "12356", "12345", "12355", "114", "400-161-9995", "010-82951332"]))
def test_numbers_that_everybody_should_know_stay(number: str) -> None:
    for text in (f"请拨打{number}", f"心理援助热线{number}", f"打{number}，别耽误"):
        assert mask(text) == text


@given(
    st.integers(1, 60),
    st.integers(1, 31),
    st.sampled_from(["号染色体", "号方", "号淋巴结", "号线", "号冷库", "号诊室", "号生的", "号位点"]),
)
def test_numbered_things_are_no_addresses(number: int, day: int, thing: str) -> None:
    text = f"胰头区{number}{thing}，旁路{day}号，通路{day}号方案"
    assert mask(text) == text


@pytest.mark.parametrize(
    "motif",
    [
        "1 ",
        "1",
        "1.2",
        "a",
        "a_1",
        "12-34-",
        "一二三四",
        "6222 0",
        "QQ ",
        "1哈3",
        "阿·",
        "(1",
        "小姓名",
        "赵 ",
        "姓李，",
        "路a号",
        "微信a.",
        "生2001.1.1",
        "我叫l i ",
        "QQ，1 ",
        "x.com/u/",
        "卡面的",
    ],
)
def test_long_rows_of_one_thing_come_to_an_end(motif: str) -> None:
    """Patterns that match in many ways would take hours for these."""
    assert len(mask(motif * 1000)) <= 6 * len(motif) * 1000
