"""Explanations of exam questions without what they say to the examinee: marks of options (A错), pages, tips for the exam.

What is left explains the matter. A record is set aside where the explanation says that another option is right than the key,
or explains other questions, and where the question is about a case that isn't told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from medasst.data.phrases import phrases
from medasst.data.records import RecordError

KEY = "答案："  # what the answer made of an explanation begins with
_NOTES = re.compile(phrases("exam", "notes"), re.MULTILINE)
_SENTENCES = re.compile(phrases("exam", "sentences"))
_OTHER = re.compile(phrases("exam", "other"))
_CASELESS = re.compile(phrases("exam", "caseless"))
_STUCK = re.compile(phrases("exam", "stuck"))
_SHARED = re.compile(phrases("exam", "shared"))
_BROKEN = re.compile(phrases("exam", "broken"))
_HEADLESS = re.compile(phrases("exam", "headless"))
_KEY = re.compile(phrases("exam", "key"))
_MARK = re.compile(phrases("exam", "mark"))
_BLANK = re.compile(r"(?<=[\u4e00-\u9fff]) +(?=[\u4e00-\u9fff])")
_TWO_MARKS = re.compile(r"([。！？；，])[。，；、]+")
_OPEN_STOP = re.compile(r"[，、；;,]+(?:([。！？])|$)")
_ASKS = re.compile(r"多少|哪|什么|何|几|除了|下列|以下")
_MARKED_WRONG = re.compile(r"[（(]\s*([A-E]{1,4})(?:选项|项)?均?错误?(?:[，,][^（）()]*)?\s*[）)](?=[，,。；]|$)")
_STATEMENT = 6  # letters of an option that says something, and isn't just a name
_STEM = 10  # letters by which a stem is known
_LEAST = 8  # letters of an explanation that says something
_SEVERAL = re.compile(phrases("exam", "several"))
_NEGATIVE = re.compile(r"不|错误|除|无|非|没有|禁|外|例外|慎|忌|最少|最低|少见")


def explains(explanation: str, stem: str = "", options: Mapping[str, str] = MappingProxyType({})) -> str:
    """The explanation without notes to the examinee.

    Args:
        explanation: as it stands in the file.
        stem: the question. Where it asks how many or which, a first sentence that is the stem over again goes too.
        options: texts by letter.

    Raises:
        RecordError: hardly anything is left, it explains other questions, or would say what it calls wrong.
    """
    if _OTHER.search(explanation):
        raise RecordError("other_question", "the explanation speaks of other questions of the paper")
    if _says_wrong(explanation, options):
        raise RecordError("contradicts", "without its mark a wrong option would stand there as true")
    text, before = explanation, ""
    while text != before:  # 故（BC对）。 leaves 故。
        before, text = text, _NOTES.sub(lambda found: found[found.lastindex] if found.lastindex else "", text)
    text = _SENTENCES.sub("", text)
    if _ASKS.search(stem) and text.startswith(stem[:_STEM]):  # 不得超过多少日的常用量3日: the stem with the key behind it
        text = text.partition("。")[2]
    text = _BLANK.sub("", text)
    text = _OPEN_STOP.sub(lambda found: found[1] or "。", _TWO_MARKS.sub(r"\1", text)).strip().lstrip("，。；、：:")
    if _HEADLESS.search(text):
        raise RecordError("broken_stem", "the beginning of the explanation is lost")
    if text != explanation and len(_letters(text)) < _LEAST:
        raise RecordError("no_answer", "the explanation only names the key")
    return text


def _says_wrong(text: str, options: Mapping[str, str]) -> bool:
    """Whether a clause is a wrong option itself, so that nothing but the mark says that it is wrong: 直接发病（E错）。"""
    for found in _MARKED_WRONG.finditer(text):
        begins = max(text.rfind(stop, 0, found.start()) for stop in "。；\n") + 1
        clause = _letters(text[begins : found.start()])
        if len(clause) >= _STATEMENT and any(clause == _letters(options.get(letter, "")) for letter in found[1]):
            return True
    return False


def asked(stem: str) -> str:
    """The stem without what a paper says before a case of several questions (122～123题共用题干)."""
    return _SHARED.sub("", stem)


def check_case(stem: str) -> None:
    """Raises RecordError where the stem is about a case that isn't told, or isn't whole."""
    if _CASELESS.search(stem):
        raise RecordError("missing_case", "the question is about a case that the row doesn't tell")
    if _STUCK.search(stem):
        raise RecordError("broken_stem", "another heading of the paper stands in the question")
    if _BROKEN.search(stem):
        raise RecordError("broken_stem", "the beginning of the question or its picture is lost")


def check_one_question(stem: str, right: Sequence[str], explanation: str) -> None:
    """Raises RecordError where several options are right though the stem asks for one, and the explanation doesn't say them
    together: the questions that share those options were run together.

    Args:
        stem: the question.
        right: texts of the options that the key names.
        explanation: as it stands in the file.
    """
    if len(right) < 2 or _SEVERAL.search(stem) or len(_letters(explanation)) < _LEAST:
        return
    texts = [_letters(text) for text in right]
    listed = [_letters(explanation)] if "—" not in explanation else re.split(r"[。；;\n—]", explanation)
    if not any(all(text in _letters(sentence) for text in texts) for sentence in listed):
        raise RecordError("several_keys", "the key names options of other questions that share them")


def _letters(text: str) -> str:
    return re.sub(r"[\W_]", "", text)


def check_key(stem: str, letters: Sequence[str], right: Sequence[str], explanation: str) -> None:
    """Raises RecordError where the explanation calls other options right than the key does.

    Args:
        stem: the question, which may ask for the wrong one.
        letters: of all options.
        right: letters of the key.
        explanation: as it stands in the file.
    """
    key = set(right)
    named = [set(found[1]) & set(letters) for found in _KEY.finditer(explanation)]
    if any(letters_ and letters_.isdisjoint(key) for letters_ in named):
        raise RecordError("contradicts", "the explanation names another option than the key")
    if _NEGATIVE.search(stem) or "正确答案" in explanation or "以上" in explanation:
        return
    good: set[str] = set()
    bad: set[str] = set()
    for found in _MARK.finditer(explanation):
        (good if found[2] in ("对", "正确") else bad).update(set(found[1]) & set(letters))
    if key & bad - good or (good and good.isdisjoint(key)):
        raise RecordError("contradicts", "the explanation calls another option right than the key")
