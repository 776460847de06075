"""The answer of a check: our JSON, and cards of HL7 CDS Hooks, release 2.0.1 (https://cds-hooks.hl7.org; 3.0 left cards alike).

Of that standard only the response is used, a `cards` array: there is no FHIR server behind a shop's counter to ask.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from medasst.rulebook.texts import CheckTexts
from medasst.safety.finding import PersonFinding, Severity

_SUMMARY = 139  # characters: the standard asks for fewer than 140
_INDICATOR: dict[Severity, str] = {"forbid": "critical", "ask": "warning", "caution": "info"}
_SYSTEM = "urn:medasst:check"


@dataclass(frozen=True, slots=True)
class CheckAnswer:
    """What was found, the strictest first, and how far that goes.

    Attributes:
        covered: what of the patient was told and looked at; `together`: the medicines among one another; `conditions_in_part`
            instead of `conditions` where `not_covered` names some.
        not_told: what of the patient nobody told, and nothing was looked at.
        unknown_drugs: of medicines asked about and taken, those that no table knows all of.
        not_covered: a medicine and a condition that is known, but of which no row speaks for this medicine.
        drugs: what each medicine that is asked about was taken for: its substances.
        amounts: how much of a medicine was read out of its name (布洛芬 2片).
        note: that no finding is no clearance.
    """

    findings: tuple[PersonFinding, ...]
    covered: tuple[str, ...]
    not_told: tuple[str, ...]
    unknown_drugs: tuple[str, ...]
    not_covered: tuple[tuple[str, str], ...]
    drugs: dict[str, tuple[str, ...]]
    amounts: dict[str, str]
    note: str

    def to_json(self) -> dict[str, Any]:
        """The answer as JSON."""
        return {
            "findings": [finding.to_json() for finding in self.findings],
            "covered": list(self.covered),
            "not_told": list(self.not_told),
            "unknown_drugs": list(self.unknown_drugs),
            "not_covered": [{"medicine": medicine, "condition": condition} for medicine, condition in self.not_covered],
            "drugs": {name: list(substances) for name, substances in self.drugs.items()},
            "amounts": self.amounts,
            "note": self.note,
        }


def cards(answer: CheckAnswer, texts: CheckTexts) -> dict[str, Any]:
    """The response of a CDS service: a card a finding, the most urgent first, and one that says how far the check went.

    A service without advice may return no card; here the last one always stands, as no finding is no clearance.
    """
    return {"cards": [*(_card(finding, texts) for finding in answer.findings), _last(answer)]}


def _card(finding: PersonFinding, texts: CheckTexts) -> dict[str, Any]:
    grounds = "\n".join(
        f"- {why.source or why.rule}（{why.rule}{' ' + why.version if why.version else ''}）" for why in finding.why
    )
    card: dict[str, Any] = {
        "summary": _short(finding.sentence),
        "detail": f"{finding.sentence}\n\n{grounds}",
        "indicator": _INDICATOR[finding.severity],
        "source": {
            "label": finding.why[0].source or "MedAsst",
            "topic": {"system": _SYSTEM, "code": finding.kind},
        },
    }
    if finding.stops:
        card["overrideReasons"] = [
            {"system": f"{_SYSTEM}:reason", "code": reason.code, "display": reason.display} for reason in texts.reason
        ]
    return card


def _last(answer: CheckAnswer) -> dict[str, Any]:
    lists = {
        "covered": answer.covered,
        "not_told": answer.not_told,
        "unknown_drugs": answer.unknown_drugs,
        "not_covered": tuple(f"{medicine}（{condition}）" for medicine, condition in answer.not_covered),
    }
    detail = "\n".join(f"- {name}: {'、'.join(values) or '—'}" for name, values in lists.items())
    return {
        "summary": _short(answer.note),
        "detail": f"{answer.note}\n\n{detail}",
        "indicator": "warning" if answer.unknown_drugs or answer.not_covered else "info",
        "source": {"label": "MedAsst", "topic": {"system": _SYSTEM, "code": "coverage"}},
    }


def _short(text: str) -> str:
    return text if len(text) <= _SUMMARY else text[: _SUMMARY - 1] + "…"
