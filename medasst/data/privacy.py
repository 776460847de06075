"""Personal data → placeholders: `[电话] [身份证] [邮箱] [微信] [QQ] [姓名] [地址]`.

Neighbours are spelt out (`(?<![0-9])`): a word boundary `\\b` sees none between a digit and a Han character, a letter or `_`.
Doses, blood pressure, dates, lab values and approval numbers (国药准字…) stay.
"""

from __future__ import annotations

import datetime
import re

import polars as pl

from medasst.conversation import JSON
from medasst.text import normalise

_HAN = "\u4e00-\u9fff"
_SAYS = r"[:：是为]?\s{0,2}"
_GAP = r"[-－—–\s]?"
# Cell counts are written out too: 13000000000/L is no telephone.
_NOT_MEASURE = r"(?![0-9])(?!\s?(?:/\s?(?:[Lluμµ]|m[Ll]|升|毫升)|个|单位|IU|U(?![A-Za-z])|copies|拷贝))"

_EMAIL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._%+-]*[@＠][A-Za-z0-9-]+(?:[.．][A-Za-z0-9-]+)*[.．][A-Za-z]{2,}")
_ID_CARD = re.compile(r"(?<![0-9])[1-9][0-9]{16}[0-9Xx](?![0-9])")
_ID_STATED = re.compile(rf"(身份证(?:号码|号)?{_SAYS})[1-9][0-9]{{13,17}}[0-9Xx](?![0-9])")
_QQ = re.compile(
    rf"((?:[Qq]{{2}}|扣扣|企鹅)(?:群|号码|号)?{_SAYS}|(?:我|加)的?扣{_SAYS}(?=[0-9]{{7}}))[1-9][0-9]{{4,11}}(?![0-9])"
)
_WECHAT = re.compile(
    rf"((?:微信|薇信|威信|wechat|weixin|(?<![A-Za-z])(?:vx|wx))(?:号码|号|ID)?(?:同号)?{_SAYS}(?:加|搜)?{_SAYS})"
    r"(?:[A-Za-z][-_A-Za-z0-9]{5,19}|[A-Za-z]+_[0-9]{1,12}|[0-9]{6,12})(?![-_A-Za-z0-9])",
    re.IGNORECASE,
)
_MOBILE = re.compile(rf"(?<![0-9])(?<![0-9]\.)(?:\+?86{_GAP})?1[3-9][0-9]{_GAP}[0-9]{{4}}{_GAP}[0-9]{{4}}{_NOT_MEASURE}")
_LANDLINE = re.compile(
    rf"(?<![0-9])(?<![0-9]\.)(?:[(（](?:010|02[0-9]|0[3-9][0-9]{{2}})[)）]{_GAP}|(?:010|02[0-9]|0[3-9][0-9]{{2}}){_GAP})"
    r"[2-8][0-9]{6,7}(?:[-转][0-9]{1,5})?(?![0-9])"
)
_SERVICE = re.compile(
    r"(?<![0-9])(?<![0-9]\.)[48]00(?:[-－—–\s]?[0-9]{3}[-－—–\s]?[0-9]{4}|[-－—–\s][0-9]{4}[-－—–\s][0-9]{3})" + _NOT_MEASURE
)
_STATED_PHONE = re.compile(
    rf"((?:电话|手机|热线|联系方式|[Tt][Ee][Ll])(?:号码|号)?{_SAYS})[0-9](?:{_GAP}[0-9]){{6,11}}(?![0-9])"
)

# The hundred commonest surnames and the double ones.
_SURNAME = (
    "(?:欧阳|司马|上官|诸葛|东方|皇甫|尉迟|公孙|慕容|令狐|[王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢"
    "蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文])"
)
_NAME_END = rf"(?=$|[^{_HAN}]|今年|女|男|的家属)"
_NAME_STATED = re.compile(rf"((?:姓名|患者名|联系人)\s?[:：]\s{{0,2}})[{_HAN}]{{2,4}}{_NAME_END}")
_RELATIVE = "(?:孩子|宝宝|女儿|儿子|妈妈|爸爸|母亲|父亲|老公|老婆|丈夫|妻子|她|他)"
_NAME_CALLED = re.compile(
    rf"((?:我叫|本人叫|名叫|名字叫|名字是|我的名字叫|{_RELATIVE}叫)做?)(?:{_SURNAME}|小|阿)[{_HAN}]{{1,2}}{_NAME_END}"
)
# After 我是 stand illnesses and roles far more often than names (我是高血压，我是孕妇).
_NAME_IS = re.compile(
    rf"((?:我是|本人是)){_SURNAME}(?![{_HAN}]?[病症炎痛癌血压糖龄妇症者人的了在想不有过是体疹疮肿员师工]|[{_HAN}]?生)[{_HAN}]{{1,2}}(?=[，,。；;！!]|今年)"
)

_REGION = (
    rf"(?:[{_HAN}]{{2,3}}(?:省|自治区))?(?:[{_HAN}]{{2,4}}[市州])?(?:[{_HAN}]{{1,4}}[区县])?(?:[{_HAN}]{{1,4}}(?:镇|乡|街道))?"
)
_NUMERALS = "一二三四五六七八九十百"
_ADDRESS = re.compile(
    rf"{_REGION}[{_HAN}]{{1,6}}(?:(?<![走通思半一上赶回套道网])路|街|大道|胡同|巷|弄)[东西南北中]?(?:段)?"
    rf"\s?(?:[0-9]{{1,5}}(?:-[0-9]{{1,4}})?|[{_NUMERALS}]{{1,4}})\s?[号弄]"
    r"(?:(?:院|楼)?\s?[0-9]{1,4}\s?(?:号楼|栋|幢|单元|楼|室|层|号))*"
)
_CANDIDATE = (
    r"[0-9]{5}|[0-9][-－—– ][0-9]|[@＠]|微信|薇信|威信|(?i:wechat|weixin|vx|wx|qq)|扣扣|企鹅"
    r"|姓名|患者名|联系人|我叫|名叫|名字|本人|我是|扣|[人子宝儿妈爸亲公婆夫她他]叫|[0-9一二三四五六七八九十百] ?[号弄]"
)
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def mask(text: str) -> str:
    """The text with personal data replaced; masking twice changes nothing more."""
    text = _EMAIL.sub("[邮箱]", text)
    text = _ID_STATED.sub(r"\1[身份证]", text)
    text = _ID_CARD.sub(lambda match: "[身份证]" if is_id_card(match[0]) else match[0], text)
    text = _WECHAT.sub(r"\1[微信]", text)
    text = _QQ.sub(r"\1[QQ]", text)
    text = _STATED_PHONE.sub(r"\1[电话]", text)
    for phone in (_MOBILE, _LANDLINE, _SERVICE):
        text = phone.sub("[电话]", text)
    for name in (_NAME_STATED, _NAME_CALLED, _NAME_IS):
        text = name.sub(r"\1[姓名]", text)
    return _ADDRESS.sub("[地址]", text)


def is_id_card(number: str) -> bool:
    """Whether 18 characters are a resident identity number: a real birth date and the check character of GB 11643-1999."""
    try:
        born = datetime.date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    check = sum(int(digit) * weight for digit, weight in zip(number, _WEIGHTS, strict=False)) % 11
    return 1900 <= born.year <= 2100 and "10X98765432"[check] == number[17].upper()


def mask_json(value: JSON) -> JSON:
    """The value with every text in it normalised and masked."""
    if isinstance(value, str):
        return mask(normalise(value))
    if isinstance(value, dict):
        return {key: mask_json(item) for key, item in value.items()}
    return [mask_json(item) for item in value] if isinstance(value, list | tuple) else value


def masked_series(texts: pl.Series) -> pl.Series:
    """`mask` on each text; only those that show a sign of personal data go through Python."""
    # A when/then would run the function on every row: Polars evaluates both branches.
    places = texts.str.contains(_CANDIDATE).fill_null(value=False).arg_true()
    return texts.scatter(places, [mask(text) for text in texts.gather(places)]) if len(places) else texts
