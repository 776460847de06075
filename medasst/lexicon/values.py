"""Numbers that a rule can use: age, weight, temperature, duration, blood pressure …"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

Quantity = Literal[
    "age_months",
    "weight_kg",
    "temperature",
    "hours",
    "systolic",
    "diastolic",
    "glucose",
    "hba1c",
    "haemoglobin",
    "pregnancy_weeks",
    "times",
    "oxygen",
    "pulse",
    "pills",
    "grams",
]

_N = r"(?:[0-9]+(?:\.[0-9]+)?|[零〇一二两俩三仨四五六七八九十百半]+)"
_SOME = rf"(?:[二两三四五六七八九]?十[几来多]|几十|好几|好些|好多|个把|几|数|多|{_N})"  # how many, also roughly
_BABY = "宝宝|宝贝|孩子|娃|婴儿|儿子|女儿|闺女|小孩|大宝|二宝|毛毛|小家伙|崽|囡囡|孙女|孙子|外孙|男婴|女婴|小宝"
_UNITS = {
    "分钟": 1 / 60,
    "小时": 1,
    "钟头": 1,
    "天": 24,
    "日": 24,
    "晚": 24,
    "宿": 24,
    "夜": 24,
    "周": 168,
    "星期": 168,
    "礼拜": 168,
    "月": 720,
    "年": 8760,
}
# Times that have no number: in hours, rather too short than too long.
_VAGUE = {
    "大半个月": 480,
    "大半年": 5760,
    "小半年": 2880,
    "大半天": 12,
    "好久": 1008,
    "很久": 1008,
    "好长时间": 1008,
    "好长一段时间": 1008,
    "很长时间": 1008,
    "挺长时间": 1008,
    "老长时间": 1008,
    "长期": 4380,
    "常年": 8760,
    "长年": 8760,
    "经年": 8760,
    "多年": 17520,
    "有年头了": 8760,
}
_SINCE = {
    "昨天": 24,
    "昨晚": 24,
    "昨夜": 24,
    "昨儿": 24,
    "前天": 48,
    "前晚": 48,
    "大前天": 72,
    "上周": 168,
    "上星期": 168,
    "上礼拜": 168,
    "上个月": 720,
    "上月": 720,
    "入冬": 720,
    "开春": 720,
    "年初": 2160,
    "年前": 1440,
    "去年": 4380,
    "前年": 8760,
}
_DIGITS = {c: float(n) for n, c in enumerate("零一二三四五六七八九")} | {"〇": 0.0, "两": 2.0, "俩": 2.0, "仨": 3.0, "半": 0.5}


class Value(NamedTuple):
    """A quantity told in a text: `number` in the unit of its name, `start:end` in the text that was read."""

    quantity: Quantity
    number: float
    start: int
    end: int


def number(text: str) -> float:
    """12, 十二, 二十五, 一百八十, 两, 半."""
    try:
        return float(text)
    except ValueError:
        pass
    if text == "半":
        return 0.5
    total = 0.0
    hundreds, hundred, rest = text.partition("百")
    if hundred:
        total += 100 * _DIGITS.get(hundreds, 1.0)
        text = rest.lstrip("零〇")
        if len(text) == 1 and rest and rest[0] not in "零〇" and text != "十":  # 一百八 is 180
            return total + 10 * _DIGITS.get(text, 0.0)
    tens, ten, ones = text.partition("十")
    if ten:
        return total + 10 * _DIGITS.get(tens[-1:] or "一", 1.0) + (_DIGITS.get(ones[:1], 0.0) if ones else 0.0)
    if len(text) > 1 and all(char in _DIGITS for char in text):  # 三八 (度)
        return total + float("".join(str(int(_DIGITS[char])) for char in text))
    return total + _DIGITS.get(text[-1:], 0.0)


_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("pressure", r"(?<![0-9.])(?P<a>[12][0-9]{2})[多几]?(?:/|-|、|／|,|，|的|比)(?P<b>[4-9][0-9]|1[0-6][0-9])(?![0-9])"),
        ("systolic", r"(?:血压|高压|收缩压)[^0-9一二，。]{0,6}(?P<a>[12][0-9]{2}|[一二]百[零一二两三四五六七八九十]*)"),
        ("diastolic", rf"(?:低压|舒张压)[^0-9一，。]{{0,4}}(?P<a>[0-9]{{2,3}}|{_N})"),
        ("pulse", r"(?:心率|心跳|脉[搏博率])[^0-9，。体温烧度]{0,8}(?P<a>[0-9]{2,3})(?![.0-9度岁天])"),
        (
            "temperature",
            r"(?<![0-9.])(?P<a>3[4-9]|4[0-3])(?:\.(?P<b>[0-9])|(?:度|°|c|℃)(?P<c>[0-9一二三四五六七八九半])?|(?P<bare>)(?![0-9./片粒mk岁周天个号块元毫斤小分时次码年月日页支盒多%-]))(?:度|°c?|℃)?",
        ),
        ("temperature_han", r"(?P<a>三十[四五六七八九]|四十[一二三]?|三[六七八九])度(?P<c>[一二三四五六七八九半])?"),
        (
            "glucose",
            r"(?:血糖(?!仪|试|计)|血糖仪(?:上|显示|测)|空腹|餐后|饭后|随机|测糖|(?<!血)糖(?![化尿浆果水])|糖[^。！？]{0,14}?测)[^0-9一二十，。！？]{0,8}(?P<a>[1-9][0-9]{2}(?=mg/dl)|[0-9]{1,2}(?:\.[0-9])?|[一二三]?十[一二三四五六七八九]?(?:点[一二三四五六七八九])?)(?P<mg>mg/dl)?(?![0-9/片粒k岁周天个号块元斤年条小分时次]|m(?!mol))|血糖[^，。]{0,6}(?P<high>hi(?![a-z])|爆表|测不出来高|高得测不出)",
        ),
        ("hba1c", r"(?:糖化|hba1c)(?:血红蛋白)?[^0-9，。]{0,6}(?P<a>[0-9]{1,2}(?:\.[0-9])?)(?![0-9片粒元块])"),
        (
            "haemoglobin",
            r"(?:(?<!糖化)血红蛋白|血色素|(?<![a-z])hgb|(?<![a-z])hb)[^0-9，。]{0,6}(?P<a>[0-9]{2,3})(?![0-9.片粒元块%]"
            r")",
        ),
        (
            "pregnancy",
            rf"(?:孕|怀孕|怀了|怀着?|孕期|怀(?:着|了|的)?(?:双胞胎|双胎|二胎|宝宝))(?P<a>{_N})(?:多)?(?P<u>周|个?月|w|星期|礼拜|天)|(?P<a2>{_N})周(?:孕|的孕)|孕(?P<t>早|中|晚)期|(?:大着肚子|肚子|怀孕|怀)(?P<a3>{_N})个?多?月",
        ),
        (
            "weight",
            rf"(?<![0-9.瘦轻了掉胖降减少涨零一二两三四五六七八九十])(?P<a>{_N})(?:公斤|千克|kg)|(?:体重|重)(?P<j>{_N})斤|(?<![瘦轻了掉胖重])(?P<j2>[0-9]{{2,3}})斤(?!药)",
        ),
        ("oxygen", r"(?:血氧|氧饱和)[^0-9，。]{0,6}(?P<a>[4-9][0-9]|100)"),
        ("age_years", rf"(?<![0-9])(?P<a>{_N})(?:周)?岁(?P<h>半)?(?P<m>[0-9一二三四五六七八九十]+个月)?(?!以[上下内])"),
        (
            "age_months",
            rf"(?P<a>{_N})个(?P<h>半)?多?月(?:零[0-9一二三四五六七八九十]+天)?(?:大|的?(?:{_BABY}))|(?P<a3>{_N})月龄|(?<!生完)(?<!生了)(?:{_BABY})(?:才|刚|现在|今年|都|快|他|她|满|差不多|只有|不到){{0,2}}(?P<a2>{_N})个(?P<h2>半)?多?月(?!前|没|了没)",
        ),
        (
            "age_days",
            rf"(?:出生|生下来|才|刚|宝宝|婴儿|娃)(?:才|刚|满)?(?P<a>[0-9]{{1,2}}|{_N})天(?:大|的(?:宝宝|孩子|娃|婴儿|毛毛))|(?:出生|生下来)(?:才|刚|满)?(?P<a2>{_N})多?天|(?P<a3>{_N})天(?:大的?|的(?:宝宝|婴儿|新生儿|毛毛|娃|小毛头))|(?:出生|生下来)(?P<a4>{_N})天|^(?P<a5>{_N})天(?=[，,])|小宝(?P<a6>{_N})天",
        ),
        (
            "age_word",
            r"(?<![没未])(?P<full>满月)|(?P<new>新生儿|[没未]满月|月子里的(?:娃|宝宝|孩子|毛毛|小毛头)|月娃|月毛毛|刚出生)"
            r"|(?:[没未]满|不到|不满)(?P<m3>[一二两三])个月",
        ),
        ("vague", "|".join(sorted(_VAGUE, key=len, reverse=True))),
        (
            "since",
            rf"(?:从|打|自)(?P<a>{'|'.join(_SINCE)})|(?P<b>{'|'.join(_SINCE)})[早下晚中半夜午上]{{0,2}}(?:就|才)?(?:开始|起(?![来床身夜]))",
        ),
        # Not how often in a time (一天三次, 每周两回), and not the years since something was over (三年前).
        (
            "hours",
            rf"(?<!每)(?<!每[周月天])(?<!一周)(?<!星期)(?<!礼拜)(?<![零一二两三四五六七八九十])(?P<a>{_SOME})(?:[-~—到至]{_N}(?=个?(?:小时|天|周|星期|礼拜|月|年)))?(?P<h>个半)?(?:个|来|多)?(?P<m>多)?"
            r"(?P<u>分钟|小时|钟头|天|日|晚|宿|夜|周|星期|礼拜|月(?![份底初0-9])|年(?!级|前(?!就|开始|发现|摸|起|出|查)))"
            r"(?P<h3>半)?(?!孕|大|度|月前(?!就|开始|发现|摸|起|出|查))(?P<often>[^，。！？,!?了]{0,4}?(?:[0-9一二两三四五六七八九十几]+|好几)多?(?:次|回|趟|遍|天|晚|顿))?",
        ),
        # What is left, bought or in a box was not taken.
        (
            "pills",
            rf"(?<![剩买有存屯囤装])(?<!剩下|还有|买了|开了|每盒|一盒)(?P<a>{_SOME})多?(?:片|粒|颗|丸|枚|针|贴)(?!装|一盒|/盒)",
        ),
        ("grams", r"(?P<a>[0-9]+(?:\.[0-9]+)?|[一二两三四五六七八九十]+)(?P<u>毫克|mg|克|g(?![a-z]))"),
        ("times", rf"(?P<a>{_SOME})(?:多)?(?:次|回|趟|遍)"),
    )
)


_MEASURED = frozenset({"pressure", "systolic", "diastolic", "temperature", "temperature_han", "glucose", "oxygen", "pulse"})
# Before a number: of water or weather, or only a bound.
_NOT_A_BODY = re.compile(
    r"(?:水温|气温|室温|室外|外面|户外|天气|空调|烤箱|奶温|水|天热|高温|锅|泡脚|冲奶|没到|不到|没超过|不超过|没过|未超过|低于|小于|别超过)[^，。！？]{0,3}$"
)
_WARM = re.compile(r"烧|热|温|退|量|测")
_UNDER = re.compile(r"不到|未满|没满|不满|差一?点|还没")


def values(text: str) -> Iterator[Value]:
    """Every quantity in a plain text (see `script.plain`), left to right by kind; of overlapping ones the first kind counts."""
    taken: list[tuple[int, int]] = []
    for name, pattern in _PATTERNS:
        for match in pattern.finditer(text):
            if any(start < match.end() and match.start() < end for start, end in taken):
                continue
            found = list(_of(name, match))
            if found:
                taken.append((match.start(), max(value.end for value in found)))
                yield from found


def _of(name: str, match: re.Match[str]) -> Iterator[Value]:
    start, end = match.span()
    given = match.groupdict()
    number_at = match.start("a") if given.get("a") else start
    if name in _MEASURED and _NOT_A_BODY.search(match.string[max(0, start - 8) : number_at]):
        return

    def value(quantity: Quantity, amount: float) -> Value:
        return Value(quantity, amount, start, end)

    def told(*keys: str) -> float:
        return number(next(given[key] for key in keys if given.get(key)))

    if name == "pressure":
        yield value("systolic", told("a"))
        yield value("diastolic", told("b"))
    elif name in ("systolic", "diastolic", "oxygen", "pulse", "hba1c", "haemoglobin"):
        yield value(name, told("a"))  # type: ignore[arg-type]
    elif name.startswith("temperature"):
        if (
            given.get("bare") is not None
            and not _WARM.search(match.string[max(0, start - 10) : start])
            and match.string != given["a"]
        ):
            return
        tenths = given.get("b") or given.get("c")
        yield value("temperature", told("a") + (0.5 if tenths == "半" else number(tenths) / 10 if tenths else 0.0))
    elif name == "glucose":
        if given["high"]:
            yield value("glucose", 33.3)
            return
        whole, _, tenths = given["a"].partition("点")
        yield value("glucose", (number(whole) + (number(tenths) / 10 if tenths else 0.0)) / (18 if given["mg"] else 1))
    elif name == "pregnancy":
        yield value("pregnancy_weeks", _weeks(given))
    elif name == "weight":
        yield value("weight_kg", told("a") if given["a"] else told("j", "j2") / 2)
    elif name == "age_years":
        months = 12 * told("a") + (6 if given["h"] else 0) + (number(given["m"][:-2]) if given["m"] else 0)
        yield value("age_months", months - (0.5 if _UNDER.search(match.string[max(0, start - 2) : end + 2]) else 0))
    elif name == "age_months":
        yield value("age_months", told("a", "a2", "a3") + (0.5 if given["h"] or given["h2"] else 0))
    elif name == "age_days":
        yield value("age_months", number(next(text for key, text in given.items() if text)) / 30.4)
    elif name == "age_word":
        yield value("age_months", 1.0 if given["full"] else 0.5 if given["new"] else number(given["m3"] or "3") - 0.5)
    elif name == "hours":
        if not (given["often"] and given["a"] in ("一", "1")):
            hours = (_several(given["a"]) + (0.5 if given["h"] or given["h3"] else 0)) * _UNITS[given["u"]]
            yield Value("hours", hours, start, match.start("often") if given["often"] else end)
    elif name == "vague":
        yield value("hours", _VAGUE[match[0]])
    elif name == "since":
        yield value("hours", _SINCE[given["a"] or given["b"] or ""])
    elif name == "grams":
        yield value("grams", told("a") / (1000 if given["u"] in ("毫克", "mg") else 1))
    else:
        yield value("pills" if name == "pills" else "times", _several(given["a"]))


def _several(text: str) -> float:
    """A number, or a word for some: 几 and 好几 are three, 十几 thirteen; of two digits (三四天) the first counts."""
    words = {"几": 3.0, "好几": 3.0, "好些": 3.0, "数": 3.0, "个把": 1.0, "好多": 5.0, "多": 2.0, "几十": 30.0}
    if text in words:
        return words[text]
    if len(text) == 2 and all(char in "一二两三四五六七八九" for char in text):
        text = text[0]
    return number(text.rstrip("多来几")) + (3.0 if text.endswith("十几") else 0.0)


def _weeks(given: dict[str, str | None]) -> float:
    if given["t"]:
        return {"早": 8.0, "中": 20.0, "晚": 32.0}[given["t"]]
    if given["a"]:
        per = {"周": 1.0, "w": 1.0, "星期": 1.0, "礼拜": 1.0, "天": 1 / 7}.get(given["u"] or "", 4.3)
        return number(given["a"]) * per
    return number(given["a2"]) if given["a2"] else number(given["a3"] or "0") * 4.3
