"""Conversation → token ids and loss mask: the only chat-template code, for training, evaluation and serving alike."""

from medasst.render.exported import exported_template
from medasst.render.renderer import Choice, Rendered, Renderer, TemplateKind

__all__ = ["Choice", "Rendered", "Renderer", "TemplateKind", "exported_template"]
