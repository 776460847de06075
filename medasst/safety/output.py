"""Checks on what is about to be said: one sentence at a time, and a model's answer as a whole."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from medasst.lexicon import plain
from medasst.rulebook.texts import OutputTexts
from medasst.safety.doses import doses
from medasst.safety.gate import Gate
from medasst.text import comparison_key, sentences

Author = Literal["person", "model"]
GROUNDED = 0.6  # share of a model's character pairs that must stand in what people wrote
_HAN = re.compile(r"[\u4e00-\u9fff]")
_DRUG_LIKE = re.compile(
    r"[\u4e00-\u9fff]{2,}(?:片|胶囊|颗粒|冲剂|口服液|合剂|丸|散剂|软膏|乳膏|药膏|凝胶|滴剂|滴眼液|眼药水|栓|糖浆|喷雾|喷剂|贴膏|洗剂|洗液|溶液|酊|注射液|霜|滴丸|灵(?![活敏])|唑|酮|啶|嗪|脲|胺|苷)"
)


class Verdict(NamedTuple):
    """Whether a sentence may leave; if not, by which rule, and what may stand in its place (None: nothing)."""

    ok: bool
    rule: str | None = None
    replaced_by: str | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """What a sentence is judged by.

    Attributes:
        author: who wrote it. A person's sentence is vetted; a model's may word what people wrote, and not widen it.
        grounds: what people wrote for this reply: vetted answer, leaflet sections. Only a model's sentence needs them.
        about: whether the drug named last before this sentence needs a prescription; None if none was named.
        own_words: whether a model answers what nobody wrote about: it needs no grounds then, and may name no medicine at all.
    """

    author: Author = "person"
    grounds: str = ""
    about: bool | None = None
    own_words: bool = False


class OutputCheck:
    """`check_sentence` and `degenerate` with their tables.

    Args:
        gate: the prescription gate.
        data: the checks.
        replacements: a sentence by rule, for people's sentences that are refused.
    """

    def __init__(self, gate: Gate, data: OutputTexts, replacements: Mapping[str, str]) -> None:
        self._gate, self._replacements = gate, replacements
        self._checks = [(check, _compile(check.patterns), _compile(check.unless)) for check in data.check]
        self._care = _pairs("".join(data.degenerate.care))

    def check_sentence(self, sentence: str, context: Context) -> Verdict:
        """Whether `sentence` may reach a shopper."""
        text = plain(sentence).text
        by_model = context.author == "model"
        if not self._gate.allows(sentence, by_model=by_model, about=context.about):
            return self._refused("prescription")
        for check, patterns, unless in self._checks:
            if (
                (by_model or not check.model)
                and any(p.search(text) for p in patterns)
                and not any(p.search(text) for p in unless)
            ):
                return self._refused(check.id)
        return self._model_rules(sentence, text, context) if by_model else Verdict(True)

    def _model_rules(self, sentence: str, text: str, context: Context) -> Verdict:
        grounds = "" if context.own_words else context.grounds
        plainly = plain(grounds).text
        if doses(text):
            return self._refused("dose")
        known = [one for one in self._gate.names(sentence) if one.words not in comparison_key(grounds)]
        if known or any(not _stands_in(name, plainly) for name in _DRUG_LIKE.findall(text)):
            return self._refused("unknown_drug")
        if context.own_words or self.grounded(sentence, grounds):
            return Verdict(True)
        return self._refused("ungrounded")

    def grounded(self, sentence: str, grounds: str) -> bool:
        """Whether enough of the sentence's character pairs stand in `grounds` or in the care that any counter gives."""
        pairs = _pairs(sentence)
        return bool(pairs) and len(pairs & (_pairs(grounds) | self._care)) >= GROUNDED * len(pairs)

    def _refused(self, rule: str) -> Verdict:
        return Verdict(False, rule, self._replacements.get(rule))


def degenerate(text: str, question: str = "") -> str | None:
    """Why a model's answer is not one (empty, garbled, role_leak, not_chinese, echo, loop), or None if it is."""
    key = comparison_key(text)
    if len(key) < 4:
        return "empty"
    if "\ufffd" in text:
        return "garbled"  # half a character: bytes that are no text
    if re.search(r"(?:^|\n)\s*(?:用户|助手|患者|user|assistant|human)\s*[：:]", text, re.IGNORECASE):
        return "role_leak"
    if len(_HAN.findall(key)) < 0.6 * len(key):
        return "not_chinese"
    if question and _echoes(key, comparison_key(question)):
        return "echo"
    return "loop" if _loops(text, key) else None


def _loops(text: str, key: str) -> bool:
    """A sentence three times, a clause right after itself, or a text whose character 6-grams mostly repeat."""
    parts = Counter(k for s in sentences(text) for part in re.split(r"[，,、]", s) if len(k := comparison_key(part)) >= 4)
    if parts and parts.most_common(1)[0][1] >= 3:
        return True
    if re.search(r"(.{2,20}?)\1{2,}", key):
        return True
    grams = [key[i : i + 6] for i in range(len(key) - 5)]
    return len(grams) >= 20 and len(set(grams)) < 0.7 * len(grams)


def _echoes(answer: str, question: str) -> bool:
    """The answer says little but the question."""
    if len(question) < 6:
        return answer == question
    return (question in answer and len(answer) < 1.5 * len(question)) or _overlap(answer, question) > 0.8


def _overlap(answer: str, question: str) -> float:
    pairs = _pairs(answer)
    return len(pairs & _pairs(question)) / len(pairs) if pairs else 0.0


def _pairs(text: str) -> set[str]:
    key = comparison_key(text)
    return {key[i : i + 2] for i in range(len(key) - 1)}


def _stands_in(name: str, grounds: str) -> bool:
    """Whether a drug-like word, or its last five letters (the pattern takes words before it too), stands in the grounds."""
    return name in grounds or name[-5:] in grounds


def _compile(patterns: Iterable[str]) -> list[re.Pattern[str]]:
    return [re.compile(pattern) for pattern in patterns]
