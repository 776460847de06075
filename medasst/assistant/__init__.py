"""One reply to a shopper: the only room where catalogue, rules and model meet."""

from medasst.assistant.events import Ask, Card, Citation, End, Event, Finding, HandOff, Text, plain_text

__all__ = ["Ask", "Card", "Citation", "End", "Event", "Finding", "HandOff", "Text", "plain_text"]
