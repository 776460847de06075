"""Tasks → predictions → scores → comparison → report. Gets its systems as objects or as settings; knows no engine."""

from medasst.evaluation.config import EvaluateConfig, EvaluatedSystem, TaskConfig
from medasst.evaluation.report import EvalReport, TaskSummary
from medasst.evaluation.run import evaluate
from medasst.evaluation.scoring import ScoreReport, score
from medasst.evaluation.systems import System, systems_of

__all__ = [
    "EvalReport",
    "EvaluateConfig",
    "EvaluatedSystem",
    "ScoreReport",
    "System",
    "TaskConfig",
    "TaskSummary",
    "evaluate",
    "score",
    "systems_of",
]
