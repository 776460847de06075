"""What a row of an overlay allows that the tables didn't: that needs a pharmacist's name and a date."""

from __future__ import annotations

from medasst.rulebook.medicines import (
    SEVERITIES,
    VERDICTS,
    AllergyRow,
    Amounts,
    ComplaintRow,
    ContentRow,
    DoseRow,
    GroupRow,
    IngredientRow,
    InteractionRow,
    PopulationRow,
)
from medasst.rulebook.rows import STRICTNESS, URGENCY, ClassRow, CueRow, DrugRow, LookRow, Row, StemRow, TriageRow


def loosens(before: Row | None, row: Row) -> str:
    """What the row allows that was not allowed before it, in words; empty where it only adds or tightens."""
    what = ""
    if isinstance(row, CueRow):
        what = "changes when a finding counts" if row.sets not in ("present", "possible") else ""
    elif isinstance(row, StemRow | ClassRow | DrugRow) and STRICTNESS.index(row.status) == 0 and before is None:
        what = "makes a name free to sell"
    elif isinstance(before, DrugRow | ClassRow) and isinstance(row, DrugRow | ClassRow):
        looser = STRICTNESS.index(row.status) < STRICTNESS.index(before.status)
        what = f"is sold as {row.status}, was {before.status}" if looser else ""
    elif isinstance(before, TriageRow) and isinstance(row, TriageRow):
        what = _loosens_rule(before, row)
    elif isinstance(row, LookRow):
        looser = isinstance(before, LookRow) and (
            row.threshold > before.threshold or URGENCY.index(row.level) < URGENCY.index(before.level)
        )
        what = "speaks more rarely" if looser else ""
    else:
        what = _loosens_medicine(before, row)
    return what


def _loosens_rule(before: TriageRow, row: TriageRow) -> str:
    if URGENCY.index(row.level) < URGENCY.index(before.level):
        return f"is of level {row.level}, was {before.level}"
    if set(row.unless) - set(before.unless):
        return "has a new exception"
    if before.never_resolved and not row.never_resolved:
        return "can be resolved"
    return "ends without a doctor" if before.seen_only and not row.seen_only else ""


def _loosens_medicine(before: Row | None, row: Row) -> str:
    if row.checked and not (before is not None and before.checked):
        return "is called checked"
    if isinstance(row, PopulationRow | ComplaintRow | ContentRow | IngredientRow | GroupRow) and before is None:
        allows = not isinstance(row, PopulationRow) or row.verdict == "allow"
        return "brings what may be offered" if allows else ""
    what = ""
    if isinstance(before, InteractionRow) and isinstance(row, InteractionRow):
        lower = SEVERITIES.index(row.severity) < SEVERITIES.index(before.severity)
        what = f"is of severity {row.severity}, was {before.severity}" if lower or (row.agreed and not before.agreed) else ""
    elif isinstance(before, PopulationRow) and isinstance(row, PopulationRow):
        what = f"is {row.verdict}, was {before.verdict}" if VERDICTS.index(row.verdict) < VERDICTS.index(before.verdict) else ""
    elif isinstance(before, AllergyRow) and isinstance(row, AllergyRow):
        what = "only asks" if (before.verdict, row.verdict) == ("forbid", "ask") else ""
    elif isinstance(row, DoseRow):
        what = "allows more" if not isinstance(before, DoseRow) or _more(before.first, row.first) else ""
    elif isinstance(before, IngredientRow) and isinstance(row, IngredientRow):
        what = "is no longer under control" if before.control and not row.control else ""
    elif isinstance(before, ContentRow) and isinstance(row, ContentRow):
        looser = before.status is not None and (
            row.status is None or STRICTNESS.index(row.status) < STRICTNESS.index(before.status)
        )
        what = "is sold more freely" if looser else ""
    elif isinstance(before, ComplaintRow) and isinstance(row, ComplaintRow):
        what = "offers more" if len(row.choices) > len(before.choices) or set(before.ask) - set(row.ask) else ""
    return what


def _more(before: Amounts, now: Amounts) -> bool:
    """Whether an amount is larger, its interval shorter, or a bound gone."""
    for name, bound in before.model_dump().items():
        value = getattr(now, name)
        if bound is not None and (value is None or (value < bound if name == "hours" else value > bound)):
            return True
    return False
