"""The table of docs/training.md: for every family and template what is learnt is prompt as served + answer + end of turn; ten
answers are learnt by heart and ended; the adapter loads in plain PEFT and merges. Vocabularies are real, models tiny."""

from __future__ import annotations

import os
import random
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import pytest
from vocabularies import KINDS, Kind, mistral_file, write_tokenizer

from medasst.conversation import Conversation
from medasst.data import read_conversations
from medasst.errors import Refused
from medasst.render import Renderer
from medasst.weights import find_base, save_adapter

SYSTEM = "你是药店的助手，回答简短。"
HARD = [
    "“多喝水”，医生这样说。",
    '"Rest" is best.',
    "：先量体温。",
    ": 38.5℃",
    "<39℃ 不用药",
    "(一) 休息；(二) 喝水。",
    "😷 戴口罩，👨‍👩‍👧 都要。",
    "𠮷林大学第一医院",
    "㐂龘𪚥药材",
    "cafe\u0301 少喝",
    "末尾有空格  ",
    "末尾换行\n",
    "  开头空格",
    "别写<|im_end|>、</s>、<end_of_turn>、<|eot_id|>、[INST]。",
    "</think>想好了",
    "1. 阿莫西林\n2. 布洛芬\n",
    "A",
]
FAULTY = [
    "",
    " ",
    "\ufeff头疼",
    "\x00\x07\x1b[0m",
    "\ufffd" * 20,
    "\u200b\u200d",
    "\U00100005私",
    "＜s＞<｜im_end｜>",
    "哈" * 400,
    "\r\n\t",
]


@pytest.fixture(scope="module")
def kind_folder(real_cache: Path, qwen2_tokenizer: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Kind], Path]:
    """The tokenizer's folder of a kind, written once."""

    @cache
    def written(kind: Kind) -> Path:
        folder = tmp_path_factory.mktemp("kind")
        write_tokenizer(kind, folder, cache=real_cache, qwen2=qwen2_tokenizer)
        return folder

    return written


@pytest.fixture(scope="module")
def opened(kind_folder: Callable[[Kind], Path]) -> Callable[[Kind], Renderer]:
    """The renderer of a kind, opened once."""
    return cache(lambda kind: Renderer.from_folder(kind_folder(kind), "chat" if kind.template else "plain"))


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Two that wait for one another on a busy machine take ten times as long."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@cache
def real_answers(count: int = 400) -> list[Conversation]:
    data = os.environ.get("MEDASST_DATA")
    if not data:
        return []
    found = read_conversations(f"{data}/huatuo26m-test/*.gz", "huatuo26m")
    return list(islice(found, count))


def spelled(text: str, kind: Kind) -> str:
    """As a vocabulary writes it: Qwen2 composes characters; several decoders drop one blank in front."""
    return unicodedata.normalize("NFC", text).strip() if kind.vocabulary == "qwen2" else text.strip()


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_what_is_learnt_is_the_answer_after_the_prompt_as_served(kind: Kind, opened: Callable[[Kind], Renderer]) -> None:
    renderer = opened(kind)
    hard = [
        Conversation.of([*before, ("user", "怎么办？"), ("assistant", a)])
        for a in HARD
        for before in ([], [("system", SYSTEM)])
    ]
    for talk in [*hard, *real_answers()]:
        (rendered,) = renderer.train(talk, 1 << 20)
        prompt = renderer.prompt(talk.before(len(talk.messages) - 1))
        assert rendered.ids[: len(prompt)] == prompt
        assert rendered.mask == [False] * len(prompt) + [True] * (len(rendered.ids) - len(prompt))
        *learnt, end = rendered.ids[len(prompt) :]
        assert end in renderer.stop_ids and not renderer.stop_ids & set(learnt)
        assert renderer.decode(learnt).strip() == spelled(talk.messages[-1].content, kind)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_each_answer_of_a_dialogue_is_learnt_once_after_its_prompt(kind: Kind, opened: Callable[[Kind], Renderer]) -> None:
    renderer = opened(kind)
    turns = [(role, f"{text}{i}。") for i in range(3) for role, text in (("user", "“问题"), ("assistant", "“回答"))]
    for before in ([], [("system", SYSTEM)]):
        talk = Conversation.of([*before, ("assistant", "您好，请讲。"), *turns])
        found: list[list[int]] = []
        for ids, mask in renderer.train(talk, 1 << 20):
            borders = [i for i in range(1, len(ids)) if mask[i] and not mask[i - 1]]
            for start in borders:
                end = next((i for i in range(start, len(ids)) if not mask[i]), len(ids))
                found.append(ids[:end])
                assert renderer.decode(ids[start : end - 1]).strip() == f"“回答{len(found) - 1}。"
        asked = [i for i, m in enumerate(talk.messages) if m.role == "assistant" and i > len(before)]
        assert len(found) == len(asked)
        for ids, place in zip(found, asked, strict=True):
            prompt = renderer.prompt(talk.before(place))
            assert ids[: len(prompt)] == prompt


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_many_are_rendered_as_each_alone(kind: Kind, opened: Callable[[Kind], Renderer]) -> None:
    """Hard and faulty texts in random turns, some refused, some too long."""
    renderer = opened(kind)
    rng = random.Random(7)
    texts = [*HARD, *FAULTY]
    asked = ("user", "assistant") * 3
    talks = [Conversation.of([(role, rng.choice(texts)) for role in asked[: rng.randint(0, 6)]]) for _ in range(40)]
    talks += [Conversation.of([(rng.choice(["system", *asked]), rng.choice(texts)) for _ in range(4)]) for _ in range(40)]
    for talk, found in zip(talks, renderer.train_batch(talks, 300), strict=True):
        if isinstance(found, Refused):
            with pytest.raises(Refused) as refusal:
                renderer.train(talk, 300)
            assert str(refusal.value) == str(found)
            continue
        assert found == renderer.train(talk, 300)
        for ids, mask in found:
            assert any(mask) and len(ids) == len(mask) <= 300


@pytest.mark.parametrize("kind", [k for k in KINDS if k.template], ids=str)
def test_prompts_are_the_templates_own(
    kind: Kind, kind_folder: Callable[[Kind], Path], opened: Callable[[Kind], Renderer]
) -> None:
    """But for the blank that an old form of SentencePiece puts before every stretch of text, not only the first."""
    from transformers import PreTrainedTokenizerFast

    folder = kind_folder(kind)
    renderer = opened(kind)
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), **renderer.special)
    turns = [("user", "感冒怎么办？ a b"), ("assistant", "休息。"), ("user", "还有呢？")]
    for length in (1, 3) if kind.vocabulary not in ("mistral-v1-legacy", "llama2") else (1,):
        rows = [{"role": role, "content": text} for role, text in turns[:length]]
        text = tokenizer.apply_chat_template(rows, chat_template=renderer.template, add_generation_prompt=True, tokenize=False)
        expected = tokenizer.encode(text, add_special_tokens=False)
        opening = renderer.form.opening if renderer.form else ""
        expected += renderer.control.encode(opening, continued=True).ids
        assert renderer.prompt(Conversation.of(turns[:length])) == expected


@pytest.mark.parametrize("kind", [k for k in KINDS if k.template in ("mistral-v0.2", "mistral-v0.3")], ids=str)
def test_todays_mistral_as_its_makers_encode_it(kind: Kind, opened: Callable[[Kind], Renderer]) -> None:
    from mistral_common.protocol.instruct.messages import AssistantMessage, SystemMessage, UserMessage
    from mistral_common.protocol.instruct.request import ChatCompletionRequest
    from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

    oracle = MistralTokenizer.from_file(str(mistral_file(kind.vocabulary.removeprefix("mistral-"))))
    renderer = opened(kind)
    made = {"system": SystemMessage, "user": UserMessage, "assistant": AssistantMessage}
    turns = [("user", "“头疼”怎么办？"), ("assistant", "“多休息”。"), ("user", ": 还有呢"), ("assistant", "喝水。")]
    for before in ([], [("system", SYSTEM)]):
        talk = Conversation.of([*before, *turns])
        asked = [made[m.role](content=m.content) for m in talk.messages[:-1]]
        prompt = oracle.encode_chat_completion(ChatCompletionRequest(messages=asked)).tokens
        assert renderer.prompt(talk.before(len(asked))) == prompt
        answer = oracle.instruct_tokenizer.tokenizer.encode("喝水。", bos=False, eos=True)
        last = renderer.train(talk, 1 << 20)[-1]
        assert last.ids == prompt + answer


@pytest.mark.usefixtures("one_thread", "own_cache")
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_ten_answers_by_heart(
    kind: Kind,
    kind_folder: Callable[[Kind], Path],
    opened: Callable[[Kind], Renderer],
    tmp_path: Path,
) -> None:
    """With LoRA on a random model whose vocabulary is what the ten need: real ids ↔ rows of a small embedding."""
    torch = pytest.importorskip("torch")
    from peft import LoraConfig, PeftModel, get_peft_model
    from transformers import AutoConfig, AutoModelForCausalLM

    folder = kind_folder(kind)
    renderer = opened(kind)
    answers = [*HARD[:9], "饭后半小时服用，一天三次。"]
    talks = [Conversation.of([("user", f"问题{i}"), ("assistant", answer)]) for i, answer in enumerate(answers)]
    rendered = [sequence for talk in talks for sequence in renderer.train(talk, 512)]
    known = sorted({i for ids, _ in rendered for i in ids} | renderer.stop_ids)
    row = {real: i for i, real in enumerate(known)}

    torch.manual_seed(0)
    sizes: dict[str, Any] = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
    sizes |= {"num_key_value_heads": 2, "head_dim": 16, "vocab_size": len(known), "initializer_range": 0.2}
    config = AutoConfig.for_model(kind.architecture, **sizes, bos_token_id=None, eos_token_id=None, pad_token_id=None)
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path / "base")
    for file in folder.glob("tokenizer*.json"):
        (tmp_path / "base" / file.name).write_bytes(file.read_bytes())
    lora = LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(tmp_path / "base"), lora)

    width = max(len(ids) for ids, _ in rendered)
    ids = torch.tensor([[row[i] for i in ids] + [0] * (width - len(ids)) for ids, _ in rendered])
    learnt = torch.tensor([mask + [False] * (width - len(mask)) for _, mask in rendered])[:, 1:]
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    for _ in range(400):
        loss = torch.nn.functional.cross_entropy(model(input_ids=ids).logits[:, :-1][learnt], ids[:, 1:][learnt])
        if loss.item() < 0.05:
            break
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    def knows_all(model: Any) -> bool:
        """Greedily, each answer and its end: the likeliest token at every place, given those before."""
        with torch.inference_mode():
            return torch.equal(model(input_ids=ids).logits[:, :-1].argmax(-1)[learnt], ids[:, 1:][learnt])

    assert knows_all(model.eval())
    save_adapter(model, tmp_path / "adapter", find_base(str(tmp_path / "base")), renderer, {})
    loaded = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tmp_path / "base"), tmp_path / "adapter").eval()
    assert knows_all(loaded)
    merged = loaded.merge_and_unload()
    assert knows_all(merged)
    prompt = torch.tensor([[row[i] for i in renderer.prompt(talks[-1].before(1))]])
    ends = [row[i] for i in renderer.stop_ids]
    given = {"attention_mask": torch.ones_like(prompt), "max_new_tokens": 60, "eos_token_id": ends, "pad_token_id": 0}
    *said, end = merged.generate(input_ids=prompt, do_sample=False, **given)[0, prompt.shape[1] :].tolist()
    assert end in ends and renderer.decode([known[i] for i in said]).strip() == answers[-1]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_system_turn_is_taken_as_the_template_can(kind: Kind, opened: Callable[[Kind], Renderer]) -> None:
    renderer = opened(kind)
    assert renderer.form is not None
    assert renderer.form.takes_system == (kind.template not in ("gemma", "mistral-2023"))
    ids = renderer.prompt(Conversation.of([("system", SYSTEM), ("user", "头疼")]))
    text = renderer.tokenizer.decode(ids, skip_special_tokens=False)
    assert text.count(SYSTEM) == 1 and text.index(SYSTEM) < text.index("头疼")
    blank = [renderer.prompt(Conversation.of([*before, ("user", "头疼")])) for before in ([], [("system", " ")])]
    assert blank[0] == blank[1]


def test_nothing_to_learn_is_refused(opened: Callable[[Kind], Renderer]) -> None:
    renderer = opened(KINDS[0])
    for turns in ([("user", "头疼")], [("user", "头疼"), ("assistant", " ")], [("assistant", "您好")], []):
        with pytest.raises(Refused, match="no answer") as refusal:
            renderer.train(Conversation.of(turns), 100)
        assert not refusal.value.by_template


@pytest.mark.parametrize("template", ["auto", "chat"])
def test_a_chat_template_of_a_base_model_is_told(
    kind_folder: Callable[[Kind], Path], tmp_path: Path, template: Literal["auto", "chat"], recwarn: pytest.WarningsRecorder
) -> None:
    folder = kind_folder(KINDS[0])
    (tmp_path / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
    about = (
        (folder / "tokenizer_config.json")
        .read_text("utf-8")
        .replace('"eos_token": "<|im_end|>"', '"eos_token": "<|endoftext|>"')
    )
    (tmp_path / "tokenizer_config.json").write_text(about, "utf-8")
    renderer = Renderer.from_folder(tmp_path, template)
    told = [str(w.message) for w in recwarn if "base model" in str(w.message)]
    assert bool(told) == (template == "auto") and renderer.kind == "chat"
    assert {151643, 151645} <= renderer.stop_ids


def test_the_page_has_a_row_for_each() -> None:
    page = (Path(__file__).parents[2] / "docs" / "training.md").read_text("utf-8")
    assert all(f"| {kind.template or 'plain'} | yes |" in page and f"\n| {kind.architecture} |" in page for kind in KINDS)
    assert page.count("| yes | yes | yes | yes | yes | yes |") == len(KINDS)
