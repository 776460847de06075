"""Personal data is found beside any neighbour, and measurements are left alone."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medasst.data.privacy import is_id_card, mask, mask_json, masked_series

# What real texts put beside a number: Han, letters, underscore, punctuation, blanks, line ends.
NEIGHBOURS = st.sampled_from(
    ["", "我", "请打", "啊", "a", "Z", "_", "，", "。", "：", "(", "）", "-", "/", " ", "\n", "“", "【", "é", "~"]
)
MOBILES = st.builds(lambda head, tail: f"1{head}{tail:09d}", st.sampled_from("3456789"), st.integers(0, 999_999_999)).filter(
    lambda number: not number.endswith("000000")  # a count
)


@given(NEIGHBOURS, MOBILES, NEIGHBOURS)
def test_mobile_number_is_masked_beside_any_neighbour(before: str, number: str, after: str) -> None:
    text = mask(before + number + after)
    assert number not in text
    assert "[电话]" in text


@given(st.sampled_from("123456789"), MOBILES)
def test_longer_number_is_no_mobile_number(digit: str, number: str) -> None:
    assert mask(digit + number) == digit + number


@given(st.lists(MOBILES, min_size=2, max_size=4), st.sampled_from([",", "，", "、", " ", "/", "或"]))
def test_numbers_that_share_a_neighbour_are_all_masked(numbers: list[str], between: str) -> None:
    text = mask("电话" + between.join(numbers) + "。")
    assert not any(number in text for number in numbers)


@st.composite
def id_cards(draw: st.DrawFn) -> str:
    region, year, month = draw(st.integers(110000, 659000)), draw(st.integers(1950, 1999)), draw(st.integers(1, 12))
    day, serial = draw(st.integers(1, 28)), draw(st.integers(0, 999))
    body = f"{region}{year}{month:02d}{day:02d}{serial:03d}"
    weights = [2 ** (17 - i) % 11 for i in range(17)]
    return body + "10X98765432"[sum(int(d) * w for d, w in zip(body, weights, strict=True)) % 11]


@given(NEIGHBOURS, id_cards(), NEIGHBOURS)
def test_identity_number_with_a_right_check_digit_is_masked(before: str, number: str, after: str) -> None:
    assert is_id_card(number)
    assert mask(before + number + after) == before + "[身份证]" + after


@given(id_cards())
def test_identity_number_with_a_wrong_check_digit_is_masked_by_its_place_and_date_of_birth(number: str) -> None:
    wrong = "35" + number[2:-1] + ("0" if number[-1] != "0" else "1")
    assert mask(f"编号{wrong}") == "编号[身份证]"


@given(id_cards(), st.integers(13, 99))
def test_a_number_without_a_date_of_birth_is_no_identity_number(number: str, month: int) -> None:
    other = number[:10] + str(month) + number[12:]
    assert "[身份证]" not in mask(f"编号{other}")


# Beside a number or an id only what can't be part of it.
BESIDE = NEIGHBOURS.filter(lambda s: not s.isascii() or s in " ,()/\n~")


@given(BESIDE, st.sampled_from(["QQ", "qq：", "QQ号是", "扣扣", "加QQ "]), st.integers(10_000, 10**11), BESIDE)
def test_qq_number_is_masked_beside_any_neighbour(before: str, stated: str, number: int, after: str) -> None:
    assert mask(f"{before}{stated}{number}{after}") == f"{before}{stated}[QQ]{after}"


@given(
    BESIDE,
    st.sampled_from(["微信", "微信号", "微信：", "微信号是", "加微信 ", "VX:"]),
    st.from_regex(r"[a-pr-z][a-z0-9_]{6,12}", fullmatch=True),  # q123456 would be taken for QQ
    BESIDE,
)
def test_wechat_id_is_masked_beside_any_neighbour(before: str, stated: str, name: str, after: str) -> None:
    assert mask(f"{before}{stated}{name}{after}") == f"{before}{stated}[微信]{after}"


@given(
    BESIDE,
    st.sampled_from(["010-", "(021)", "0755-", "0371 ", "0571", "（028）"]),
    st.integers(20_000_000, 89_999_999),
    BESIDE.filter(lambda s: s != "-"),
)
def test_landline_number_is_masked_beside_any_neighbour(before: str, area: str, number: int, after: str) -> None:
    assert mask(f"{before}{area}{number}{after}") == f"{before}[电话]{after}"


@given(
    BESIDE,
    st.sampled_from(["身份证", "身份证号：", "身份证号码是"]),
    st.from_regex(r"[1-9][0-9]{14}([0-9]{2}[0-9X])?", fullmatch=True),
    BESIDE,
)
def test_a_stated_identity_number_is_masked_whatever_its_check_digit(before: str, stated: str, number: str, after: str) -> None:
    assert mask(f"{before}{stated}{number}{after}") == f"{before}{stated}[身份证]{after}"


@given(
    st.sampled_from(["，", "。", " ", "\n", "；"]),
    st.sampled_from(["姓名：", "我叫", "本人叫", "名字叫", "女儿叫"]),
    st.sampled_from(["王芳", "李小明", "欧阳小丽"]),
    st.sampled_from(["，", "。", " ", "\n", "；", "", "(", "1"]),
)
def test_a_stated_name_is_masked_beside_any_neighbour(before: str, stated: str, name: str, after: str) -> None:
    assert mask(before + stated + name + after) == before + stated + "[姓名]" + after


@given(
    st.sampled_from(["一次", "血压", "空腹", "，", "", "(", "约"]),
    st.one_of(
        st.builds("{}mg".format, st.integers(1, 99_999)),
        st.builds("{}/{}mmHg".format, st.integers(80, 250), st.integers(40, 150)),
        st.builds("{}-{}ml".format, st.integers(100, 9_999), st.integers(100, 9_999)),
        st.builds("{:d}年{:d}月{:d}日".format, st.integers(1950, 2030), st.integers(1, 12), st.integers(1, 31)),
        st.builds("{:d}-{:02d}-{:02d}".format, st.integers(1950, 2030), st.integers(1, 12), st.integers(1, 31)),
        st.builds("国药准字{}{:08d}".format, st.sampled_from("HZSBJ"), st.integers(10_000_000, 99_999_999)),
        st.builds("{:.1f}×10^{}/L".format, st.floats(0.1, 99), st.integers(3, 12)),
        st.builds("{}IU/ml".format, st.integers(1, 10**9)),
    ),
    st.sampled_from(["，", "。", "左右", "", ")", " "]),
)
def test_doses_dates_and_values_are_not_masked(before: str, value: str, after: str) -> None:
    assert mask(before + value + after) == before + value + after


@given(
    NEIGHBOURS.filter(lambda s: not s.isascii() or not s.isalnum()), NEIGHBOURS.filter(lambda s: not s.isascii() or s in " ,\n")
)
def test_mail_address_is_masked_beside_any_neighbour(before: str, after: str) -> None:
    assert mask(f"{before}zhang.san@example.com.cn{after}") == f"{before}[邮箱]{after}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("加我微信abc_12345聊", "加我微信[微信]聊"),
        ("微信号：wxid123456", "微信号：[微信]"),
        ("QQ：123456789，在线", "QQ：[QQ]，在线"),
        ("扣扣12345678", "扣扣[QQ]"),
        ("电话010-62345678转", "电话[电话]转"),
        ("打(0755)23456789", "打[电话]"),
        ("400-820-1234咨询", "[电话]咨询"),
        ("+86 138-0013-8000", "[电话]"),
        ("我叫王小明，今年30岁", "我叫[姓名]，今年30岁"),
        ("姓名：欧阳修 性别男", "姓名：[姓名] 性别男"),
        ("我是李明，想问一下", "我是[姓名]，想问一下"),
        ("住在朝阳区建国路88号3单元", "[地址]"),
        ("在葡萄街八号", "[地址]"),
        ("需要的加我扣1234567890了解", "加我扣[QQ]了解"),
        ("打075523456789", "打[电话]"),
        ("打0755 23456789", "打[电话]"),
        ("我叫小芳，今年8岁", "我叫[姓名]，今年8岁"),
        ("孩子叫王小宝，发烧", "孩子叫[姓名]，发烧"),
        ("微信号wx_12345", "微信号[微信]"),
        ("身份证11010119800307234X", "身份证[身份证]"),  # stated, though the check character is wrong
        ("身份证号是110101800307234", "身份证号是[身份证]"),  # the old form of 15 digits
    ],
)
def test_other_kinds(text: str, expected: str) -> None:
    assert expected in mask(text)


@pytest.mark.parametrize(
    "text",
    [
        "一次0.3克，一日3次，24小时不超过4次",
        "血压120/80mmHg，心率72次/分",
        "2024年10月15日复查，2023-12-01出院",
        "国药准字H20123456，国药准字Z11020001",
        "谷丙转氨酶40U/L，血糖5.6-7.8mmol/L",
        "白细胞13000000000/L",
        "青霉素16000000000单位",
        "乙肝病毒DNA 15000000000copies/ml",
        "我是高血压，我是孕妇，我是白血病患者",
        "我是黄体功能不足，怎么办",
        "我是程序员，颈椎不好",
        "我是高三学生，我是于昨天住院的",
        "现在能走路10号复查，信号通路3号蛋白",
        "1号床，二号楼",
        "宝宝叫的声音很大，孩子叫肚子疼",
        "扣除50元，纽扣电池，加扣20分",
        "乙肝病毒 4.13×10^7，HBV-DNA 41350000",
        "rs61805159 位点",
        "商品条码6901234567892",
        "建立静脉通路2条，每分钟60滴",
    ],
)
def test_measurements_and_roles_stay(text: str) -> None:
    assert mask(text) == text


@pytest.mark.parametrize("number", ["622.8250.897x.3426.6293", "430103X（哈）19820914（哈）303"])
def test_an_x_amid_a_number_that_is_taken_apart_makes_it_none(number: str) -> None:
    assert "[身份证]" not in mask(f"身份证是{number}")


@given(st.text(alphabet="0123456789-@.abQq微信电话：:我是叫王明，路号 a_", max_size=60))
def test_masking_twice_changes_nothing_more(text: str) -> None:
    assert mask(mask(text)) == mask(text)


@given(st.lists(st.text(alphabet="0123456789-@.comQq微信电话：我是叫李明，路号姓名 _", max_size=40), min_size=1, max_size=5))
def test_the_column_equals_the_function(texts: list[str]) -> None:
    assert masked_series(pl.Series(texts)).to_list() == [mask(text) for text in texts]


def test_values_inside_json_are_masked() -> None:
    assert mask_json({"tel": ["13800138000"], "n": 3, "in": {"a": "QQ123456"}}) == {
        "tel": ["[电话]"],
        "n": 3,
        "in": {"a": "QQ[QQ]"},
    }
