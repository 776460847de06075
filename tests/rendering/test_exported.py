"""The exported chat template: other engines make the renderer's prompt from the same messages, whatever the messages are."""

from __future__ import annotations

from pathlib import Path

import pytest
from vocabularies import KINDS, Kind, write_tokenizer

from medasst.conversation import Conversation
from medasst.render import Renderer, exported_template

OPENINGS = [
    [("user", "感冒发烧吃什么药好？")],
    [("system", "你是药店的助手。"), ("user", "“咳嗽”怎么办？")],
    [("assistant", "您好！"), ("system", " "), ("user", "头疼"), ("user", " 三天了\n"), ("system", "甲"), ("system", "乙")],
]
DIALOGUES = [
    [("user", "咳嗽怎么办？"), ("assistant", "多喝水。"), ("user", "还要多久好？")],
    [("system", "回答简短。"), ("user", "咳嗽"), ("assistant", "“喝水”"), ("assistant", "休息。"), ("user", "好")],
    [
        ("user", "咳嗽"),
        ("assistant", "<think>\n想\n</think>\n\n喝水。"),
        ("user", "好"),
        ("assistant", "慢走"),
        ("user", "谢谢"),
    ],
]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_transformers_makes_the_same_prompt(kind: Kind, real_cache: Path, qwen2_tokenizer: Path, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    write_tokenizer(kind, tmp_path, cache=real_cache, qwen2=qwen2_tokenizer)
    renderer = Renderer.from_folder(tmp_path, "chat" if kind.template else "plain")
    talks = [Conversation.of(talk) for talk in (*OPENINGS, *DIALOGUES)]
    wanted = [renderer.prompt(talk) for talk in talks]
    (tmp_path / "chat_template.jinja").write_text(exported_template(renderer), "utf-8")
    ours = Renderer.from_folder(tmp_path, "chat")
    assert [ours.prompt(talk) for talk in talks] == wanted
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    for talk, ids in zip(talks[: len(OPENINGS)], wanted, strict=False):
        rows = [{"role": m.role, "content": m.content} for m in talk.messages]
        assert list(tokenizer.apply_chat_template(rows, add_generation_prompt=True, return_dict=False)) == ids
