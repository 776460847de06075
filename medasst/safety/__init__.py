"""The shop's rules: data in TOML, pure functions over it. Knows no model."""

from medasst.safety.facts import Facts
from medasst.safety.output import Context, Verdict, degenerate
from medasst.safety.population import Concern
from medasst.safety.red_flags import Alarm, RedFlag, RedFlags
from medasst.safety.rules import Rules

__all__ = ["Alarm", "Concern", "Context", "Facts", "RedFlag", "RedFlags", "Rules", "Verdict", "degenerate"]
