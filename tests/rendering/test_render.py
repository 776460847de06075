"""Rendering equals the tokenizer's own chat template, and the mask covers answers and their end of turn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import pytest
from transformers import AutoTokenizer

from medasst.conversation import Conversation
from medasst.errors import ModelError, Refused
from medasst.render import Renderer

TALK = Conversation.of(
    [
        ("system", "你是药店助手。"),
        ("user", "感冒发烧吃什么药好?"),
        ("assistant", "请问多大年纪？有没有过敏？"),
        ("user", "30岁，没有"),
        ("assistant", "可以先多喝水，体温超过38.5℃时看说明书选用退烧药。"),
    ]
)


def test_known_ids(tiny_qwen2: Path) -> None:
    renderer = Renderer.from_folder(tiny_qwen2)
    assert renderer.control.encode("感冒发烧吃什么药好?").ids == [107061, 113079, 114725, 99471, 52801, 30]
    assert renderer.stop_ids == {151643, 151645}


@pytest.mark.parametrize("turns", [2, 3, 4, 5])
def test_ids_equal_apply_chat_template(tiny_qwen2: Path, turns: int) -> None:
    renderer = Renderer.from_folder(tiny_qwen2)
    tokenizer = AutoTokenizer.from_pretrained(tiny_qwen2)
    rows = [{"role": m.role, "content": m.content} for m in TALK.messages[:turns]]
    conversation = Conversation.of(TALK.messages[:turns])
    expected = tokenizer.apply_chat_template(rows, add_generation_prompt=True, return_dict=False)
    assert renderer.prompt(conversation) == list(expected)
    if rows[-1]["role"] == "assistant":
        (rendered,) = renderer.train(conversation, 1024)
        assert [*rendered.ids, 198] == list(tokenizer.apply_chat_template(rows, return_dict=False))  # nobody learns its "\n"


def test_mask_covers_answers_and_their_end_of_turn(tiny_qwen2: Path) -> None:
    renderer = Renderer.from_folder(tiny_qwen2)
    (rendered,) = renderer.train(TALK, 1024)
    learnt = renderer.tokenizer.decode([i for i, m in zip(*rendered, strict=True) if m], skip_special_tokens=False)
    answers = [m.content for m in TALK.messages if m.role == "assistant"]
    assert learnt == "".join(f"{answer}<|im_end|>" for answer in answers)


@pytest.mark.parametrize("template", ["chat", "plain"])
def test_an_answer_that_is_not_to_be_learnt_is_context(tiny_qwen2: Path, template: Literal["chat", "plain"]) -> None:
    renderer = Renderer.from_folder(tiny_qwen2, template)
    marked = Conversation.of(TALK.messages, meta={"not_learnt": [2]})
    (whole,), (rendered,) = renderer.train(TALK, 1024), renderer.train(marked, 1024)
    assert rendered.ids == whole.ids
    learnt = renderer.tokenizer.decode([i for i, m in zip(*rendered, strict=True) if m], skip_special_tokens=True)
    assert learnt.strip() == TALK.messages[4].content


def test_plain_template(tiny_qwen2: Path) -> None:
    renderer = Renderer.from_folder(tiny_qwen2, "plain")
    (rendered,) = renderer.train(Conversation.of(TALK.messages[:3]), 1024)
    text = renderer.tokenizer.decode(rendered.ids, skip_special_tokens=False)
    assert text == f"你是药店助手。\n用户：感冒发烧吃什么药好?\n助手：请问多大年纪？有没有过敏？{renderer.eos}"
    assert sum(rendered.mask) == len(renderer.control.encode("请问多大年纪？有没有过敏？").ids) + 1
    assert rendered.ids[-1] in renderer.stop_ids and rendered.mask[-1]


def test_prompt_is_a_prefix_of_training(tiny_qwen2: Path) -> None:
    for template in ("chat", "plain"):
        renderer = Renderer.from_folder(tiny_qwen2, template)  # type: ignore[arg-type]
        (rendered,) = renderer.train(TALK, 1024)
        prompt = renderer.prompt(Conversation.of(TALK.messages[:2]))
        assert rendered.ids[: len(prompt)] == prompt
        assert rendered.mask[len(prompt)] and not any(rendered.mask[: len(prompt)])


def test_over_long_conversations_lose_whole_oldest_turns(tiny_qwen2: Path) -> None:
    renderer = Renderer.from_folder(tiny_qwen2)
    (whole,) = renderer.train(TALK, 1024)
    (shorter,) = renderer.train(TALK, len(whole.ids) - 1)
    (last,) = renderer.train(Conversation.of([TALK.messages[0], *TALK.messages[3:]]), 1024)
    assert shorter == last
    with pytest.raises(Refused, match=rf"longer than cutoff = {len(last.ids) - 1} tokens"):
        renderer.train(TALK, len(last.ids) - 1)


def test_choice_marks_where_the_option_begins(tiny_qwen2: Path) -> None:
    renderer = Renderer.from_folder(tiny_qwen2)
    prefix = "题目：不属于非处方药的是\n答案："
    choice = renderer.choice(prefix, "阿莫西林胶囊")
    assert renderer.decode(choice.ids[choice.start :]) == "阿莫西林胶囊"
    assert renderer.decode(choice.ids[: choice.start]) == prefix


def test_a_base_without_a_chat_template_refuses_chat(tiny_qwen2: Path, tmp_path: Path) -> None:
    config = json.loads((tiny_qwen2 / "tokenizer_config.json").read_text("utf-8"))
    config.pop("chat_template", None)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config), "utf-8")
    (tmp_path / "tokenizer.json").write_bytes((tiny_qwen2 / "tokenizer.json").read_bytes())
    assert Renderer.from_folder(tmp_path).kind == "plain"
    with pytest.raises(ModelError, match="chat template"):
        Renderer.from_folder(tmp_path, "chat")
    with pytest.raises(ModelError, match=r"tokenizer\.json"):
        Renderer.from_folder(tmp_path / "nowhere")


def test_bos_comes_first_once(tiny_qwen2: Path, tmp_path: Path) -> None:
    config = json.loads((tiny_qwen2 / "tokenizer_config.json").read_text("utf-8"))
    template = "{{ bos_token }}" + config["chat_template"]
    config |= {"add_bos_token": True, "bos_token": "<|endoftext|>", "chat_template": template}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config), "utf-8")
    (tmp_path / "tokenizer.json").write_bytes((tiny_qwen2 / "tokenizer.json").read_bytes())
    for template in ("chat", "plain"):
        renderer = Renderer.from_folder(tmp_path, template)  # type: ignore[arg-type]
        ids = renderer.prompt(Conversation.of(TALK.messages[1:2]))
        assert ids[0] == 151643 and 151643 not in ids[1:]
        assert renderer.choice("题目：", "答").ids[0] == 151643
        assert renderer.choice("好", "").ids[0] == 151643


def test_a_template_has_what_transformers_gives_it(tiny_qwen2: Path, tmp_path: Path) -> None:
    config = json.loads((tiny_qwen2 / "tokenizer_config.json").read_text("utf-8"))
    config["chat_template"] = (
        "{% if tools is not none %}tools{% endif %}{% if documents %}documents{% endif %}{% for m in messages %}"
        "<|im_start|>{{ m.role }}\n{% generation %}{{ m.content }}<|im_end|>{% endgeneration %}\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config), "utf-8")
    (tmp_path / "tokenizer.json").write_bytes((tiny_qwen2 / "tokenizer.json").read_bytes())
    rows = [{"role": m.role, "content": m.content} for m in TALK.messages]
    expected = AutoTokenizer.from_pretrained(tmp_path).apply_chat_template(rows, add_generation_prompt=True, return_dict=False)
    assert Renderer.from_folder(tmp_path).prompt(TALK) == list(expected)
