"""Secrets that are accounts: e-mail, WeChat and its like, QQ."""

from __future__ import annotations

import re

from medasst.data.privacy.recogniser import HAN, NUMERALS, Recogniser, View

# ---- e-mail ----------------------------------------------------------------------------------------------------------

_LOCAL = rf"[A-Za-z0-9](?:[A-Za-z0-9._%+-]|下划线|[{NUMERALS}]{{3}})*"
_HOST = (
    r"(?:vip\s?\.?\s?)?(?:[Qq]{2}|163|126|188|139|189|yeah|sina|sohu|tom|21cn|gmail|outlook|hotmail|foxmail|live|msn|aliyun"
    r"|icloud|yahoo|wo)"
)
_TOP = r"(?:com\.cn|com|cn|net|org|edu|gov|me|cc)(?![A-Za-z])"
_PROVIDER = rf"(?:(?:网易|腾讯|新浪|搜狐|谷歌|阿里)?{_HOST}|网易|腾讯|新浪|搜狐|扣扣)"
_DOT = r"\s?(?:[.．。·]|[\[(（【{]?\s?(?:点|dot|DOT|Dot)\s?[\])）】}]?)\s?"
_AT = (
    r"\s?(?:[@＠#＃*&]|[\[(（【{<]\s?(?:at|AT|At|@|艾特|爱特|a)\s?[\])）】}>]|艾特|爱特|圈[aA]|小老鼠|[aA]圈"
    r"|\s(?:at|AT|At|在)\s|AT(?=[a-z0-9])|@符号)\s?"
)
_LABEL = rf"[A-Za-z0-9{HAN}](?:[A-Za-z0-9{HAN}-])*"
MAILS = [
    Recogniser("[邮箱]", re.compile(rf"{_LOCAL}\s?[@＠]\s?{_LABEL}(?:\s?[.．]\s?{_LABEL})*\s?[.．]\s?[A-Za-z]{{2,}}")),
    Recogniser(
        "[邮箱]",
        re.compile(rf"{_LOCAL}{_AT}(?:{_PROVIDER}|[A-Za-z][A-Za-z0-9-]{{1,20}}(?={_DOT}{_TOP})){_DOT}{_TOP}", re.IGNORECASE),
    ),
    Recogniser("[邮箱]", re.compile(rf"{_LOCAL}\s?[@＠]\s?{_PROVIDER}(?:{_DOT}{_TOP})?(?![A-Za-z])", re.IGNORECASE)),
    Recogniser(
        "[邮箱]",
        re.compile(
            rf"(?:邮箱|邮件|伊妹儿|[Ee]-?[Mm]ail|[Mm]ail)(?:地址|账号|号)?(?:是|为|发到?|到|[:：\s“【])*(?P<secret>[A-Za-z0-9][A-Za-z0-9._-]{{4,}}(?:{_AT}{_PROVIDER})?)"
        ),
    ),
]

# ---- WeChat and its like ---------------------------------------------------------------------------------------------

_JUNK = rf"[^{HAN}A-Za-z0-9，。；！？\n]{{0,3}}"
_WECHAT = (
    rf"(?:(?:[微薇威维唯围危徽溦巍魏葳韦喂崴]|(?<![A-Za-z])[Vv]|\\/){_JUNK}(?:信|芯|❤|♥|心|星|[xX](?![A-Za-z]))"
    rf"|(?<![A-Za-z])[WwVv]{_JUNK}[XxＸ]|[Ww]e\s?[Cc]hat|WECHAT|[Ww]ei\s?[Xx]in|卫星|绿色(?:聊天)?软件|绿泡泡?|绿信|小绿|公众号|公号|订阅号|服务号|小程序|视频号"
    r"|抖音号?|快手号?|小红书号?|钉钉号?|陌陌号?|飞机号|纸飞机|[Tt]elegram|[Ww]hats[Aa]pp|[Ll]ine(?=[:：])|支付宝(?:账号|账户|帐号|号)?)"
)
_ADD = (
    r"(?:加|\+|➕|＋|佳|嘉|茄|家|搜)\s?(?:我|一下|下|医生|老师|个|她|他)?(?:的)?\s?"
    r"(?:[vV微薇威徽卫围](?![A-Za-z]|生|C|B|D|E)|[Vv](?=[A-Za-z]*[0-9_]))"
)
_LONE = r"(?<![A-Za-z0-9])[vV](?:号|[:：])"
_SAYS = (
    r"(?:同号|号码|账号|帐号|[Ii][Dd]|号|名|搜索|搜|查找|添加|联系|加|就是|是|为|叫|我|请|发|了|也|的|和"
    r"|[:：→>=＝\-—\s“\"'‘【「『（(〔<《~～,]|➡️?|👉|❤️?|️){0,8}"
)
_ACCOUNT = (
    rf"(?P<secret>[A-Za-z](?:[-_A-Za-z0-9]|[{NUMERALS}]{{3,}}|[{NUMERALS}](?=[-_A-Za-z0-9])|大写|小写|下划线|横杠|杠|\s(?=[A-Za-z]+(?:下划线|[0-9_]))){{4,30}}|[A-Za-z]+_[A-Za-z0-9]{{1,20}}|[A-Za-z][0-9]{{3}}|[0-9]{{5,12}}[A-Za-z]{{0,10}}|[0-9]+[A-Za-z][A-Za-z0-9_]{{3,}}"
    r"|[A-Za-z0-9_](?:[\s.·][A-Za-z0-9_]){4,20})(?![-_A-Za-z0-9])"
)
_NO_ACCOUNT = re.compile(
    r"(?:wechat|weixin|https?|online|doctor|health|group|iphone|android|apple|hospital|covid.*|vitamin.*|pay.*|app)$",
    re.IGNORECASE,
)


def _is_account(text: str) -> bool:
    return not _NO_ACCOUNT.match(text)


def _has_figure(text: str) -> bool:
    return any(char.isdigit() or char == "_" for char in text)


ACCOUNTS = [
    Recogniser("[微信]", re.compile(rf"(?:{_WECHAT}|{_ADD}|{_LONE}){_SAYS}{_ACCOUNT}"), _is_account),
    Recogniser("[微信]", re.compile(rf"(?:{_WECHAT}|{_ADD})[^A-Za-z0-9，。；\n\[\]]{{0,7}}{_ACCOUNT}"), _has_figure),
    # 微信群“健康”abc_123: a quoted name between.
    Recogniser(
        "[微信]", re.compile(rf"{_WECHAT}群?(?:号)?[“\"「【《][^”\"」】》\n]{{1,15}}[”\"」】》]{_SAYS}{_ACCOUNT}"), _has_figure
    ),
    Recogniser("[微信]", re.compile(r"(?P<secret>wxid_[A-Za-z0-9]{4,}|gh_[0-9a-f]{8,})")),
    Recogniser(
        "[微信]",
        re.compile(
            rf"(?<![-_A-Za-z0-9@.])(?P<secret>[A-Za-z][-_A-Za-z0-9]{{3,19}}|[A-Za-z]*_[A-Za-z0-9]+)[”\"」】）)]?\s?(?:这个|这是|就是|是|为)?(?:我的?|本人|医生的?)?的?\s?{_WECHAT}"
        ),
        _has_figure,
    ),
    Recogniser(
        "[微信]",
        re.compile(
            r"(?:搜索?|查找|添加|加|关注)\s?(?:我|ID|id|账号|好友)?[:：\s“\"]{0,2}(?P<secret>(?=[A-Za-z_-]*[0-9_])[A-Za-z][-_A-Za-z0-9]{5,19})(?=[^A-Za-z0-9]{0,2}(?:加|好友|进群|入群|咨询|私聊|备注|$|，|。))"
        ),
    ),
]

# ---- QQ --------------------------------------------------------------------------------------------------------------

_QQ = (
    r"(?:(?<![A-Za-z])[Qq]\W{0,2}[Qq](?![A-Za-z])|扣扣|叩叩|抠抠|寇寇|蔻蔻|口口|球球|秋秋|丘丘|企鹅|企娥|小企鹅|腾讯号|[Tt][Xx]号|(?:加|\+|➕|搜|我的?|是|联系)\s?(?:我|一下|下)?的?\s?[Qq扣](?![A-Za-z])"
    r"|(?<![A-Za-z])[Qq](?=群|号|[:：])|扣(?=[:：])|扣(?=号)|(?<![A-Za-z])[Qq](?=\s?[1-9][0-9]{5}))"
)
_QQ_SAYS = r"(?:群|号码|账号|帐号|号|同号|邮箱|[Ii][Dd]|搜|加|就是|是|为|我|也|的|[:：→>=\-—\s“\"'‘【「（(]|➡️?|👉){0,6}"


def qq(view: View) -> list[Recogniser]:
    gap = rf"[^0-9A-Za-z{HAN}，。；、！？!?,;:：\[\]\n]{{0,2}}"
    return [
        Recogniser(
            "[QQ]",
            re.compile(
                rf"{_QQ}{_QQ_SAYS}[^0-9A-Za-z{HAN}，。；\n\[\]]{{0,3}}(?P<secret>[1-9](?:{gap}[0-9]){{4,11}})(?![0-9])(?!\s?(?:元|块|mg|ml|分钱))"
            ),
            view=view,
            cues=("Q", "q", "扣", "企", "球", "秋", "丘", "叩", "抠", "寇", "蔻", "口口", "腾讯", "TX", "tx"),
            least=5,
        ),
        Recogniser(
            "[QQ]",
            re.compile(
                r"(?<![0-9A-Za-z.])(?P<secret>[1-9][0-9]{4,11})[”」】）)]?\s?(?:这个|这是|就是|是|为)?(?:我的?|本人)?的?\s?(?:[Qq]{2}|扣扣|企鹅|[Qq]号|[Qq]群)"
            ),
            view=view,
            cues=("Q", "q", "扣", "企", "球", "秋", "丘", "叩", "抠", "寇", "蔻", "口口", "腾讯", "TX", "tx"),
            least=5,
        ),
    ]


GROUPS = [
    Recogniser(
        "[QQ]",
        re.compile(
            rf"{_QQ}{_QQ_SAYS}(?:[“\"「【《][^”\"」】》\n]{{1,15}}[”\"」】》]\s?[:：]?)?(?P<secret>[A-Za-z][-_A-Za-z0-9]*[_0-9][-_A-Za-z0-9]{{3,}})"
        ),
        _has_figure,
    ),
]


_ANY_ID = r"[A-Za-z0-9_]"
MAIL_SIGN = "|".join(
    [
        r"[@＠]|邮箱|邮件|伊妹儿|[Mm]ail",
        r"(?i:(?:[.．。·]|点|dot)\s?[\])）】}]?\s?(?:com|cn|net|org|edu|gov|me|cc))",
    ]
)
SIGN = "|".join(
    [
        rf"(?:[微薇威维唯围危徽溦巍魏葳韦喂崴VvWw]|\\/)[^{HAN}A-Za-z0-9，。；！？\n]{{0,3}}(?:信|芯|❤|♥|心|星|[xXＸ])",
        r"(?i:we\s?chat|wei\s?xin|wxid_|gh_|telegram|whatsapp|line[:：])|卫星|绿色(?:聊天)?软件|绿泡|绿信|小绿|公众号|公号|订阅号|服务号|小程序|视频号|抖音|快手|小红书|钉钉|陌陌|飞机号|支付宝",
        rf"(?:[加+➕＋佳嘉茄家搜]|查找|添加|关注)\s?(?:我|一下|下|医生|老师|个|她|他|号|ID|id|账号|好友)?(?:的)?[:：\s“\"]{{0,2}}[vV微薇威徽卫围]?[^A-Za-z0-9，。；\n\[\]]{{0,7}}{_ANY_ID}{{4}}",
        rf"[加+➕＋佳嘉茄家搜]\s?(?:我|一下|下|医生|老师|个|她|他)?的?\s?[vV微薇威徽卫围][^，。；\n\[\]]*{_ANY_ID}",
        r"[vV](?:号|[:：])",
        r"(?:[Qq]\W{0,2}[Qq]|扣扣|叩叩|抠抠|寇寇|蔻蔻|口口|球球|秋秋|丘丘|企[鹅娥]|腾讯号|[Tt][Xx]号|[Qq扣](?:群|号|[:：])|[加+➕搜我是系的下]\s?[Qq扣])[^，。；\n]*[A-Za-z0-9]",
    ]
)
