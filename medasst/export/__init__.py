"""A trained adapter → what other engines run: a merged model, a GGUF file, an adapter for vLLM; each held against training."""

from __future__ import annotations

from medasst.export.job import FORMS, ExportResult, Form, export
from medasst.export.parity import Parity

__all__ = ["FORMS", "ExportResult", "Form", "Parity", "export"]
