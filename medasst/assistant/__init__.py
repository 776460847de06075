"""One reply to a shopper: the only room where catalogue, rules and model meet."""

from medasst.assistant.events import Ask, Card, Citation, End, Event, Finding, HandOff, Text, plain_text
from medasst.assistant.reply import Assistant
from medasst.assistant.vetted import VettedAnswer, VettedAnswers

__all__ = [
    "Ask",
    "Assistant",
    "Card",
    "Citation",
    "End",
    "Event",
    "Finding",
    "HandOff",
    "Text",
    "VettedAnswer",
    "VettedAnswers",
    "plain_text",
]
