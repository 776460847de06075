"""Tidying equals the shared normalisation, and each filter drops what it names and keeps its neighbour."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medasst.data.filters import FILTERS, CleanSettings, drop_reason, views
from medasst.data.repeats import said_once, without_repeats
from medasst.data.stages import cleaned
from medasst.data.tidy import normalised, tidied, tidied_turns
from medasst.text import normalise

GOOD = "建议先休息两天，多喝温水，如果体温超过三十八度五再吃退烧药。"


def reason(question: str, answer: str, **settings: object) -> str | None:
    frame = pl.DataFrame({"roles": [["user", "assistant"]], "texts": [[question, answer]]})
    frame = frame.with_columns(views()).with_columns(drop_reason(CleanSettings.model_validate(settings)).alias("reason"))
    value = frame["reason"][0]
    return None if value is None else str(value)


@given(st.lists(st.text(max_size=30), min_size=1, max_size=4))
def test_the_column_normalises_as_the_function_does(texts: list[str]) -> None:
    texts = [text.encode("utf-8", "ignore").decode() for text in texts]
    assert pl.DataFrame({"t": texts}).select(normalised(pl.col("t")))["t"].to_list() == [normalise(text) for text in texts]


@given(st.text(alphabet="头痛，。：<br>&nbsp;amp \n\t\u200b\u3000Ａ１e\u0301意见建议", max_size=40))
def test_tidying_twice_changes_nothing_more(text: str) -> None:
    frame = pl.DataFrame({"t": [text]}).select(tidied(pl.col("t")))
    again = frame.select(tidied(pl.col("t")))["t"][0]
    assert again == normalise(again)


@pytest.mark.parametrize(
    ("raw", "tidy"),
    [
        ("头痛<br/>怎么办<p class='x'>", "头痛怎么办"),
        ("血糖&lt;6&nbsp;正常", "血糖<6 正常"),
        ("体重<50kg，年龄>60", "体重<50kg，年龄>60"),
        ("头\u200b痛\ufeff　　ＡＢ１２", "头痛 AB12"),
        ("一\r\n\r\n\n二", "一\n二"),
        ("，你好。", "你好。"),
        ("？？", "？？"),
        ("多休息。意见建议：", "多休息。"),
        ("多休息。、", "多休息。"),
    ],
)
def test_tidied(raw: str, tidy: str) -> None:
    assert pl.DataFrame({"t": [raw]}).select(tidied(pl.col("t")))["t"][0] == tidy


@pytest.mark.parametrize(
    ("name", "question", "answer"),
    [
        ("empty_turn", "头痛怎么办", ""),
        ("masked_word", "头痛怎么办", GOOD + "可以口服[MASK，一日三次。"),
        ("broken_encoding", "头痛怎么办", GOOD + "锟斤拷"),
        ("broken_encoding", "头痛\ufffd怎么办", GOOD),
        ("question_short", "痛", GOOD),
        ("answer_short", "头痛怎么办", "多休息。"),
        ("turn_long", "头痛怎么办", "建议多休息" * 900),
        ("echo", GOOD, GOOD.replace("，", " ")),
        ("wrong_language", "头痛怎么办", "Take a rest and drink some water, please."),
        ("cut_off", "头痛怎么办", "建议先休息两天，如果体温超过三十八度，"),
        ("cut_off", "头痛怎么办", "建议先休息两天，多喝温水。对于反复发作的患者来说，"),
        ("cut_off", "头痛怎么办", "建议先休息两天，常用的药物有（"),
        ("cut_off", "头痛怎么办", ("多数头痛不要紧，休息后会好" * 20)[:245]),
        ("cut_off", "头痛怎么办", "建议先休息两天，多喝温水。如果"),
        ("advertising", "头痛怎么办", "可以点击在线咨询，了解头痛的更多治疗方法。"),
        ("advertising", "头痛怎么办", "欢迎来我院就诊，我院专家坐诊多年经验丰富。"),
        ("advertising", "头痛怎么办", "我家的祖传秘方专治头痛，服药后可以彻底根治不复发。"),
        ("advertising", "头痛怎么办", "建议用传统中药配合治疗，见效快，疗效确切，许多患者不再头痛。"),
        ("advertising", "肿瘤怎么办", "传统的放疗和手术已经逐渐被取代，我们的中药可以帮助患者摆脱病魔。"),
        ("advertising", "头痛怎么办", "长期供求肿瘤药品，价格从优，货到付款，联系后发货。"),
        ("paraphrased", "头痛怎么办", "头痛是由受凉引来的，平时要留意歇息，防止操劳。"),
        ("paraphrased", "乙肝怎么传染", "乙肝主要通过血液和母婴散播，应当及时救治，不要恐慌。"),
        ("placeholder", "头痛怎么办", "您好，您的问题已收到，请耐心等待医生的回复，祝您生活愉快。"),
        ("placeholder", "头痛怎么办", "谢谢您的咨询与信任，祝您身体健康，工作顺利！"),
        ("broken_encoding", "头痛怎么办", GOOD.encode().decode("latin-1")),
        ("repetition", "头痛怎么办", "建议先休息两天。建议先休息两天。建议先休息两天。"),
        ("repetition", "头痛怎么办", "好的" * 30),
        ("repetition", "头痛怎么办", "啊" * 12),
    ],
)
def test_each_filter_drops_what_it_names_and_can_be_switched_off(name: str, question: str, answer: str) -> None:
    assert reason(question, answer) == name
    assert reason(question, answer, off=(name,)) != name


@pytest.mark.parametrize(
    "answer",
    [
        GOOD,
        GOOD.rstrip("。"),  # a missing full stop alone is no sign of a cut
        "结膜干燥症；目劄病；产后目病；干眼",
        "请到正规医院就诊，可以提前预约挂号再去检查。",
        "血常规（WBC、CRP）和胸片都要查，结果出来再看。",
        "头痛多半和休息不好有关，先观察几天看看现在",  # ends in 在, but not in the joining word
        "建议先休息两天，血压不要太高，也要温和",
        "幽门螺杆菌阳性时常用四联疗法，疗程十四天，一个月后复查。",
        "要想见效快又彻底，可以考虑物理治疗，疗效确切，用后复查。",
        "姜黄是一种传统中药，也可以作为调料使用，三点以后再吃，进入冬天少吃。",
        "头痛再次出现时应当去急诊救治，不能拖延。",  # one mark is no damage
        "乙肝病毒的复制可用拷贝数表示，抗病毒治疗后会下降。",
        "谢谢你的补充，这样看来是紧张性头痛，先热敷肩颈。",
    ],
)
def test_sound_answers_pass(answer: str) -> None:
    assert reason("头痛怎么办", answer) is None


@pytest.mark.parametrize(
    ("raw", "cut"),
    [
        ("病情分析：你好，头痛多与休息不好有关。指导意见：建议早睡。", "头痛多与休息不好有关。建议早睡。"),
        ("头痛多与休息不好有关意见建议：你好，建议早睡。", "头痛多与休息不好有关。建议早睡。"),
        ("您好，很高兴为您解答，根据您的描述，考虑紧张性头痛。", "考虑紧张性头痛。"),
        ("这位朋友，你好！看了你的描述：多半是紧张性头痛。", "多半是紧张性头痛。"),
        ("建议早睡。希望我的回答对您有帮助，祝您早日康复！", "建议早睡。"),
        ("建议早睡，以上是对“头痛怎么办？”这个问题的建议，希望对您有帮助，祝您健康！", "建议早睡。"),
        ("建议早睡，以上意见仅供参考。", "建议早睡。"),
        ("建议早睡，多喝水，祝宝宝健康成长", "建议早睡，多喝水。"),
        ("建议早睡。如果还有其他问题，可以随时向我咨询。", "建议早睡。"),
        ("建议早睡，您有任何问题可以随时和我联系或留言，我看到后会第一时间回复。", "建议早睡。"),
        ("我是仲景智能医学助手，很高兴为您解答问题。考虑紧张性头痛。", "考虑紧张性头痛。"),
        ("作为一个AI语言模型，我建议早睡。", "我建议早睡。"),
        ("我是医学生，建议早睡。", "我是医学生，建议早睡。"),
        # Labels that lost their colon, and what the form told the doctor.
        ("头痛多与休息不好有关。指导意见建议早睡。", "头痛多与休息不好有关。建议早睡。"),
        ("考虑是休息不好引起的指导意见你好建议早睡", "考虑是休息不好引起的。建议早睡"),
        ("考虑紧张性头痛，指导意见可以热敷。", "考虑紧张性头痛。可以热敷。"),
        ("病情分析，你好:多半是紧张性头痛。", "多半是紧张性头痛。"),
        ("建议早睡。请根据患者提问，提供合理化指导意见，答非所问、敷衍、无意义回复，将会被通报！", "建议早睡。"),
        ("给宝宝保暖，点击“首页”-“康复记录”-找到我，进去后点击“再次咨询”，多喝水。", "给宝宝保暖，多喝水。"),
        ("建议早睡。再次找之前医生复诊方法：【点击“首页”-“康复记录”-找到医生，进去后点击“再次咨询“并留言】", "建议早睡。"),
        ("请在医生的指导意见下用药。", "请在医生的指导意见下用药。"),
        ("医生会提供指导意见帮你恢复。", "医生会提供指导意见帮你恢复。"),
        ("具体用药的指导意见如下：先热敷。", "具体用药的指导意见如下：先热敷。"),
        # What says something stays.
        ("根据你的检查结果来看，血压偏高。", "根据你的检查结果来看，血压偏高。"),
        ("你好转以后再停药。", "你好转以后再停药。"),
        ("临床表现：头痛。治疗：休息。", "临床表现：头痛。治疗：休息。"),
        ("如果还有头痛，请随时就诊。", "如果还有头痛，请随时就诊。"),
        ("用药后有问题请及时联系医院。", "用药后有问题请及时联系医院。"),
        ("多运动，有助于身体健康。", "多运动，有助于身体健康。"),
        ("这个药对你有帮助，可以继续吃。", "这个药对你有帮助，可以继续吃。"),
        # What would be left empty, or is the polite end of a dialogue, stays too.
        ("不客气，祝您早日康复！", "不客气，祝您早日康复！"),
        ("希望我的回答对您有帮助。", "希望我的回答对您有帮助。"),
        ("你好，可以。", "你好，可以。"),
    ],
)
def test_boilerplate_is_cut_and_content_stays(raw: str, cut: str) -> None:
    assert turns(["x", raw])[1] == cut


def turns(texts: list[str], simplify: bool = True, boilerplate: bool = True) -> list[str]:
    roles = ["user", "assistant"] * (len(texts) // 2)
    return [str(text) for text in tidied_turns(pl.Series(texts), pl.Series(roles), simplify, boilerplate).texts]


def test_only_answers_lose_boilerplate_and_both_steps_can_be_switched_off() -> None:
    asked, answered = "您好，頭痛，祝您健康", "您好，頭痛要休息，祝您健康"
    assert turns([asked, answered]) == ["您好，头痛，祝您健康", "头痛要休息。"]
    assert turns([asked, answered], simplify=False) == [asked, "頭痛要休息。"]
    assert turns([asked, answered], boilerplate=False) == ["您好，头痛，祝您健康", "您好，头痛要休息，祝您健康"]


def test_a_comma_in_place_of_the_last_full_stop_becomes_one_unless_the_sentence_goes_on() -> None:
    assert turns(["x", "建议先休息，多喝水，"])[1] == "建议先休息，多喝水。"
    assert turns(["x", "建议先休息，如果头痛加重，"])[1] == "建议先休息，如果头痛加重，"


@pytest.mark.parametrize(
    ("raw", "mended"),
    [
        ("多与休息不好有关，。建议早睡。。多喝水。，", "多与休息不好有关。建议早睡。多喝水。"),
        ("建议：。早睡，，多喝水.。", "建议：早睡，多喝水。"),
        ("每次1.5片。0.5片也可。", "每次1.5片。0.5片也可。"),
        ("头痛吗？。早睡！！", "头痛吗？早睡！！"),
        ("）是指睡眠不足。G", "是指睡眠不足。"),
        ("建议补充维生素C", "建议补充维生素C"),
        ("的这种情况来看，多半是紧张性头痛。", "你的这种情况来看，多半是紧张性头痛。"),
        ("的确如此，建议早睡。", "的确如此，建议早睡。"),
    ],
)
def test_marks_and_first_words_of_answers_are_mended(raw: str, mended: str) -> None:
    assert turns([raw, raw])[1] == mended
    assert turns(["x", mended])[1] == mended


ONCE = "头痛多与休息不好有关，建议早睡早起。平时多喝温水，少看手机。"


@pytest.mark.parametrize(
    ("raw", "once"),
    [
        (ONCE + ONCE, ONCE),
        (ONCE.rstrip("。") + ONCE, ONCE),
        (ONCE + "您好，" + ONCE[:-4], ONCE),  # the second copy was cut off
        (ONCE + ONCE + ONCE + "另外可以热敷。", ONCE + "另外可以热敷。"),
        ("头痛多与长期休息不好有关，头痛多与长期休息不好有关，建议早睡。", "头痛多与长期休息不好有关，建议早睡。"),
        ("建议早睡。" + ONCE + "少喝咖啡。平时多喝温水，少看手机。", "建议早睡。" + ONCE + "少喝咖啡。"),
        # A phrase that belongs to each item of a list stays.
        ("布洛芬每次一片，每日三次饭后服用；维生素C每次两片，每日三次饭后服用。",) * 2,
        ("好的好的，建议早睡，好的。",) * 2,
    ],
)
def test_what_an_answer_says_twice_it_says_once(raw: str, once: str) -> None:
    assert without_repeats(raw) == once
    assert turns(["x", raw])[1] == once


SAID = ("头痛多与休息不好有关", "建议早睡早起", "，", "。", "？", "\n", "您好，", "多喝水")


@given(st.lists(st.sampled_from(SAID), max_size=30))
def test_taking_repeats_out_twice_changes_nothing_more_and_loses_no_word(parts: list[str]) -> None:
    text = "".join(parts)
    once = without_repeats(text)
    assert without_repeats(once) == once
    assert {part for part in parts if len(part) > 3} == {part for part in parts if len(part) > 3 and part in once}


def test_a_long_text_full_of_repeats_is_left_to_the_filter() -> None:
    long = "".join(f"，{n}号病人头痛多与休息不好有关，建议早睡早起" for n in range(40_000))
    assert said_once(pl.Series([long])).to_list() == [long]


def test_a_polite_end_keeps_the_dialogue() -> None:
    frame = pl.DataFrame(
        {"roles": [["user", "assistant"] * 2], "texts": [["头痛怎么办", "你好，" + GOOD, "谢谢", "不客气，祝您早日康复！"]]}
    )
    clean = cleaned(frame, CleanSettings(), privacy=True)
    assert clean["reason"].to_list() == [None]
    assert clean["texts"][0].to_list() == ["头痛怎么办", GOOD, "谢谢", "不客气，祝您早日康复！"]


PIECES = (
    *"你您好，。！：、？ \n谢的",
    *("指导意见", "意见建议", "病情分析", "祝您健康", "早日康复", "希望我的回答对您有帮助", "根据您的描述", "有问题随时联系我"),
    *("敷衍、无意义回复，将会被通报！", "的情况", "头痛", "建议多休息", ")", "提供", "医生的"),
)


@given(st.lists(st.sampled_from(PIECES), max_size=14))
def test_cutting_twice_changes_nothing_more(pieces: list[str]) -> None:
    once = turns(["x", "".join(pieces)])
    assert turns(once) == once


def test_every_filter_is_documented() -> None:
    assert FILTERS
    assert all(function.__doc__ for function in FILTERS.values())
