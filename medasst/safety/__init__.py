"""The shop's rules: tables of the rulebook, and pure functions over what a dialogue has told. Knows no model."""

from medasst.safety.alarm import Alarm
from medasst.safety.facts import Facts
from medasst.safety.finding import PersonFinding, Told, Why
from medasst.safety.gate import Act, Gate
from medasst.safety.held import Alike, Held
from medasst.safety.output import Context, Verdict, degenerate
from medasst.safety.person import PersonChecks
from medasst.safety.rules import Rules
from medasst.safety.triage import Triage

__all__ = [
    "Act",
    "Alarm",
    "Alike",
    "Context",
    "Facts",
    "Gate",
    "Held",
    "PersonChecks",
    "PersonFinding",
    "Rules",
    "Told",
    "Triage",
    "Verdict",
    "Why",
    "degenerate",
]
