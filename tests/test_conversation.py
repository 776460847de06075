"""What a model reads of a long conversation."""

from __future__ import annotations

from medasst.conversation import Conversation


def said(text: str) -> Conversation:
    """A conversation of words, each after the first letter of its role."""
    roles = {"s": "system", "u": "user", "a": "assistant"}
    return Conversation.of((roles[turn[0]], turn[1:]) for turn in text.split())


def shown(conversation: Conversation, size: int) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in conversation.newest(size).messages]


TALK = said("s简短 u咳嗽 a多久了？ u两天 a好的 u发烧")


def test_what_fits_stays_as_it_is() -> None:
    assert TALK.newest(100) == TALK


def test_the_oldest_turns_go_and_a_user_turn_begins() -> None:
    assert shown(TALK, 10) == [("system", "简短"), ("user", "两天"), ("assistant", "好的"), ("user", "发烧")]
    assert shown(TALK, 7) == [("system", "简短"), ("user", "发烧")]  # an answer without its question goes too


def test_the_last_turn_and_the_system_text_always_stay() -> None:
    assert shown(TALK, 1) == [("system", "简短"), ("user", "发烧")]


def test_turns_of_one_role_become_one_and_system_texts_come_first() -> None:
    talk = said("u咳嗽 u两天 s简短 a好 a的 u发烧")
    assert shown(talk, 99) == [("system", "简短"), ("user", "咳嗽\n两天"), ("assistant", "好\n的"), ("user", "发烧")]
