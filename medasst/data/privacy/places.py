"""Addresses to the door: from a number of a house, a flat or a bed back to the road, estate or village that it belongs to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from medasst.data.privacy.recogniser import HAN, any_of, has_any, view_of, words
from medasst.data.privacy.recogniser import SIGNS as DIGIT_SIGNS

_DATA = words()["places"]
_CAPITALS = "壹贰叁肆伍陆柒捌玖拾"
_CAPITAL, _PLAIN_NUMERALS = re.compile(f"[{_CAPITALS}]"), str.maketrans(_CAPITALS, "一二三四五六七八九十")
_N = r"(?:[0-9]{1,5}(?:[-—－][0-9]{1,5}){0,3}|[一二三四五六七八九十百零〇]{1,5})"
_UNIT = r"(?:号楼|号院|号门|号房|号栋|号|房|栋|幢|座|单元|楼|层|室|舍|斋|排|组|队|社|户|弄|#|期|区|门|床)"
_HAN_ROOM = "[一二三四五六七八九十][零〇一二三四五六七八九]{2,3}室?(?![零〇一二三四五六七八九十百千万])"
_DOOR = re.compile(
    rf"(?=[0-9A-Za-z一二三四五六七八九十百零〇])(?:(?<=大厦|公寓|花园|小区|广场|家园|宿舍|酒店|宾馆)[A-Za-z]?[0-9]{{3,4}}(?![0-9年元])|{_N}\s?{_UNIT}|[A-Za-z]\s?(?:座|栋|幢|区|楼|单元|号楼))(?:\s?[东西南北中]?\s?{_N}\s?{_UNIT}|\s?[甲乙丙丁东西南北A-Za-z]\s?(?:单元|座|栋|幢|区))*"
    rf"(?:\s?(?:[A-Za-z]?[0-9]{{2,5}}|[A-Z][0-9])(?![0-9%.]|\s?[mμ]?[gGlL元年月日天次度])|\s?{_HAN_ROOM})?"
)
# 5-2-301, 3-1201
_DASHED = re.compile(
    r"(?<![0-9A-Za-z.\-])[A-Z]?[0-9]{1,3}(?:#?[-—－][0-9]{1,3}){0,2}[-—－][0-9]{3,4}(?![0-9.\-－—%]|\s?(?:m|μ|u|g|G|L|l|元|年|月|日|天|次|度|片|粒|岁))"
)
# A door told in full, with no road or estate before it: 5栋602, 3号楼2单元501.
_FULL = re.compile(
    rf"{_N}\s?(?:号宿舍楼|宿舍楼|号楼|栋|幢|座|舍|单元)\s?(?:(?:{_N}|[甲乙丙丁东西A-Za-z])\s?(?:单元|门|层|楼)\s?)?"
    rf"(?:[东西]户|[0-9]{{3,4}}室?|{_HAN_ROOM}|{_N}\s?(?:室|号|户)|(?:{_N}|[甲乙丙丁东西])\s?单元)(?![0-9])"
)
_ROAD = r"(?:大街|大道|街道|胡同|路|街|道|巷|弄|里弄)"
_STREET = r"(?:大街|大道|路|街|巷)"
_ESTATE = (
    r"(?:小区|花园|公寓|家园|新村|新城|庄园|花苑|佳苑|家属院|家属楼|宿舍楼?|公租房|安置房|大院|大厦|广场|写字楼|商厦|大楼|壹号|一号院|国际|名城|名邸|公馆|府邸|世家|首府|新天地|花城|大都会|酒店|宾馆|招待所|基地|厂区|生活区|山庄|别墅|雅苑|嘉园|名苑|豪庭"
    r"|华庭|华府|学校|大学|学院|中学|小学|工业园|科技园|产业园|园区|社区|里|苑|园|府|庭|湾|郡|城|坊|寓|楼|厂|公司)"
)
_VILLAGE = r"(?:村|屯|庄|寨|堡|店|沟|坪|嘎查|苏木|镇|乡)"
_HOSPITAL = r"(?:医院|住院部|住院楼|门诊楼|病区|病房|卫生院|诊所)"
_SITE = re.compile(rf"(?:{_ROAD}|{_ESTATE}|{_VILLAGE}|{_HOSPITAL})")
_ON_ROAD, _IN_HOSPITAL = re.compile(_ROAD), re.compile(_HOSPITAL)
_TOLD_BEFORE = re.compile(rf"(?:送到|寄到|地址|住址|住在?|住)[:：\s]?[{HAN}]{{2,8}}$")
_WIDE = re.compile(rf"[{HAN}]{{2,4}}?[市州县区]")
_NOT_ROAD = re.compile(rf"(?:{any_of(_DATA['not_roads'])})$")
_PROVINCE = rf"(?:{any_of(_DATA['provinces'])})"
_REGION = re.compile(
    rf"{_PROVINCE}(?:省|市|自治区|壮族自治区|回族自治区|维吾尔自治区)?|[{HAN}]{{2,5}}?(?:市|州|县|区|旗|盟)(?![别分域间])"
)
_CUE = re.compile(
    r"(?:家庭住址|收货地址|联系地址|通讯地址|现住址|户籍地|地址|住址|家住在?|现住在?|居住在|住在|住的是|住|家在|在|位于|寄到|寄往|寄给|邮寄到|送到|送至|送往|快递到|发到|搬到|来到|到|去|于|是|从|址|坐落|[:：\s])"
)
_NO_PLACE = re.compile(
    r"(?:方|处方|线|蛋白|染色体|位点|通路|药|片|胶囊|针|样|样本|疫苗|试剂|导管|电极|复查|晚|早|凌晨|开始|手术|住院|出院|来|就|那天|之前|左右|月)"
)
_CLAUSE = re.compile(r"[，。；！？,;!?\n（(）)“”\"\[\]]")
_BACK = 45  # letters before a door number that are looked at

_CHAIN = re.compile(
    rf"(?:[{HAN}]{{2,8}}?(?:省|市|州|县|区|旗))[{HAN}]{{0,8}}?(?:[{HAN}]{{1,6}}(?:县|区|镇|乡|街道|苏木))[{HAN}]{{1,8}}(?:村|屯|庄|寨|嘎查|社区)(?:{_N}[组队社])?"
)
_COUNTY = re.compile(rf"(?:{_PROVINCE})[{HAN}]{{0,12}}?(?:县|旗|区|市)[{HAN}]{{1,8}}?(?:乡|镇|苏木)(?:{_N}[村组队社])?")
# A group or brigade of a village whose name doesn't say that it is one: 石桥三组12号.
_HAMLET_KIND = "[湾塘岭坝坳冲垸铺营桥岗坡圩集坊洼沟寨咀嘴口屋村庄屯河山畈墩]"
_HAMLET_AT = r"(?:家住在?|住在?|家在|老家在?|老家是?|我在|地址|送到|寄到|来自)[:：\s]?|[镇乡村县]"
_GROUP = r"第?[0-9一二三四五六七八九十]{1,3}\s?(?:村?民?小?组|生产队|小队|大队|队|社)"
_HOUSE = r"(?:\s?[0-9一二三四五六七八九十]{1,4}\s?[号户])?(?![员长织合])"
_HAMLET = re.compile(
    rf"(?:(?:{_HAMLET_AT})(?P<secret>[{HAN}]{{1,5}}?(?:大队|{_HAMLET_KIND})\s?{_GROUP}{_HOUSE}|{_GROUP}\s?[0-9一二三四五六七八九十]{{1,4}}\s?[号户])"
    rf"|(?P<named>[{HAN}]{{1,2}}家{_HAMLET_KIND}\s?(?:{_GROUP}{_HOUSE}|村民小组)))"
)
_TOWN = re.compile(
    rf"(?:家住在?|住在?|家在|老家在?|老家是?|我在|我是|来自|地址[:：]?)\s?(?P<secret>[{HAN}]{{2,6}}?[县区旗市][{HAN}]{{1,8}}?(?:乡|镇|苏木)(?![医卫]))"
)
# Longshan路 sanshi六hao院 5dong 602: words for houses in Latin letters.
_SPELT_UNIT = "(?:hao|dong|danyuan|dan yuan|lou|men|shi)"
SPELT_SIGN = r"[路街巷](?:\s?[0-9A-Za-z一二三四五六七八九十]+)?\s?hao|[路街巷]\s?[A-Za-z]+号|[0-9]\s?(?:dong|danyuan|men)"
_HAS_SPELT = re.compile(_SPELT_UNIT)
_SPELT = re.compile(
    rf"(?P<secret>[A-Za-z{HAN}]{{1,12}}(?:路|街|巷|小区|lu|jie|xiaoqu)\s?(?:[0-9A-Za-z一二三四五六七八九十]{{1,10}}?\s?(?:{_SPELT_UNIT}|[号栋幢楼]|单元)[院楼]?\s?){{1,4}}"
    r"(?:[0-9]{3,4}(?![0-9]))?)"
)
_DOORPLATE = re.compile(
    r"(?:门牌号?|房号|房间号|楼栋号?|楼号|单元号|几号楼)[码\s是为:：]{0,3}(?P<secret>[A-Za-z]?[0-9一二三四五六七八九十零〇]{1,4}(?:[-—－][0-9]{1,4}){0,3}\s?(?:号楼|号|栋|室|单元)?)(?![0-9./])"
)
_FLOOR = "(?:号楼|栋|幢|座|单元|楼|层|门|号|室)"
_STEP = re.compile(rf"[，,、\s]\s?{_N}\s?{_FLOOR}")
# Told in steps: 和顺里小区，九号楼，二单元，七零三.
_IN_STEPS = re.compile(
    rf"[{HAN}]{{2,10}}?(?:小区|花园|公寓|家园|新村|新城|苑|园|城|府|里|湾|村)(?:[，,、\s]\s?{_N}\s?{_FLOOR}){{2,}}"
    rf"(?:[，,、\s]\s?(?:{_HAN_ROOM}|[0-9]{{3,4}})(?:室|号)?(?![0-9]))?"
)
_IN_VILLAGE = re.compile(
    rf"[{HAN}]{{2,6}}[村屯庄][东西南北]?(?:头|口|边|尾)?第?[0-9一二三四五六七八九十]{{1,3}}(?:家|户|排|条)"
)
_GATES = tuple(f"{side}门" for side in "东西南北正后侧")
_GATE = re.compile(rf"(?P<secret>[{HAN}]{{2,8}}?(?:小区|花园|公寓|家园|新村|家属院|大厦))[东西南北正后侧]门")
_STREETS_AND = tuple(f"{street}{link}" for street in "街道路巷" for link in "与和跟、及")
_CROSSING = re.compile(
    rf"[{HAN}]{{1,12}}{_STREET}[与和跟、及][{HAN}]{{1,6}}{_STREET}[{HAN}]{{0,4}}?(?:交叉口|交汇处?|交界处?|路口|交口|口|十字)(?:往?[东西南北]{{1,2}})?(?:侧|走)?(?:[0-9]{{1,4}}米)?"
)
_POSTCODE = re.compile(
    r"(?:邮编|邮政编码|[Pp]ostcode|[Zz]ip)(?:是|为|[:：\s])*(?P<secret>[0-9０-９一二三四五六七八九〇零](?:\s?[0-9０-９一二三四五六七八九〇零]){5})(?![0-9])"
)
_IN_LATIN = (
    r"(?:No\.?|Lane|Rm\.?|Room|Unit|Apt\.?|Flat|Bldg\.?|Building|Block|Floor|Tower)\s?#?(?:[0-9]+[A-Z]?|[A-Z](?![a-z]))",
    r"[0-9]{1,4}(?:/F)?,?\s(?=[A-Z])|[0-9]{1,3}/F",
    r"(?:[A-Z][a-z'’]+\s){1,3}(?:Rd|Road|St|Street|Ave|Avenue|Lane|District|Blvd|Garden|Gardens|Court|Mansion)\b\.?",
    r"(?<=,\s)(?:Beijing|Shanghai|Guangzhou|Shenzhen|Hong Kong|China)\b",
)
_HAS_LATIN = re.compile("[A-Z][a-z]")
_ENGLISH = re.compile(rf"(?:(?:{'|'.join(_IN_LATIN)})[,，\s]{{0,3}}){{2,}}")
_TOLD = re.compile(
    r"(?:家庭住址|收货地址|联系地址|通讯地址|详细地址|现住址|户籍地址|户籍|地址|住址|家住在?|现住在?|居住在|住在|寄到|寄往|寄给|邮寄到|送到|送至|送往|快递到|发到|家在|我家|住)(?:是|为|[:：\s“在])*"
    r"(?P<secret>[^，。；！？,;!?\n“”\[\]]{4,45})"
)
_BESIDE = re.compile(
    r"(?:对面|对过|旁边|隔壁|斜对面|楼上|楼下|门口|东门|西门|南门|北门|后面|附近|北侧|南侧|东侧|西侧|便利店|超市|菜鸟|驿站|快递柜|传达室|门卫|保安室|物业|桥下|桥头|天桥)"
)
_VAGUE = re.compile("我们|你们|他们|我家|咱|这个|那个|一个|哪个|每个|的|老旧|住宅|什么|附近")
_PARTS = re.compile(rf"(?:{_N}|[A-Z])\s?{_UNIT}|[A-Z]?[0-9]{{1,3}}[-—－][0-9]{{3,4}}|{_N}(?=\s|$)")
# What follows after a comma belongs to it if it goes on with numbers: 向阳花园，3栋，二单元，501.
_FORMAL = re.compile(
    rf"(?:家庭住址|收货地址|联系地址|通讯地址|详细地址|现住址|户籍地址?|户籍|住址|地址)(?:是|为|[:：\s“在])*"
    rf"(?P<secret>[^，。；！？,;!?\n“”\[\]]{{2,45}}(?:[，,、]\s?(?:{_N}|[A-Z])\s?(?:{_UNIT}\s?)?(?:{_N}\s?{_UNIT}?)*(?![0-9]|\s?[天岁年个月次片]))*)"
)
_NAMED_KIND = (
    rf"小区|花园|公寓|家园|新村|新城|花苑|佳苑|家属院|家属楼|大厦|广场|写字楼|村|屯|苑|{_ROAD}|宿舍|学校|大学|中学|小学"
)
_ESTATE_END = re.compile(r"(?:小区|花园|公寓|家园|新村|花苑|佳苑|家属院|家属楼|宿舍)$")
_NAMED = re.compile(rf"[{HAN}]{{2,8}}(?:{_NAMED_KIND})")


_LEVEL = re.compile(rf"(?:{_PROVINCE}|[{HAN}](?:市|州|县|区|旗|镇|乡|街道|{_NAMED_KIND}))")


def _matches(text: str, pattern: re.Pattern[str], needs: Iterable[str]) -> Iterator[re.Match[str]]:
    """The matches of a pattern in a text that has one of the words without which it never matches."""
    return pattern.finditer(text) if has_any(text, needs) else iter(())


def spans(text: str) -> Iterator[tuple[int, int]]:
    """Where addresses stand."""
    text = _CAPITAL.sub(lambda match: match[0].translate(_PLAIN_NUMERALS), view_of(text, "digits"))
    chains = [
        *(_IN_STEPS.finditer(text) if _STEP.search(text) else ()),
        *_matches(text, _CHAIN, ("村", "屯", "庄", "寨", "嘎查", "社区")),
        *_matches(text, _CROSSING, _STREETS_AND),
    ]
    found = [_trimmed(text, *match.span()) for match in chains]
    found += [match.span() for match in (*_COUNTY.finditer(text), *_matches(text, _IN_VILLAGE, "村屯庄"))]
    gates = [match.span("secret") for match in _matches(text, _GATE, _GATES) if not _VAGUE.search(match["secret"])]
    found += [_trimmed(text, start, end) for start, end in gates]
    found += [span for match in _matches(text, _DASHED, "-—－") if (span := _to_dashed(text, match))]
    found += [span for match in _matches(text, _FULL, "楼栋幢座舍元") if (span := _to_full(text, match))]
    if _HAS_SPELT.search(text):
        found += [match.span("secret") for match in _SPELT.finditer(text) if re.search(_SPELT_UNIT, match["secret"])]
    found += [match.span() for match in _ENGLISH.finditer(text)] if _HAS_LATIN.search(text) else []
    found += [match.span(match.lastgroup or 0) for match in _matches(text, _HAMLET, "组队社")]
    found += [match.span("secret") for pattern in (_TOWN, _DOORPLATE) for match in pattern.finditer(text)]
    found += [match.span("secret") for match in _matches(text, _POSTCODE, "编码pP")]
    found += [span for match in _DOOR.finditer(text) if (span := _to_door(text, match))]
    found += [_to_its_end(match) for match in _matches(text, _FORMAL, "址户") if _is_full(match["secret"])]
    found += [span for match in _TOLD.finditer(text) if (span := _told(text, match))]
    yield from _joined(found)


def _joined(found: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Spans that overlap, as one."""
    start = end = -1
    for low, high in sorted(found):
        if low <= end:
            end = max(end, high)
            continue
        if end > start:
            yield start, end
        start, end = low, high
    if end > start:
        yield start, end


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """Without the cue at its beginning."""
    region = _PROVINCE_AT.search(text, start, end)
    if region and region.start() - start <= 8:
        return region.start(), end
    cue = _CUE.match(text, start)
    return (cue.end() if cue else start), end


_PROVINCE_AT = re.compile(_PROVINCE)


def _to_its_end(formal: re.Match[str]) -> tuple[int, int]:
    """What is told as an address, up to its last door if it has one."""
    start, end = formal.span("secret")
    doors = [match.end() for pattern in (_DOOR, _PARTS) for match in pattern.finditer(formal.string, start, end)]
    return start, max(doors, default=end)


def _is_full(told: str) -> bool:
    """Whether what is told as an address goes from one level to the next, or ends at a door."""
    return len(_LEVEL.findall(told)) > 1 or len(_PARTS.findall(told)) > 1


def _to_door(text: str, door: re.Match[str]) -> tuple[int, int] | None:
    """The address that ends with this door number, if what stands before it is a place."""
    clause, before = _clause_before(text, door.start())
    sites = list(_SITE.finditer(before))
    if not sites or len(before) - sites[-1].end() > 8:
        return None
    site, number = sites[-1], door[0]
    if (
        _NOT_ROAD.search(before, 0, site.end())
        or _NO_PLACE.match(text, door.end())
        or not _fits(site[0], number, before[: site.end()])
    ):
        return None
    start = _beginning(before, site.start())
    if site.end() - start < 3 and not _REGION.search(before):
        return None
    return clause + start, door.end()


def _to_dashed(text: str, door: re.Match[str]) -> tuple[int, int] | None:
    """The address that ends with a door such as 5-2-301, right behind an estate, or told as an address."""
    clause, before = _clause_before(text, door.start())
    sites = [site for site in _SITE.finditer(before) if len(before) - site.end() <= 2]
    named = (
        bool(sites)
        and not _NOT_ROAD.search(before)
        and (len(sites[-1][0]) > 1 or len(re.findall("[-—－]", door[0])) > 1 or door[0][0].isalpha())
    )
    if not named and not _TOLD_BEFORE.search(before):
        return None
    start = _beginning(before, sites[-1].start() if sites else len(before))
    return clause + start, door.end()


def _to_full(text: str, door: re.Match[str]) -> tuple[int, int] | None:
    """The address that ends with a door told in full; what stands right before it, up to a cue, belongs to it."""
    clause, before = _clause_before(text, door.start())
    if _IN_HOSPITAL.search(before):
        return None
    return clause + (_beginning(before, len(before)) if before else 0), door.end()


def _clause_before(text: str, end: int) -> tuple[int, str]:
    """Where the clause before a place begins, some letters back at most, and its text."""
    low = max(0, end - _BACK)
    clause = max((match.end() for match in _CLAUSE.finditer(text, low, end)), default=low)
    return clause, text[clause:end].rstrip()


def _fits(site: str, number: str, before: str) -> bool:
    """Whether such a number stands after such a place: a road has houses, an estate has blocks, a hospital beds."""
    if site in {"苑", "园", "坊", "府"} and "号" in number and _ON_ROAD.search(before[:-1]):
        return True
    if site == "里" and len(_PARTS.findall(number)) < 3:
        return "号" in number and (_ON_ROAD.search(before[:-1]) is not None or re.search("[室楼栋]|单元", number) is not None)
    if _ON_ROAD.fullmatch(site):
        return re.search("[号弄座栋幢楼]", number) is not None
    if _IN_HOSPITAL.fullmatch(site):
        return re.search("[床室楼层号]", number) is not None and (
            "床" in number or "室" in number or number.count("楼") + number.count("层") > 1
        )
    if re.fullmatch(_VILLAGE, site):
        return re.search("[组队社号户栋弄]", number) is not None
    firm = len(site) > 1 or re.search("[栋幢座室舍斋排]|单元|号楼", number)
    return bool(firm) and re.search("[号栋幢座室舍斋排层户楼房#]|单元|[A-Z][0-9]|^[A-Za-z]?[0-9]{3,4}$", number) is not None


def _beginning(before: str, site: int) -> int:
    """Where the address begins: at its region, else after a cue, else some letters before the place."""
    region = _PROVINCE_AT.search(before)
    if region:
        return region.start()
    cues = [match.end() for match in _CUE.finditer(before, 0, site)]
    wide = _WIDE.search(before)
    if wide and not cues:
        return wide.start()
    first = min((cue for cue in cues if site - cue >= 1 and (cue >= site - 25)), default=0)
    late = [cue for cue in cues if site - cue >= 1]
    if wide and cues:
        return max([cue for cue in cues if cue <= wide.start() + 3], default=wide.start())
    if late:
        return first if site - first <= 10 else late[-1]
    return 0 if site <= 10 else site - 6


def _told(text: str, told: re.Match[str]) -> tuple[int, int] | None:
    """What is told after "lives at", up to the last word that belongs to a place to knock at; None where it names none."""
    start, end = told.span("secret")
    named = [match.end() for match in _NAMED.finditer(text, start, end) if not _NOT_ROAD.search(text, start, match.end())]
    near = [match.end() for match in (*_BESIDE.finditer(text, start, end), *_DOOR.finditer(text, start, end))]
    full = len(named) > 1 and _ESTATE_END.search(text, start, max(named))
    return (start, max(named + near)) if named and (near or full) else None


_SITES = rf"(?:{_ROAD}|{_ESTATE}|{_VILLAGE}|{_HOSPITAL})"
_INSIDE = r"[^，。；！？,;!?\n（(）)“”\"\[\]]*"
# Unbounded repeats: for an automaton they are the simpler ones.
_FIGURE = f"[0-9一二三四五六七八九十百零〇{_CAPITALS}{DIGIT_SIGNS}]"
# Two patterns, for one of both is slower.
SIGNS = (
    rf"{_SITES}{_INSIDE}(?:{_FIGURE}\s?{_UNIT}|[A-Za-z甲乙丙丁]\s?(?:座|栋|幢|区|楼|单元|号楼)|[0-9][-—－][0-9]{{3}})|[厦寓园区场舍店馆][A-Za-z]?[0-9]{{3}}",
    "|".join(
        [
            rf"{_FIGURE}\s?(?:宿舍楼|号楼|栋|幢|座|舍|单元)\s?(?:{_FIGURE}|[东西甲乙丙丁A-Za-z])",
            SPELT_SIGN,
            rf"(?:县|区|市|旗|镇|乡|街道|苏木)[{HAN}]+(?:村|屯|庄|寨|嘎查|社区|乡|镇|苏木)",
            rf"{_STREET}[与和跟、及][{HAN}]+{_STREET}",
            r"[村屯庄][东西南北]?(?:头|口|边|尾)?第?[0-9一二三四五六七八九十]",
            rf"(?:{_NAMED_KIND})[东西南北正后侧]门",
            rf"{_FIGURE}\s?(?:村?民?小?组|生产队|小队|大队|队|社)|家{_HAMLET_KIND}\s?村民小组",
            rf"址[^。；！？,;!?\n“”\[\]]*(?:{_N}\s?(?:{_UNIT}|\s)|[A-Z])",
            rf"[，,、\s]\s?{_FIGURE}+\s?(?:号楼|栋|幢|座|单元|楼|层|门|号|室)[，,、\s]",
            r"(?:门牌|房号|房间号|楼栋|楼号|单元号|几号楼)[^，。；\n]*[0-9一二三四五六七八九十零〇]",
            r"邮编|邮政编码|[Pp]ostcode|[Zz]ip",
            r"(?:No\.?|Lane|Rm\.?|Room|Unit|Apt\.?|Flat|Bldg\.?|Building|Block|Floor|Tower)\s?#?[0-9A-Z]|/F|[a-z]\s(?:Rd|Road|St|Street|Ave|Avenue|Lane|District|Blvd)",
            rf"(?:址|户籍|住|[寄送递发][到往给至]|家在|我家)[^，。；！？,;!?\n“”\[\]]*(?:{_NAMED_KIND}|[0-9][-—－][0-9]|{_PROVINCE}|[县区镇乡市])",
        ]
    ),
)
FIRST_SIGN = (
    rf"{SPELT_SIGN}|床[号位头]|[0-9A-Za-z{DIGIT_SIGNS}]\s?[舍斋排号栋幢座楼室组队社户弄#区床单层期门房]|[一二三四五六七八九十百零〇{_CAPITALS}]\s?(?:[号栋幢座楼层室舍斋排组队社户弄床期区门房#村民小大生]|单元)|民小组|门牌|房号|房间号|楼号|单元号|村|屯|庄|寨|嘎查|社区|苏木"
    r"|[路街道巷弄同][与和跟、及]|邮编|邮政|[Pp]ostcode|[Zz]ip|住|址|户籍|[寄送递发][到往给至]|家在|我家|[a-z][.\s]\s?#?[0-9]|[a-z]\s[A-Z]"
    r"|[0-9][-—－][0-9]{3}|[厦寓园区场舍店馆][A-Za-z]?[0-9]{3}|县|旗|苏木|[东西南北正后侧]门"
)
