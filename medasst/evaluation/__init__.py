"""Tasks → predictions → scores → comparison → report. Gets its systems as objects or as settings; knows no engine."""

from medasst.evaluation import choice, dialogue, generate, letter, option_text, qa  # noqa: F401 - kinds and protocols file themselves
from medasst.evaluation.config import EvaluateConfig, EvaluatedSystem
from medasst.evaluation.report import EvalReport, TaskSummary
from medasst.evaluation.run import evaluate
from medasst.evaluation.scoring import ScoreReport, score
from medasst.evaluation.systems import Guard, System, systems_of
from medasst.evaluation.task import TaskConfig

__all__ = [
    "EvalReport",
    "EvaluateConfig",
    "EvaluatedSystem",
    "Guard",
    "ScoreReport",
    "System",
    "TaskConfig",
    "TaskSummary",
    "evaluate",
    "score",
    "systems_of",
]
