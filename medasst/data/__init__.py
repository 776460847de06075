"""From raw medical Q&A to a prepared set: read, clean, mask, deduplicate, split, decontaminate.

It knows nothing of models or tokens.
"""

from medasst.data.exam import ExamQuestion
from medasst.data.manifest import PrepareReport, iterate_split, load_manifest, load_split
from medasst.data.prepare import prepare
from medasst.data.privacy import mask
from medasst.data.recipes import read_conversations, read_exam, recipes
from medasst.data.settings import PrepareConfig, Source, SplitSettings

__all__ = [
    "ExamQuestion",
    "PrepareConfig",
    "PrepareReport",
    "Source",
    "SplitSettings",
    "iterate_split",
    "load_manifest",
    "load_split",
    "mask",
    "prepare",
    "read_conversations",
    "read_exam",
    "recipes",
]
