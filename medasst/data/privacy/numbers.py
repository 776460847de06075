"""Secrets made of digits: telephones, identity numbers and papers, hospital numbers, bank cards, plates."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from functools import lru_cache

from medasst.data.privacy.recogniser import HAN, NUMERALS, SEPARATORS, SIGNS, Recogniser, View, always, any_of, led_by, words

_WORDS = words()["numbers"]
# What people put between the digits of a number. Commas and stops part numbers from each other.
_GAP = rf"(?:[{SEPARATORS}]{{0,5}}|\]\[)"  # matches in one way only, or long rows of digits take for ever
_NARROW = r"[-－—–\s.·]?"
_END = r"(?![0-9])"
_UNIT = (
    r"(?!\s?(?:/\s?(?:[Lluμµ]|m[Ll]|升|毫升|[gG克袋片粒])|个|单位|[Ii][Uu]|U(?![A-Za-z])|[Cc][Oo][Pp][Ii][Ee][Ss]|拷贝|[Cc][Ff][Uu]|亿|万|元"
    r"|[mμ]?g(?![A-Za-z])|m[Ll](?![A-Za-z])|毫|活菌))"
)
_BEGIN = r"(?<![0-9])(?<![0-9]\.)(?<![A-Za-z]-)"


def _begun(first: str) -> str:
    """`_BEGIN` and a first digit, which stands before it so that Python searches for that alone."""
    return rf"{first}(?<![0-9].)(?<![0-9]\..)(?<![A-Za-z]-.)"


_LINK = r"(?:号码|编[号码]|条码|号|码|[Ii][Dd]|[Nn][Oo][.．]?|是|为|[:：=＝→>\s#“\"'‘【「（(\ufe0f]|就是|的|尾号|填|写|呢"
_LINK += r"|[，,、]\s?(?=证?件?(?:号|编号))){0,5}"
# What is counted or traded, no person: batches, approvals, books.
_THING = re.compile(
    r"(?:批号|批次|批准文号|[Ll][Oo][Tt]|[Bb]atch|货号|商品条码|药品条码|商品码|监管码|追溯码|国药准字|准字|注册证|注册号|备案号|备案|许可证|机构|ISBN|ISSN|DOI|PMID|NCT|页"
    r"|经营许可|生产许可|标准号|型号|版本|效价|活菌数?|含量|乳杆菌|乳酸菌|双歧杆菌|拷贝|[Cc]opies|[Cc][Aa][Ss])(?:编?号|码)?(?:为|是)?[\s:：(（A-Za-z.]*$"
)
_PHONE_CUE = re.compile(
    r"电话|手机|联系|号码|致电|来电|拨|打|微信|[Tt][Ee][Ll]|[Pp]hone|[Cc]all|短信|咨询|找我|加我|热线|同号|呼|本机|移动|联通|电信|[Mm]obile|☎|📞|📱|📲|☏|🤙|📟|我的?号|留.?号|V|v"
)
_MIDDLE = r"(?:[（(【][^）)】0-9]{1,6}[）)】]|接着|还有|然后|再|接着|后面是?|中间是?|最后是?|空格?|杠|横杠?|减|加|点|跟|和|到)"
_FAR = rf"{_GAP}(?:{_MIDDLE}{_GAP})?"
_LOOSE = re.compile(rf"[0-9](?:{_FAR}[0-9])*")
_LONG = r"0?1{g}[3-9](?:{g}[0-9]){{9}}"


def _digits(text: str) -> str:
    return re.sub(r"[^0-9Xx]", "", text)


def _is_mobile(text: str) -> bool:
    """Whether digits with gaps are parted as a telephone number would be."""
    number = _digits(text)[-11:]
    if number.endswith("000000") and not _gaps(text):
        return False  # a count
    return _evenly(text)


def _gaps(text: str) -> list[str]:
    return [gap.strip() or " " for gap in re.findall(r"[^0-9]+", text.strip())]


def _evenly(text: str) -> bool:
    groups = [len(group) for group in re.findall(r"[0-9]+", text)]
    if len(groups) > 1 and sum(groups) > 11:
        groups = groups[1:] if groups[0] <= 4 and sum(groups[1:]) == 11 else groups
    gaps = set(_gaps(text)[-(len(groups) - 1) :]) if len(groups) > 1 else set()
    if len(groups) <= 2 or len(groups) >= 9:
        return len(groups) <= 2 or len(gaps) <= 4
    return len(gaps) == 1 and all(size >= 2 for size in groups)


@lru_cache(maxsize=16)
def longest(text: str) -> int:
    """Of all numbers in a view, with whatever stands between their digits, the digits of the longest."""
    most = 0
    for number in _LOOSE.findall(text):
        if len(number) > most:
            most = max(most, len(_digits(number)))
    return most


# ---- identity numbers ------------------------------------------------------------------------------------------------

_PROVINCES = {*range(11, 16), *range(21, 24), *range(31, 38), *range(41, 47), *range(50, 55), *range(61, 66), 71, 81, 82, 83}
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def _is_date(year: int, month: int, day: int) -> bool:
    try:
        return 1900 <= datetime.date(year, month, day).year <= 2099
    except ValueError:
        return False


def is_id_card(number: str) -> bool:
    """Whether 18 characters are a resident identity number: a real birth date and the check character of GB 11643-1999."""
    if not _is_date(int(number[6:10]), int(number[10:12]), int(number[12:14])):
        return False
    check = sum(int(digit) * weight for digit, weight in zip(number, _WEIGHTS, strict=False)) % 11
    return "10X98765432"[check] == number[17].upper()


def like_id_card(text: str) -> bool:
    """A slip of one digit makes the check character wrong and leaves a person's number: place and birth date are enough."""
    number = _digits(text.replace("×", "X"))
    if not re.fullmatch("[0-9]{17}[0-9Xx]", number):
        return False
    born = int(number[6:10]), int(number[10:12]), int(number[12:14])
    return is_id_card(number) or (int(number[:2]) in _PROVINCES and _is_date(*born))


def like_old_id_card(text: str) -> bool:
    """Whether 15 digits are a number of before 1999: a province and a birth date."""
    number = _digits(text)
    return (
        number.isdigit()
        and int(number[:2]) in _PROVINCES
        and _is_date(1900 + int(number[6:8]), int(number[8:10]), int(number[10:12]))
    )


def _like_even_old_id_card(text: str) -> bool:
    return len(set(_gaps(text))) < 2 and like_old_id_card(text)


# ---- cards -----------------------------------------------------------------------------------------------------------


def is_luhn(number: str) -> bool:
    """Whether the digits pass the check of ISO/IEC 7812 (Luhn)."""
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(number))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def _is_card(text: str) -> bool:
    number = _digits(text)
    if len(set(_gaps(text))) > 1:
        return False  # 36.8 37.2 38.5 39.1
    union = number.startswith("62") and (len(_gaps(text)) >= 3 or is_luhn(number))
    return union or (number[0] in "3456" and is_luhn(number) and not number.endswith("00000"))


# ---- telephones ------------------------------------------------------------------------------------------------------

_PUBLIC = {re.sub(r"\D", "", number) for number in _WORDS["public"].split()}
_PUBLIC_CONTEXT = re.compile(rf"(?:{_WORDS['public_lines']})[^，。；\n]{{0,12}}$")
_NO_LANDLINE = re.compile(f"(?:{_PUBLIC_CONTEXT.pattern})|(?:{_THING.pattern})")


def is_private(text: str) -> bool:
    """Whether a telephone number isn't one of those that everybody is meant to know."""
    return re.sub(r"\D", "", text) not in _PUBLIC


def _is_stated_phone(text: str) -> bool:
    number = _digits(text)
    return 7 <= len(number) <= 14 and number not in _PUBLIC


def _is_service(text: str) -> bool:
    """Whether a number with 400 or 800 in front is none of those and no range: 40000-60000."""
    return is_private(text) and not re.fullmatch("[0-9]{5}[^0-9]+[0-9]{5}", text)


def is_landline(number: str) -> bool:
    """Whether the digits are those of a landline telephone with its area."""
    return re.fullmatch(rf"0{_AREA}[2-8][0-9]{{6,7}}", number) is not None


def _is_parted_landline(text: str) -> bool:
    """Whether single digits with gaps are one: 0-1-0-6-2-…."""
    return len(re.findall(r"[0-9]+", text)) >= 9 and is_landline(_digits(text)) and _evenly(text)


_AREA = r"(?:10|2[0-9]|[3-9][0-9]{2})"
_AREA_DIGITS = rf"(?:1{_GAP}0|2{_GAP}[0-9]|[3-9]{_GAP}[0-9]{_GAP}[0-9])"
_CALLED = (
    r"(?:座机|固话|固定电话|家里电话|宅电|办公室?电话|电\s?话|手\s?机|热线|联系方式|联系|传真|Fax|fax|T[Ee][Ll]|t[Ee][Ll]|Phone|phone"
    r"|致电|拨打|请拨|请打|拨|打(?<![击拍敲]打)|总机|小灵通|专线|号码|☎|📞|📱|📲|☏|🤙|📟)"
)
# An area code apart from its number: 零七三一，八四五六七二一三; 区号0512 后面是65273318.
_AREA_CUE = "区号|座机|固话|固定电话|宅电|电话|总机|拨|打|致电|传真|☎|📞|☏"
_APART = r"[^0-9A-Za-z。；;！!？?\n\[\]]{1,10}"
_MINE = (
    r"(?=\s?(?:这个|是|为)?(?:我|我家|家里|本人|他|她|家属|孩子|我妈|我爸|我老公|我老婆)?的?"
    r"(?:手机|电话|号码|联系方式|座机|联系电话|号能|这个号))"
)

_MINE_CUES = "手机 电话 号码 联系方式 座机 号能 这个号"
_SERVED = "(?:打|拨|致电|热线|专线|电话|客服|平台|短信|预约|挂号|咨询|服务|联系|官方|售后)"


def phones(view: View) -> list[Recogniser]:
    def phone(
        least: int,
        pattern: str,
        check: Callable[[str], bool] = is_private,
        unless: re.Pattern[str] | None = _NO_LANDLINE,
        cues: str = "",
    ) -> Recogniser:
        return Recogniser("[电话]", re.compile(pattern), check, unless, view, tuple(cues.split()), least)

    mobile = rf"{_BEGIN}(?:(?:\+|00)?86{_GAP})?{_LONG.format(g=_GAP)}{_END}{_UNIT}"
    return [
        phone(11, mobile, _is_mobile, _THING),
        # After a cue whatever stands between the digits.
        phone(
            11,
            rf"(?:{_PHONE_CUE.pattern})[^0-9\n。，\[\]]{{0,8}}(?P<secret>(?:(?:\+|00)?86{_GAP})?{_LONG.format(g=_FAR)}){_END}{_UNIT}",
            always,
            _THING,
        ),
        phone(11, rf"{_BEGIN}(?P<secret>0?1{_GAP}[3-9](?:{_GAP}[0-9]){{9}}){_END}{_MINE}", always, None, _MINE_CUES),
        phone(
            9,
            rf"{_BEGIN}(?:(?:\+|00)?86{_GAP}0?{_AREA}|[(（]0{_AREA}[)）]|0{_AREA}[)）]?){_GAP}[2-8][0-9]{{2,3}}{_GAP}[0-9]{{3,4}}"
            rf"(?:(?:{_GAP}|\s?(?:转|分机|内线)\s?)[0-9]{{1,5}})?{_END}{_UNIT}",
        ),
        phone(10, rf"{_begun('[48]')}{_NARROW}0{_NARROW}0{_GAP}[0-9](?:{_GAP}[0-9]){{6}}{_END}{_UNIT}", _is_service),
        phone(
            5,
            rf"{_SERVED}[^0-9。，\n\[\]]{{0,5}}"
            rf"(?P<secret>(?:1010{_NARROW}[0-9]{{4}}|95[0-9]{{2}}{_NARROW}[0-9]{{1,9}}|96[0-9]{{3,4}}|106[0-9]{{5,17}}|1259[0-9]|116114|12580)){_END}{_UNIT}",
        ),
        phone(12, rf"{_begun('1')}06[0-9]{{9,17}}{_END}{_UNIT}"),
        phone(
            7,
            rf"(?:{_AREA_CUE})[^0-9\n。，\[\]]{{0,6}}(?P<secret>0{_GAP}{_AREA_DIGITS}{_APART}[2-8](?:{_GAP}[0-9]){{6,7}}){_END}{_UNIT}",
        ),
        phone(10, rf"{_begun('0')}(?:{_GAP}[0-9]){{9,11}}{_END}{_UNIT}", _is_parted_landline),
        phone(7, rf"{_CALLED}{_LINK}(?P<secret>\+?[0-9](?:{_GAP}[0-9]){{6,13}}){_END}{_UNIT}", _is_stated_phone),
        phone(7, rf"(?P<secret>{_begun('[2-8]')}[0-9]{{2,3}}{_NARROW}[0-9]{{4}}){_END}{_MINE}", cues=_MINE_CUES),
        phone(2, rf"(?:分机|内线|总机转|\[电话\]\s?转)号?{_LINK}(?P<secret>[0-9]{{2,6}}){_END}"),
    ]


# ---- papers and hospital numbers -------------------------------------------------------------------------------------

_NUMBER = (
    rf"(?P<secret>(?!NCT|ChiCTR|69[0-9]{{11}}(?![0-9]))(?:[A-Za-z]{_GAP}){{0,4}}[(（]?[0-9](?:{_GAP}[0-9A-Z()（）]){{least,most}}[0-9A-Za-z]?[)）]?)"
    r"(?![0-9A-Za-z]|\.[0-9])"
)


def _stated(least: int, most: int = 23) -> str:
    return _NUMBER.replace("{least,most}", f"{{{least - 1},{most}}}")


def _has_digits(least: int) -> Callable[[str], bool]:
    return lambda text: sum(char.isdigit() for char in text) >= least


_NOT_PAPER = re.compile(r"(?:批准|国药|生产|经营|注册|备案|(?<!居留)许可|机构|商品|药品|产品|试剂|疫苗)[^，。]{0,6}$|\[$")


_HOSPITAL_FIRSTS = "".join(sorted({word[0] for word in _WORDS["hospital"].split()} | set("条流I")))
_BANK_CUES = "行 卡 账 帐 款 信用社 农信 农商 浦发 民生 光大 兴业 中信 平安 华夏 广发 存折 打到 转到 支付宝 储"
_PAPER_CUES = "证 护 hu 居留 驾照 绿卡 户口 assport"
_INSURANCE_CUES = "保 医疗 农合 合疗 公积金 凭证 个人编号 特病 慢病"


def papers(view: View) -> list[Recogniser]:
    def kind(least: int, label: str, pattern: str, check: Callable[[str], bool] = always, cues: str = "") -> Recogniser:
        return Recogniser(label, re.compile(pattern), check, _NOT_PAPER, view, tuple(cues.split()), least)

    identity = rf"{_begun('[1-9]')}(?:{_GAP}[0-9]){{16}}{_GAP}[0-9Xx×]{_END}"
    hospital = (
        rf"(?=[{_HOSPITAL_FIRSTS}])(?:(?:{any_of(_WORDS['hospital'])})(?:卡|单|票|证|本|表|片|袋|登记|申请|流水|电脑)?(?:号码|编号|条码|单号|序号|流水号?|号|ID|id|[Nn][Oo][.．]?)"
        rf"|条形?码|流水号|ID(?<![A-Za-z]ID))"
        rf"(?:码)?(?:是|为|[:：=→\s“\"【（(]|的){{0,4}}"
    )
    paper = rf"(?:{any_of(_WORDS['papers'])}|Passport|passport){_LINK}"
    other = r"证(?<![保验论辨见求认确]证)(?:件)?(?:号码|编号|号|码|上号码){0,2}[是为:：=→\s]{0,3}"
    insurance = rf"(?:{any_of(_WORDS['insurance'])}){_LINK}"
    printed = r"(?:卡|腕带|手环|标签|挂号条)(?:[正背反]?面)?上?(?:的|[写印标贴刻打][着的])(?:号码?)?[是为:：\s“]{0,3}"
    visit = rf"(?:住院登记|入院登记|就[诊医]卡|门诊卡|诊疗卡|健康卡|住院卡|病历|病案){_LINK}"
    bank = led_by(_WORDS["banks"])
    corps = rf"(?:[军政海空陆武警士文参后装联兵南北沈兰济广成京战火]|证|证号)[:：\s]{{0,2}}[{HAN}]?字第?"
    card = rf"(?P<secret>[0-9](?:{_FAR}[0-9]){{11,20}}){_END}"
    # Words between, where the number is a long one, and no date.
    said = r"[^A-Za-z，。；\n\[\]]{0,6}?(?<![0-9])(?!(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:[0-2][0-9]|3[01])(?![0-9]))"
    return [
        kind(
            14,
            "[身份证]",
            rf"(?:身份证|一代证|二代证|老证|公民身份)(?:件)?{_LINK}(?P<secret>[1-9](?:{_GAP}[0-9]){{13,16}}(?:{_GAP}[0-9Xx×])?){_END}",
            cues="身份 代证 老证",
        ),
        kind(17, "[身份证]", identity, like_id_card),
        kind(15, "[身份证]", rf"{_begun('[1-9]')}(?:{_GAP}[0-9]){{14}}{_END}{_UNIT}", _like_even_old_id_card),
        kind(2, "[证件号]", rf"{paper}{_stated(5, 20)}", _has_digits(5), _PAPER_CUES),
        kind(7, "[证件号]", rf"{paper}{said}{_stated(7, 20)}", _has_digits(7), _PAPER_CUES),
        kind(6, "[证件号]", rf"{other}{_stated(6, 20)}", _has_digits(6), "证"),
        kind(5, "[证件号]", rf"{corps}\s?(?P<secret>[0-9]{{5,12}})\s?号?", cues="字"),
        kind(2, "[证件号]", rf"{insurance}{_stated(6)}", _has_digits(6), _INSURANCE_CUES),
        kind(7, "[证件号]", rf"{insurance}{said}{_stated(7)}", _has_digits(7), _INSURANCE_CUES),
        kind(1, "[病历号]", rf"{hospital}{_stated(4)}", _has_digits(4), "号 ID id No NO no 码 流水"),
        kind(1, "[病历号]", rf"{visit}{_stated(5)}", _has_digits(5), "登记 卡 病历 病案"),
        kind(7, "[病历号]", rf"{printed}{_stated(7)}", _has_digits(7), "卡 腕带 手环 标签 挂号条"),
        kind(12, "[银行卡]", rf"{bank}{_LINK}[^0-9，。；\n\[\]]{{0,4}}?{card}{_UNIT}", cues=_BANK_CUES),
        kind(12, "[银行卡]", rf"{_BEGIN}{card}(?=[^0-9，。；\n\[\]]{{0,4}}{bank})", cues=_BANK_CUES),
        kind(16, "[银行卡]", rf"{_begun('6')}2(?:{_GAP}[0-9]){{14}}(?:(?:{_GAP}[0-9]){{2,3}})?{_END}{_UNIT}"),
        kind(16, "[银行卡]", rf"卡[^0-9\n。\[\]]{{0,8}}(?P<secret>62(?:{_FAR}[0-9]){{14,17}}){_END}{_UNIT}", cues="卡"),
        kind(15, "[银行卡]", rf"{_begun('[3456]')}(?:{_GAP}[0-9]){{14,18}}{_END}{_UNIT}", _is_card),
    ]


_BED_PLACE = r"监护室|监护病房|[Ii][Cc][Uu]|病房|病区|病室|住院部|住院楼|号楼|[内外儿妇产]科|科室|房间|室|楼|层|区|科"
_BED_NUMBER = r"[加+＋]?[0-9一二三四五六七八九十]{1,4}"
BEDS = [
    Recogniser("[病历号]", re.compile(r"(?P<secret>[加+＋][0-9]{1,3}号?床)(?![位边前旁头上单]|休)"), cues=("床",)),
    Recogniser(
        "[病历号]",
        re.compile(r"(?<![0-9第])(?P<secret>[0-9]{1,3}号?床)(?=的?(?:病人|患者|家属|病友|陪护|老[人太头]|阿姨|大爷))"),
        cues=("床",),
    ),
    Recogniser(
        "[病历号]",
        re.compile(
            rf"(?:床号|床位号?|床头号)[:：是为\s]{{0,3}}(?P<secret>(?:[A-Za-z]{{1,4}}[-—\s]?)?(?:{_BED_NUMBER}|[0-9]\s[0-9])\s?(?:号床|床|号)?)(?![0-9])"
        ),
        cues=("床",),
    ),
    Recogniser(
        "[病历号]",
        re.compile(
            rf"(?:{_BED_PLACE}|住在?|我是|患者|在|护士说|医生说|护士叫|管)\s?(?P<secret>(?:[0-9]{{1,4}}[-—房室])?{_BED_NUMBER}\s?号?病?床)(?![位边前旁头上单]|休)"
        ),
        cues=("床",),
    ),
]
_PLATE_SIGNS = r"[-·•・.—–_*＊/\s（(]{0,3}"
_PLATE_LETTER = "[A-HJ-NP-Za-hj-np-z]"
_PLATE_CUE = re.compile(r"(?:车牌|车号|牌照|车子?|号牌)(?:号码?)?(?:是|为|[:：\s“])*$")


_PLATE_BEGINS = re.compile(
    rf"[车{_WORDS['provinces']}](?:(?<=车)牌"
    rf"|(?<!车){_PLATE_SIGNS}[A-Za-z]{_PLATE_SIGNS}[A-Za-z0-9{NUMERALS}]{_PLATE_SIGNS}[A-Za-z0-9{NUMERALS}])"
)


def may_hold_plate(text: str) -> bool:
    """Whether a plate may be told in Han numerals, too few of them for another number."""
    return _PLATE_BEGINS.search(text) is not None


def _is_plate(text: str) -> bool:
    """Capital letters with two figures, or small ones with three: 新b5 and 云A型 are none."""
    figures = sum(char.isdigit() for char in text)
    return figures >= (3 if re.search("[a-z]", text) else 2)


def plates(view: View) -> list[Recogniser]:
    place, sign = f"[{_WORDS['provinces']}]", f"{_PLATE_SIGNS}[A-HJ-NP-Za-hj-np-z0-9]"
    tail = rf"(?:(?:{sign}){{1,2}}(?![A-Za-z0-9])[）)]?|[警学挂港澳领试超使])"
    stated = rf"{place}?{_PLATE_SIGNS}[A-Za-z]{_PLATE_SIGNS}[A-Za-z0-9](?:{_PLATE_SIGNS}[A-Za-z0-9]){{4,5}}"
    return [
        Recogniser(
            "[车牌]",
            re.compile(rf"{place}{_PLATE_SIGNS}{_PLATE_LETTER}(?:{sign}){{4}}{tail}"),
            _is_plate,
            view=view,
            cues=tuple(_WORDS["provinces"]),
        ),
        Recogniser(
            "[车牌]",
            re.compile(rf"{_PLATE_CUE.pattern[:-1]}(?P<secret>{stated})(?![A-Za-z0-9])"),
            _is_plate,
            view=view,
            cues=("车", "牌"),
        ),
        Recogniser("[车牌]", re.compile(rf"(?<![A-Za-z])WJ{place}?[0-9]{{4,5}}(?![0-9])"), view=view, cues=("WJ",)),
    ]


# Unbounded repeats: for an automaton they are the simpler ones.
_ANY_GAP = rf"[{SEPARATORS}\[\]]*"
_ANY_FAR = rf"(?:{_ANY_GAP}(?:{_MIDDLE}{_ANY_GAP})?)"
_FIGURE = rf"[0-9OoIlSsBZz{SIGNS}]"
_NUMERAL = rf"[0-9OoIl{SIGNS}{NUMERALS}]"
BED_SIGN = r"[0-9一二三四五六七八九十]\s?号?病?床|床[号位头]"
# Seven digits, with whatever people put between them; fewer beside the words for what they number.
FIRST_SIGN = "|".join(
    [
        rf"{_NUMERAL}(?:{_ANY_GAP}{_NUMERAL}){{6}}|字第?\s?{_FIGURE}|9[56][0-9]{{3}}|1259[0-9]|12580|116114|分机|内线|总机转|\]\s?转",
        rf"(?:[号码证照保合疗历案卡记单金许可险本口簿流水]|[Ii][Dd]|[Nn][Oo][.．]?|assport)[是为:：=→\s“\"【（(的就尾填写呢#‘「>＝]*[A-Za-z]*{_ANY_GAP}{_NUMERAL}",
        rf"[{_WORDS['provinces']}]{_PLATE_SIGNS}[A-Za-z]{_PLATE_SIGNS}[A-Za-z0-9{SIGNS}{NUMERALS}]|车牌|车号|牌照|号牌|车子?[^，。\n]*[A-Za-z]|WJ",
    ]
)
# The last letters of what tells a paper, a card or a number of a hospital.
_CUE_ENDS = "[号码证照卡簿本可保险障金册疗合记历案单]|[Ii][Dd]|[Nn][Oo]|assport|zhao"
_FOUR = rf"{_NUMERAL}(?:{_ANY_GAP}[A-Za-z]?{_ANY_GAP}{_NUMERAL}){{3}}"
# Two patterns, for one of both is slower.
SIGNS_OF_NUMBERS = (
    "|".join(
        [
            rf"{_FIGURE}(?:{_ANY_FAR}{_FIGURE}){{6}}",
            rf"{_NUMERAL}(?:{_ANY_FAR}{_NUMERAL}){{6}}",
            rf"字第?\s?{_FIGURE}",
            rf"[{_WORDS['provinces']}]{_PLATE_SIGNS}[A-Za-z]{_PLATE_SIGNS}[A-Za-z0-9{SIGNS}{NUMERALS}]|车牌|车号|牌照|号牌|车子?[^，。\n]*[A-Za-z]|WJ",
            r"9[56][0-9]{3}|1259[0-9]|12580|116114",
            rf"(?:分机|内线|总机转|\]\s?转)[^，。\n]*{_FIGURE}",
        ]
    ),
    rf"(?:{_CUE_ENDS})[^，。；\n]*{_FOUR}",
)
