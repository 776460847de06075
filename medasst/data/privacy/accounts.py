"""Secrets that are accounts: e-mail, WeChat and its like, QQ."""

from __future__ import annotations

import re

from medasst.data.privacy.recogniser import HAN, NUMERALS, SEPARATORS, SIGNS, Recogniser, View, any_of, words

_DATA = words()["accounts"]

# ---- e-mail ----------------------------------------------------------------------------------------------------------

# From where it begins, so that a long run of letters is read once.
_LOCAL = (
    rf"(?<![A-Za-z0-9])(?:[A-Za-z0-9]|[{NUMERALS}]{{5}})"
    rf"(?:[A-Za-z0-9._%+-]|下划线|[{NUMERALS}]{{3}}|[{NUMERALS}](?=[{NUMERALS}]{{0,3}}\s?(?:[@＠]|艾特|爱特|圈))){{0,60}}"
)
_HOST = (
    r"(?:vip\s?\.?\s?)?(?:[Qq]{2}|163|126|188|139|189|yeah|sina|sohu|tom|21cn|gmail|outlook|hotmail|foxmail|live|msn|aliyun"
    r"|icloud|yahoo|wo)"
)
_TOP = r"(?:com\.cn|com|cn|net|org|edu|gov|me|cc|[康抗科靠]姆)(?![A-Za-z])"
_PROVIDER = rf"(?:(?:网易|腾讯|新浪|搜狐|谷歌|阿里)?{_HOST}|网易|腾讯|新浪|搜狐|扣扣|[一幺]六三|[一幺]二六)"
_DOT = r"\s?(?:[.．。·,，]|[\[(（【{<_-]?\s?(?:点|dot|DOT|Dot|D O T)\s?[\])）】}>_-]?|-(?=com|cn))\s?"
_AT = (
    r"\s?(?:[@＠]{1,2}|[#＃*&]|[\[(（【{<]\s?(?:at|AT|At|@|艾特|爱特|a|圈a|小老鼠)\s?[\])）】}>]|艾特|爱特|圈[aA]|小老鼠|[aA]圈|圈[Aa]|花a|🅰️?"
    r"|\s(?:at|AT|At|在|A T)\s|[_.-]at[_.-]|AT(?=[a-z0-9])|@符号|在(?=[a-zA-Z0-9]{2,10}点))\s?"
)
_LABEL = rf"[A-Za-z0-9{HAN}](?:[A-Za-z0-9{HAN}-])*"
MAILS = [
    # z h a n g @ 1 6 3 . c o m
    Recogniser(
        "[邮箱]", re.compile(r"(?<![A-Za-z0-9])(?:[A-Za-z0-9._]\s){3,30}[@＠](?:\s[A-Za-z0-9.．]){4,20}(?![A-Za-z0-9])")
    ),
    Recogniser("[邮箱]", re.compile(rf"{_LOCAL}\s?[@＠]\s?{_LABEL}(?:\s?[.．]\s?{_LABEL})*\s?[.．]\s?[A-Za-z]{{2,}}")),
    Recogniser(
        "[邮箱]",
        re.compile(rf"{_LOCAL}{_AT}(?:{_PROVIDER}|[A-Za-z][A-Za-z0-9-]{{1,20}}(?={_DOT}{_TOP})){_DOT}{_TOP}", re.IGNORECASE),
    ),
    Recogniser("[邮箱]", re.compile(rf"{_LOCAL}\s?[@＠]\s?{_PROVIDER}(?:{_DOT}?{_TOP})?(?![A-Za-z])", re.IGNORECASE)),
    Recogniser(
        "[邮箱]",
        re.compile(
            rf"(?:邮箱|邮件|信箱|伊妹儿|[✉📧📮📩📨]\ufe0f?|[Ee]-?[Mm]ail|[Mm]ail)(?:地址|账号|号)?(?:是|为|发到?|到|[:：\s“【])*(?P<secret>[A-Za-z0-9][A-Za-z0-9._-]{{4,}}(?:{_AT}{_PROVIDER})?)"
        ),
    ),
]

# ---- WeChat and its like ---------------------------------------------------------------------------------------------

_JUNK = rf"[{SEPARATORS}\[\]]{{0,3}}"
_WEI = _DATA["wei"]
_XIN = _DATA["xin"]
# Where people have pages of their own; other words about them tell no account (知乎上说).
_SITE_NAMES = (
    r"小红薯|小地瓜|知乎|[Bb]站|哔哩哔哩|豆瓣|贴吧|头条|百家|西瓜视频|微博|脸书|推特|探探|领英|虎扑|[Ff]acebook|[Ii]nstagram|[Tt]witter|[Ss]kype"
    r"|[Dd]iscord|(?<![A-Za-z])(?:[Ii]ns|IG|FB)(?![A-Za-z])"
)
_SOCIAL = rf"(?:{_SITE_NAMES})(?=号|用户|昵称|账号|帐号|主页|搜|关注|名|是|[Uu]?[Ii][Dd]|[:：]|\s?[A-Za-z]+[-_★0-9])"
_WECHAT = (
    rf"(?:(?:[{_WEI}]|(?<![A-Za-z])(?:[VvWw]|[Ww]ei)|\\/){_JUNK}(?:[{_XIN}]|[xX]in|XIN|[xX](?![A-Za-z]))"
    rf"|(?<![A-Za-z])[WwVv]{_JUNK}[XxＸ]|[Ww]e\s?[Cc]hat|WECHAT|[Ww]ei\s?[Xx]in|[Ww][ēéěè]i\s?[Xx][īíǐì]n"
    r"|绿色(?:图标|聊天|软件|泡泡|的|那个|[Aa][Pp][Pp]){1,4}|[绿🍃🟢]泡泡?|绿信|小绿(?:书|人)?|绿绿|[💬🗨🛰📡]|微博(?:号|[:：])|同[VvWw微威薇](?![A-Za-z])|公众号|公号|订阅号|服务号|小程序|视频号"
    rf"|抖\W?音号?|快\W?手号?|小红书号?|钉钉号?|陌陌号?|飞机号|纸飞机|{_SOCIAL}|[Tt]elegram|[Ww]hats[Aa]pp|[Ll]ine(?=[:：])|支付宝(?:账号|账户|帐号|号)?)"
)
_ADD = (
    r"(?:加|\+|➕|＋|佳|嘉|茄|家|搜|私聊|私信|联系)\s?(?:我|一下|下|医生|老师|个|她|他)?(?:的)?[:：\s]{0,2}"
    r"(?:[微薇威维徽卫围](?!生|创|量|[CBDE]\b)|[vV](?![A-Za-z]|[CBDE])|[Vv](?=[A-Za-z]*[0-9_]))"
)
_LONE = r"(?<![A-Za-z0-9])(?:[vV微薇威]|[Ww]ei)(?:号|\s?[:：])"
_SAYS = (
    r"(?:同号|号码|账号|帐号|[Uu]?[Ii][Dd](?![A-Za-z0-9_])|主页|昵称|用户|关注|号|名|搜索|搜|查找|添加|联系|加|就是|是|为|叫|我|请|发|了|也|的|和"
    r"|[（(][A-Za-z]?[\u4e00-\u9fff]{1,8}[)）]|[:：→>=＝\-—\s“\"'‘【「『（(〔<《~～,]|➡️?|👉|❤️?|️){0,8}"
)
# What these begin with: Python tries the many ways to write them only there.
_CHAT_FIRSTS = rf"{_WEI}VvWw\\绿🍃🟢小💬🗨🛰📡同公订服视抖快钉陌飞纸TtLl支知Bb哔豆贴头百西脸推探领虎FfIiSsDd加+➕＋佳嘉茄家搜私联"
# How people spell the signs of an account.
_SPELT = r"[(（]?(?:大写|小写|下划线|下横线|下杠|中划线|横杠|横线|短横|减号|杠|点(?=[A-Za-z0-9])|后面(?=[A-Za-z0-9]))[)）]?"
_ACCOUNT = (
    rf"(?P<secret>[A-Za-z]{{2,10}}(?:[*★☆~·.][A-Za-z0-9]{{1,10}}){{2,4}}|(?!www\.|https?:)[A-Za-z](?:[-_－＿A-Za-z0-9]|\.(?=[A-Za-z0-9])|[{NUMERALS}]{{2,}}|[{NUMERALS}](?=[-_－＿A-Za-z0-9])|{_SPELT}"
    rf"|\s(?=[A-Za-z]{{1,8}}\s?(?:下划线|[0-9_]))|\s(?=[0-9]{{2}})|\s(?=[0-9{NUMERALS}]\s?[0-9{NUMERALS}Oo]\s?[0-9{NUMERALS}Oo])"
    rf"|(?<=[\s{NUMERALS}][0-9{NUMERALS}Oo])\s(?=[0-9{NUMERALS}](?![0-9]))|[★☆](?=[0-9A-Za-z{NUMERALS}])|(?<=[0-9])[{NUMERALS}](?![{HAN}])){{2,30}}"
    rf"|[A-Za-z]+_[A-Za-z0-9]{{1,20}}|[A-Za-z][0-9]{{3}}|[0-9]{{5,12}}[A-Za-z]{{0,10}}|[0-9{NUMERALS}]{{6,12}}|[0-9]+[A-Za-z][A-Za-z0-9_]{{3,}}"
    rf"|[A-Za-z0-9_{NUMERALS}](?:[\s.·](?:[A-Za-z0-9_{NUMERALS}]|下划线|横?杠|减号|点)){{4,20}})(?![-_－＿A-Za-z0-9])"
)
# 微信，我的是abc_1
_TOLD = r"(?:，(?:账?号|我|您|搜|加|就)[^A-Za-z0-9，。；\n\[\]]{0,5})?"
_MIXED = r"(?=[A-Za-z0-9_-]*[A-Za-z_])(?=[A-Za-z0-9_-]*[0-9_])"  # letters and figures
_NO_UNIT = r"(?!\s?(?:元|块|步|次|分|天|年|岁|人|粒|片|单位|%|赞|粉|播放|条|个|万|家|种|篇))"
_NO_ACCOUNT = re.compile(
    r"(?:wechat|weixin|https?|online|doctor|health|group|iphone|android|apple|hospital|covid.*|vitamin.*|pay.*|app"
    r"|(?:hpv|hbv|hcv|hiv|ebv|ca|afp|cea|hcg|il|cd|vit|vb|vd|b|d|k|bmi|igg|ige|igm|ct|kn|n|dha|coq|q|hp|tp|t|ft|sars|omega)[-_]?[0-9]{1,3})$",
    re.IGNORECASE,
)


def _is_account(text: str) -> bool:
    return not _NO_ACCOUNT.match(text) and (len(text) > 4 or (len(text) > 3 and _has_figure(text)))


def _has_figure(text: str) -> bool:
    return any(char.isdigit() or char == "_" for char in text)


# weibo.com/u/57…, zhihu点com斜杠people斜杠…: the page of somebody, none of an article.
_SLASH = r"\s?(?:[/／?=]|斜杠)\s?"
_PAGE = (
    rf"(?<![A-Za-z0-9-])(?:{any_of(_DATA['page_hosts'])})\s?(?:[.．。]|点|dot)\s?(?:com|cn|me|tv){_SLASH}"
    rf"(?:(?:{any_of(_DATA['page_folders'])}){_SLASH}){{0,3}}@?"
)
_PAGE_NAME = (
    rf"(?!(?:{any_of(_DATA['pages_of_none'])})(?![A-Za-z0-9]))[A-Za-z0-9](?:[-_.A-Za-z0-9★☆{NUMERALS}]){{2,39}}(?<![.])"
)
# Nicknames are looked for at these, which may have no letter or figure.
_NICK_SITES = any_of(_DATA["nick_sites"])
ACCOUNTS = [
    Recogniser("[微信]", re.compile(rf"{_PAGE}(?P<secret>{_PAGE_NAME})"), cues=("/", "／", "?", "=", "斜杠")),
    Recogniser(
        "[微信]",
        re.compile(
            rf"(?=[{_CHAT_FIRSTS}])(?:(?:{_WECHAT}|{_ADD})(?:{_SAYS}|[^A-Za-z0-9，。；\n\[\]]{{0,9}}{_TOLD}{_MIXED})|{_LONE}{_SAYS}){_ACCOUNT}{_NO_UNIT}"
        ),
        _is_account,
        view="digits",
    ),
    # 微信群“健康”abc_123: a quoted name between.
    Recogniser(
        "[微信]",
        re.compile(rf"(?=[{_CHAT_FIRSTS}]){_WECHAT}群?(?:号)?[“\"「【《][^”\"」】》\n]{{1,15}}[”\"」】》]{_SAYS}{_ACCOUNT}"),
        _has_figure,
        cues=tuple('”"」】》'),
    ),
    Recogniser(
        "[微信]",
        re.compile(rf"(?:{_NICK_SITES})[^，。；\n]{{0,4}}[@＠](?P<secret>[-_A-Za-z0-9{HAN}]{{2,20}})"),
        cues=("@", "＠"),
    ),
    Recogniser(
        "[微信]",
        re.compile(
            rf"(?:(?:(?:{_NICK_SITES})[Uu]?[Ii][Dd]|(?:{_NICK_SITES}|微信|QQ)(?:昵称|网名|用户名|账号名?|帐号名?))(?:[是叫为]|[:：\s“\"])+"
            rf"|(?:{_NICK_SITES}|视频)号[:：]\s?)"
            rf"(?P<secret>[{HAN}][-_A-Za-z0-9{HAN}]{{1,15}})(?=[，。；、,;”\"\s!！?？）)]|$)"
        ),
        cues=("ID", "Id", "id", "昵称", "网名", "用户名", "账号", "帐号", "号:", "号："),
    ),
    # 发在小红书上了，账号叫 momo爱吃药
    Recogniser(
        "[微信]",
        re.compile(
            rf"(?:{_NICK_SITES})[^。；\n]{{0,10}}(?:账号|帐号|昵称|网名)(?:名?叫)[:：\s“\"]*"
            rf"(?P<secret>[-_A-Za-z0-9{HAN}]{{2,16}})(?=[，。；、,;”\"\s!！?？）)]|$)"
        ),
        cues=("叫",),
    ),
    Recogniser("[微信]", re.compile(r"(?P<secret>wxid_[A-Za-z0-9]{4,}|gh_[0-9a-f]{8,})")),
    Recogniser(
        "[微信]",
        re.compile(
            r"(?P<secret>[A-Za-z_](?<![-_A-Za-z0-9@.].)(?:(?<!_)[-_－＿A-Za-z0-9]{3,19}|(?<!_)[A-Za-z]*_[A-Za-z0-9]+|(?<=_)[A-Za-z0-9]+))"
            rf"[”\"」】）)]?[，,\s（(]{{0,2}}(?:这个|这是|就是|是|为)?(?:我的?|本人|医生的?)?的?\s?{_WECHAT}"
        ),
        _has_figure,
        view="digits",
    ),
    Recogniser(
        "[微信]",
        re.compile(
            r"(?:搜索?|查找|添加|加|关注)\s?(?:我|ID|id|账号|好友)?[:：\s“\"]{0,2}(?P<secret>(?=[A-Za-z_－＿-]*[0-9_＿])[A-Za-z][-_－＿A-Za-z0-9]{5,19})(?=[^A-Za-z0-9]{0,2}(?:加|好友|进群|入群|咨询|私聊|备注|$|，|。))"
        ),
    ),
]

# ---- QQ --------------------------------------------------------------------------------------------------------------

_QQ = (
    r"(?=[Qq扣叩抠寇蔻口球秋丘圈企小🐧鹅扌才Kk腾👗裙羣病进加君Tt群+➕搜我是联])(?:(?<![A-Za-z])[Qq]\W{0,2}[Qq](?![A-KM-Za-km-z])|[扣叩抠寇蔻]{2}|口口|球球|秋秋|丘丘|圈圈|企鹅|企鵝|企娥|小企鹅|🐧|(?i:qiu\s?qiu|kou\s?kou)|[扌才]口|鹅号|鹅厂|腾讯|[👗裙](?:号|號)?(?=[:：]?\s?[0-9]{6})|[裙羣]号|[病进加]裙|君羊号?"
    r"|[Tt][Xx]号|群号|加群|群(?=[:：]?\s?[0-9]{6})"
    r"|(?:加|\+|➕|搜|我的?|是|联系)\s?(?:我|一下|下)?的?\s?[Qq扣鹅](?![A-Za-z])|(?<![A-Za-z])[Qq](?=群|号|我|[:：])"
    r"|[扣叩抠](?=[:：我号群])|(?<![应折克])[扣叩抠](?=\s?[0-9]{6})"
    r"|(?<![A-Za-z])[Qq](?=\s?[1-9][0-9]{5}|\s?[1-9](?:[-*·._ ]?[0-9]){6}))"
)
_QQ_SAYS = (
    r"(?:[群裙]|(?<=扣)我|号码|账号|帐号|号|號|同号|邮箱|[Ii][Dd]|搜|加|就是|是|为"
    r"|我|也|的|[:：→>=\-—\s“\"'‘【「（(\ufe0f❤]|，(?=号|我|是)|，(?=\s?[1-9](?:[\s.·*-]{0,2}[0-9]){5})|吗[？?，]?(?=我|号|加)|是?多少|几号|[？?，](?=我的?[是号])|[上里]面?|了|聊吧?|联系|找|➡️?|👉){0,10}"
)


_QQ_CUES = (*"Qq扣企球秋丘叩抠寇蔻鹅群裙羣👗🐧", "扌口", "才口", "kou", "Kou", "君羊", "口口", "腾讯", "TX", "tx", "圈圈")
# 123（去掉）456（我）789
_JOIN = r"(?:[（(【][^）)】0-9]{1,4}[）)】]|[哈啊呀哦嘿嘻呵])?"


def qq(view: View) -> list[Recogniser]:
    gap = f"[{SEPARATORS}]{{0,3}}"
    return [
        Recogniser(
            "[QQ]",
            re.compile(
                rf"{_QQ}{_QQ_SAYS}[^0-9A-Za-z{HAN}，。；\n\[\]]{{0,3}}(?P<secret>[1-9](?:(?:{gap}|(?<=[0-9]{{2}})[,，、]){_JOIN}[0-9]){{4,11}})(?![0-9])(?!\s?(?:元|块|次|分|mg|ml))"
            ),
            view=view,
            cues=_QQ_CUES,
        ),
        Recogniser(
            "[QQ]",
            re.compile(
                rf"(?<![0-9A-Za-z.])(?P<secret>[1-9](?:{gap}[0-9]){{4,11}})[”」】）)]?[，,\s（(]{{0,2}}(?:这个|这是|就是|是|为)?(?:我的?|本人)?的?\s?(?:[Qq]{{2}}|[扣叩抠]{{2}}|企鹅|球球|[Qq]号|[Qq]群)"
            ),
            view=view,
            cues=_QQ_CUES,
        ),
    ]


GROUPS = [
    Recogniser(
        "[QQ]",
        re.compile(
            rf"{_QQ}{_QQ_SAYS}(?:[“\"「【《][^”\"」】》\n]{{1,15}}[”\"」】》]\s?[:：]?)?(?P<secret>[A-Za-z][-_－＿A-Za-z0-9]*[_0-9][-_－＿A-Za-z0-9]{{3,}})"
        ),
        _has_figure,
        cues=_QQ_CUES,
    ),
]


# Unbounded repeats: for an automaton they are the simpler ones.
_NOTHING = rf"[{SEPARATORS}\[\]]*"
_SITE_SIGN = _SITE_NAMES.replace("(?<![A-Za-z])", "").replace("(?![A-Za-z])", "")
CHAT_SIGN = (
    rf"(?:[{_WEI}VvWw]|[Ww]ei|\\/){_NOTHING}(?:[{_XIN}]|[xXＸ](?:in|IN)?)|[Ww][ēéěè]i\s?[Xx][īíǐì]n|[Cc]hat|CHAT|wxid_|gh_|[Tt]elegram|[Ww]hats|[Ll]ine[:：]"
    rf"|绿色|绿泡|绿信|小绿|绿绿|同[VvWw微威薇]|微博|公众号|公号|订阅号|服务号|小程序|视频号|抖音|快手|小红书|钉钉|陌陌|飞机|支付宝|抖.音|快.手|{_SITE_SIGN}|(?:[vV微薇威]|[Ww]ei)(?:号|\s?[:：])"
)
_APART = r"[^A-Za-z0-9，。；\n\[\]]*"
_ADDED = rf"(?:[加+➕＋佳嘉茄家搜]|私聊|私信|联系|查找|添加|关注){_APART}(?:[vVqQ]{_APART})?[A-Za-z0-9_]{{4}}"
_PENGUIN = (
    "[Qq]|[扣叩抠寇蔻裙]|企[鹅鵝娥]|[扌才]口|[Kk]ou|球球|秋秋|丘丘|鹅"
    "|群号|君羊|[裙羣]号|加群|群[:：]?\\s?[0-9]|口口|圈圈|腾讯|[Tt][Xx]号"
)
ID_SIGN = rf"{_PENGUIN}|{_ADDED}|wxid_|gh_|(?:com|cn|me|tv){_SLASH}"
FIRST_NICK_SIGN = "昵称|账号|帐号"  # and what else has `NICK_SIGN` has 叫, 名, @, ID or 号：, which others look for
NICK_SIGN = (
    rf"(?:{_NICK_SITES})[^。；\n]*(?:[账帐]号|昵称|网名)名?叫|"
    rf"(?:{_NICK_SITES})[^，。；\n]*[@＠]|(?:{_NICK_SITES}|视频)号[:：]"
    rf"|(?:{_NICK_SITES})[Uu]?[Ii][Dd]|(?:{_NICK_SITES}|微信|QQ)(?:昵称|网名|用户名|[账帐]号)"
)
_FIGURE = f"[0-9OoIl{SIGNS}{NUMERALS}]"
QQ_SIGN = rf"{_FIGURE}(?:[^0-9A-Za-z。；\n]*{_FIGURE}){{4}}"
MAIL_SIGN = (
    r"[@＠]|邮箱|邮件|信箱|伊妹儿|[Mm]ail|-com|-cn"
    r"|(?i:(?:[.．。·,，]|点|dot|d o t)\s?[\])）】}>_-]?\s?(?:com|cn|net|org|edu|gov|me|cc|[康抗科靠]姆))"
)
