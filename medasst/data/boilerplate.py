"""The forms of question sites cut from answers: labels, greetings and good wishes that recur verbatim and say nothing.

Cut are: labels of a form wherever they stand (病情分析：, 指导意见：; the commonest without a colon too), what the platform
says (答非所问将会被通报, 点击首页…, 请采纳), courtesy before the first (您好，很高兴为您解答，根据您的描述，) and after the
last (希望我的回答对您有帮助，祝您早日康复). An answer that is nothing else, or nearly, stays whole, as does the polite end of a
dialogue (不客气，祝您健康); the filter `placeholder` drops records in which no answer says more.
"""

from __future__ import annotations

import polars as pl

from medasst.data.phrases import phrases

_YOU = "(?:您|你)"
_END = r"[，,、。.！!：:；;~～\s]*"
_PAUSE = r"[，,、。.！!：:；;~～\s]+"

_LABEL = (
    "(?:病情分析|问题分析|病例分析|心理分析|指导意见|意见建议|指导建议|健康指导|心理指导"
    "|医生[询寻]问|生[活存]护理|生活调理|其[他它]提示)"
)
PLATFORM, _PRAISE = phrases("answers", "platform"), phrases("answers", "praise")
_PLATFORM_SIGN = "将会被通|点击|关闭对话|服务|结束|采纳|评价|点赞|好评|追问"
_GREETING = rf"(?:{_YOU}好[，,。.：:!！\s]*)?"
# Labels that lost their colon: 注意清洗的指导意见你好，可以…. After some words it is one itself: 提供指导意见, 医生的指导意见.
_BARE = "(?:指导意见|意见建议)+"
_BARE_AFTER_STOP = "(?:指导意见|意见建议|病情分析|问题分析|病例分析)+"
_NEW_SENTENCE = "([^如是为的和与及中有仅，,。、：:\\s]|如[果堵需无]|有可能)"
_AFTER_STOP = rf"(^|[。！？；!?;.…~\s）)\]】])[，,、]*{_BARE_AFTER_STOP}[，,、\s]*{_GREETING}{_NEW_SENTENCE}"
_AFTER_WORD = (
    rf"([^生师家您你者]的|[\p{{Han}}A-Za-z0-9--的化下供具据]|[，,、])[\[【]?{_BARE}[\]】]?\s*{_GREETING}{_NEW_SENTENCE}"
)
_ABOUT = "(?:的|所|得|这种|这些|此|描述|叙述|讲述|讲解|陈述|提供|提问|讲|说|述|信息|情况|症状|病情|内容|问题)"
_OPENINGS = (
    rf"(?:(?:这位|亲爱的)?(?:朋友|网友|家长|患者|咨询者|宝妈|亲)[，,\s]*)?{_YOU}们?好(?:朋友|啊|呀)?{_PAUSE}",
    rf"(?:这位|亲爱的)(?:朋友|网友|家长|患者|咨询者){_PAUSE}",
    rf"(?:很|非常|十分)?高兴(?:能够?|可以)?(?:为|给|替){_YOU}(?:提供)?(?:解答|解惑|服务|回答|咨询)(?:这个|{_YOU}的)?(?:问题)?{_PAUSE}",
    # A model of someone else's is not to be trained to give its name.
    rf"(?:我是|作为)(?:一[个名款位])?.{{0,6}}(?:智能|医学|医疗|AI|语言|大)(?:医学|医疗|健康|问诊|语言)*(?:助手|助理|机器人|模型){_PAUSE}",
    rf"(?:感谢|谢谢){_YOU}(?:对.{{1,8}})?的?(?:咨询|提问|信任|支持|关注){_PAUSE}",
    rf"(?:根据|按照|依据|通过|从|就|看了?){_YOU}(?:目前|现在)?{_ABOUT}+(?:来看|看来|来说|上看|看|分析|推测|判断)?[，,：:]\s*",
)
_OPENING = rf"^(?:[，、。\s]*(?:{_LABEL}\s*[:：]\s*|{'|'.join(_OPENINGS)}))+"

_WHOM = f"(?:{_YOU}们?的?|患者|病人|宝宝|宝贝|孩子|小孩|老人|家人|大家|朋友|早点|能够?|可以|都|和|与|及|、)"
_WELL = "(?:早日|尽快|尽早|身体|永远|恢复|健康|康复|痊愈|好转|快乐|成长|平安|顺利|愉快|幸福|安康|生活|一切|工作)"
_REPLY = "(?:回答|解答|建议|答案|意见|解释|分析|回复|答复)"
_MINE = "(?:(?:我们?的?|以上的?|上述的?|这些)(?:问题)?)"
_HELPS = f"(?:对|给|帮助?|协助)(?:到|助)?(?:{_YOU}们?|大家)(?:能)?有?(?:所|些|一定的?|点)?(?:帮助|帮到|协助|启发)?到?{_YOU}?"
_CLOSINGS = (
    rf"(?:最后)?[，,]?(?:衷心|诚心)?(?:祝愿?|希望|期望|愿|望){_WHOM}*{_WELL}(?:{_WELL}|[，,、和吧])*",
    r"早日(?:康复|恢复健康)|祝好运?",
    rf"(?:(?:希望|期望|但愿|还?望){_MINE}?{_REPLY}?|{_MINE}{_REPLY}(?:希望|期望)?)(?:能够?|可以|会)?{_HELPS}",
    rf"以上(?:就?是|为)(?:我)?对[^\n]{{1,60}}?问题的{_REPLY}",
    rf"以上(?:的|{_REPLY}|内容)*(?:仅|只)?(?:供|可以?[做作]为)(?:{_YOU}|大家)?参考",
    rf"(?:如果?|若){_YOU}?(?:还)?有(?:其他|其它|什么|任何|别的|不明白的?|方面的?|相关的?|更多的?|进一步的?|关于[^，。]{{1,20}}的)*(?:问题|疑问)(?:的话)?[，,]?(?:请|可以?|欢迎|也|您|你)*"
    rf"(?:随时|继续|再次|再)+(?:向我们?|和我|与我|来)?(?:咨询|提问|追问|联系我|告诉我)",
    rf"(?:如果?|若)?{_YOU}?(?:还|如|再|若)?有(?:其他|其它|什么|任何|相关的?|更多的?|进一步的?|关于[^，。]{{1,20}}的)*(?:问题|疑问|事)[，,]?(?:请|可以?|您|你)*(?:随时|及时)(?:和|跟|与|向|找)?(?:我们?|医生)?"
    r"(?:联系我?们?(?:或留言)?|沟通|留言)(?:[，,]我看到后会第一时间回复)?",
    rf"欢迎{_YOU}?(?:的|再来|再次|下次再?|继续|随时)*(?:咨询|提问|追问)",
    rf"(?:如果)?(?:满意|谢谢)?(?:请|望){_YOU}?(?:及时|点击)?采纳(?:为答案)?",
)
_THANKS = rf"(?:谢谢|感谢){_YOU}?(?:的|对我们?的)?(?:咨询|提问|信任|支持|关注|采纳)?"
# After a full stop it is cut as it stands; in the middle of a sentence it leaves a full stop.
_CLOSING = rf"([。！？!?；;.…~\s”）)]|^){_END}(?:(?:{'|'.join(_CLOSINGS)}|{_THANKS}){_END})+$"
_RUN_ON = rf"[，,、]?(?:(?:{'|'.join(_CLOSINGS)}){_END}(?:{_THANKS}{_END})?)+$"

# What a text must hold for any of this to be tried: most texts hold none of it.
_SIGN = (
    r"[:：]|^.{0,12}[您你]|朋友|[祝愿望我]|早日|帮助|帮到|协助|参考|咨询|提问|追问"
    "|指导意见|[情题例]分析|意见建议|将会被通|点击|联系|谢谢|感谢|支持|信任|关注|采纳|答案|健康|康复"
)
_POLITE = "^(?:不用?|不必|别|您|你)?太?(?:客气|谢)"
_GOES_ON = "^(?:以及|及|和|与|并且?|还有|而且)"  # 根据你说的，以及… is one sentence
_LEAST = 4  # letters: what is shorter once cut (再见！, 可以。) stays whole too


def cut_platform(texts: pl.Series) -> pl.Series:
    """Answers without what a platform says in the doctor's name, and without requests for points; of nothing else they stay."""
    places = texts.str.contains(_PLATFORM_SIGN).fill_null(value=False).arg_true()
    if not len(places):
        return texts
    whole = texts.gather(places)
    cut = whole.str.replace_all(PLATFORM, "").str.replace(_PRAISE, "").str.strip_chars()
    said = cut.str.contains(r"[\p{L}\p{N}]")
    return texts.scatter(places, whole.zip_with(~said, cut))


def cut_boilerplate(texts: pl.Series) -> pl.Series:
    """Answers without the forms of question sites; what would be left empty stays whole. Twice changes nothing more."""
    places = texts.str.contains(_SIGN).fill_null(value=False).arg_true()
    if not len(places):
        return texts
    whole = pl.col("text")
    cut = (
        whole.str.replace(_OPENING, "")
        .str.replace_all(rf"([。！？；!?;.\n])[\s，,]*{_LABEL}\s*[:：]\s*(?:{_YOU}好{_PAUSE})?", "$1")
        .str.replace_all(rf"[\s，,、]*{_LABEL}\s*[:：]\s*(?:{_YOU}好{_PAUSE})?", "。")
        .str.replace_all(_AFTER_STOP, "$1$2")
        .str.replace_all(_AFTER_WORD, "$1。$2")
        .str.replace(_CLOSING, "$1")
        .str.replace(_RUN_ON, "。")
        .str.strip_chars()
    )
    # A column of its own: as an expression it would be worked out at each of its three mentions.
    frame = pl.DataFrame({"text": texts.gather(places)}).with_columns(cut.alias("cut"))
    short = pl.col("cut").str.count_matches(r"[\p{L}\p{N}]") < _LEAST
    kept = whole.str.contains(_POLITE) | pl.col("cut").str.contains(_GOES_ON) | short
    return texts.scatter(places, frame.select(pl.when(kept).then(whole).otherwise("cut").alias("text"))["text"])
