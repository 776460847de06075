"""How much of a medicine: what somebody says to take, what a leaflet's dosage comes to in a day, what a strength tells."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import NamedTuple

from medasst.lexicon.values import number

_NUMBER = r"(?:[0-9]{1,8}(?:\.[0-9]{1,8})?|[零一二两三四五六七八九十半百]{1,8})"
_PIECE = "[片粒颗袋包丸枚支]"
_WEIGHT = r"(?:mg|毫克|g(?![a-z])|克|μg|ug|mcg|微克)"
_MG: Mapping[str, float] = {"g": 1000, "克": 1000, "mg": 1, "毫克": 1}
_MICROGRAM = 0.001


def _most(unit: str) -> str:
    """A number or a range, of which the upper end counts."""
    return rf"(?:{_NUMBER}(?:{unit})?[-~～至到—])?(?P<n>{_NUMBER})"


_PIECES = re.compile(_most(_PIECE) + _PIECE)
_WEIGHED = re.compile(_most(_WEIGHT) + rf"(?P<unit>{_WEIGHT})")
_TIMES = re.compile(
    rf"(?:每|一)(?:日|天)(?:口服|服用?|吃|用)?{_most('次')}(?:次|回)|(?P<m>{_NUMBER})(?:次|回)(?:/|每)(?:日|天)"
)
_LATIN: Mapping[str, float] = {"qd": 1, "bid": 2, "tid": 3, "qid": 4}
_ONCE = rf"(?:一次|每次)(?:口服|服用?|吃|用)?{_most(_PIECE + '|' + _WEIGHT)}"
_ONCE_PIECES, _ONCE_WEIGHED = re.compile(_ONCE + _PIECE), re.compile(_ONCE + rf"(?P<unit>{_WEIGHT})")
_EVERY = re.compile(rf"(?:每|间隔)(?:隔)?(?P<n>{_NUMBER})(?:[-~～至到—]{_NUMBER})?个?小时")
_CAP = r"(?:24小时|一日|每日|一天)内?[^,。;]{0,8}(?:不得?超过|不可超过|最多|最大量?不超过)"
_CAP_PIECES, _CAP_TIMES = (re.compile(_CAP + rf"(?P<n>{_NUMBER}){unit}") for unit in (_PIECE, "次"))
_PER_DAY = re.compile(rf"(?:一日|每日|一天){_most(_PIECE)}{_PIECE}")
_PER_PIECE = rf"[^0-9a-z,、;]{{0,4}}?(?P<n>[0-9]+(?:\.[0-9]+)?)\s*(?P<unit>{_WEIGHT})"
_STRENGTH = re.compile(rf"(?P<n>[0-9]+(?:\.[0-9]+)?)\s*(?P<unit>{_WEIGHT})\s*(?:[*×x/].*)?")


class Dose(NamedTuple):
    """How much of a medicine somebody takes, as far as that was told; None: not told.

    Attributes:
        pieces: tablets, sachets at a time; mg: the weight of one, or of what is taken at a time where no pieces are told.
        times: a day.
    """

    pieces: float | None = None
    mg: float | None = None
    times: float | None = None

    def day(self, per_piece: float | None) -> tuple[float, bool] | None:
        """What of a substance that is in mg in a day, and whether that is all; without a frequency at least one intake.

        Args:
            per_piece: mg of it in one piece, where that is known.
        """
        one = per_piece if self.mg is None else self.mg
        if one is None or (self.pieces is None and self.mg is None):
            return None
        return one * (self.pieces or 1) * (self.times or 1), self.times is not None


def read_dose(text: str) -> Dose:
    """What a text of nothing but doses tells: 一次1片 一日3次, 0.5g tid."""
    text = _folded(text)
    times, weighed = _TIMES.search(text), _WEIGHED.search(text)
    latin = next((count for word, count in _LATIN.items() if re.search(rf"\b{word}\b", text)), None)
    return Dose(
        pieces=_n(_PIECES.search(text)),
        mg=_mg(weighed) if weighed else None,
        times=number(times["n"] or times["m"]) if times else latin,
    )


def leaflet_day(dosage: str, per_piece: float | None) -> float | None:
    """The most mg of a substance that a leaflet's dosage lets a grown-up take in a day; None where it can't be told.

    Args:
        per_piece: mg of it in one piece, where that is known.
    """
    text = _folded(dosage)
    caps = [number(match["n"]) for match in _CAP_PIECES.finditer(text)]
    if caps and per_piece is not None:
        return max(caps) * per_piece
    pieces = [number(match["n"]) for match in _ONCE_PIECES.finditer(text)]
    weighed = [_mg(match) for match in _ONCE_WEIGHED.finditer(text)]
    once = max(pieces) * per_piece if pieces and per_piece is not None else max(weighed, default=None)
    times = _times(text)
    if once is not None and times is not None:
        return once * times
    whole = [number(match["n"]) for match in _PER_DAY.finditer(text)]
    return max(whole) * per_piece if whole and per_piece is not None else None


def strengths(text: str, substances: Mapping[str, str], *, pieces: bool) -> dict[str, float]:
    """mg of each substance in one piece, as a product's strength tells it (每片含对乙酰氨基酚325mg; 0.3g).

    Args:
        substances: names as ingredients.toml has them → as a strength writes them.
        pieces: the product comes in pieces, so that a bare weight is one piece's.
    """
    text = _folded(text).strip()
    found = {
        name: _mg(match)
        for name, written in substances.items()
        if (match := re.search(re.escape(_folded(written)) + _PER_PIECE, text))
    }
    bare = _STRENGTH.fullmatch(text)
    return dict.fromkeys(substances, _mg(bare)) if not found and bare and pieces and len(substances) == 1 else found


def _times(text: str) -> float | None:
    capped = [number(match["n"]) for match in _CAP_TIMES.finditer(text)]
    told = [number(match["n"] or match["m"]) for match in _TIMES.finditer(text)]
    hours = [number(match["n"]) for match in _EVERY.finditer(text)]
    if capped or told:
        return max(capped or told)
    return 24 / min(hours) if hours and 0 not in hours else None


def _n(match: re.Match[str] | None) -> float | None:
    return number(match["n"]) if match else None


def _mg(match: re.Match[str]) -> float:
    return number(match["n"]) * _MG.get(match["unit"], _MICROGRAM)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower()
