"""One optimizer step in every variant, against a float64 model that reads one conversation at a time."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from torch import Tensor
from transformers import AutoModelForCausalLM

from medasst.train import TrainConfig
from medasst.train.launch import build
from medasst.train.lora import FusedLinear, fuse
from medasst.train.step import Batch, Learner, NotFiniteError
from medasst.train.tokens import TokenSet
from medasst.weights import Base

LENGTHS = (7, 30, 12, 21, 30, 9)
ONE_BATCH, SPREAD = [[0, 1, 2, 3, 4, 5]], [[0, 5], [2, 3], [1, 4]]
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def tokens() -> TokenSet:
    rng = np.random.default_rng(0)
    offsets = np.cumsum([0, *LENGTHS])
    mask = np.ones(offsets[-1], np.bool_)
    for start, length in zip(offsets, LENGTHS, strict=False):
        mask[start : start + length // 3 + 1] = False
    names = np.array([f"talk-{i}" for i in range(len(LENGTHS))], np.bytes_)
    source = np.array([0, 1, 0, 1, 1, 0], np.int32)
    return TokenSet(rng.integers(3, 320, offsets[-1]).astype(np.int32), mask, offsets, names, source, ("shop", "forum"), ())


def learner(folder: Path, **settings: Any) -> Learner:
    config = TrainConfig.model_validate({"base": str(folder), "data": folder, "lora": {"r": 4}, **settings})
    model = build(config, Base("tiny", folder, None, ""), CPU, "bfloat16" if config.precision == "bfloat16" else "float32")
    torch.manual_seed(1)
    for name, parameter in model.named_parameters():  # B begins at zero; moved, so that A has a gradient too
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    return Learner(model, config)


def gradient(learner: Learner, tokens: TokenSet, micro_batches: Sequence[Sequence[int]]) -> tuple[float, dict[str, Tensor]]:
    learner.model.train()
    losses = learner.accumulate([Batch.of(tokens, places, CPU) for places in micro_batches])
    found = {n: p.grad.double() for n, p in learner.model.named_parameters() if p.grad is not None}
    learner.optimizer.zero_grad()
    return losses.mean, found


def reference(folder: Path, like: PeftModel, tokens: TokenSet) -> tuple[float, dict[str, Tensor]]:
    """PEFT's own layers and transformers' own loss, in float64, one conversation after another."""
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64)
    model = get_peft_model(base, copy.deepcopy(like.peft_config["default"])).double().train()
    set_peft_model_state_dict(model, get_peft_model_state_dict(like))
    total, count = torch.zeros((), dtype=torch.float64), 0
    for row in tokens:
        ids, mask = torch.tensor([row.ids]), torch.tensor(row.mask)
        logits = model(input_ids=ids).logits[0, :-1][mask[1:]]
        total = total + torch.nn.functional.cross_entropy(logits, ids[0, 1:][mask[1:]], reduction="sum")
        count += int(mask[1:].sum())
    (total / count).backward()
    return (total / count).item(), {n: p.grad for n, p in model.named_parameters() if p.grad is not None}


def worst(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> float:
    """The largest relative difference of a parameter's gradient."""
    assert found.keys() == wanted.keys() and len(wanted) == 28
    return max(float((found[n] - wanted[n]).norm() / wanted[n].norm()) for n in wanted)


@pytest.mark.parametrize("micro_batches", [ONE_BATCH, SPREAD, [[i] for i in range(6)]], ids=["one", "three", "six"])
@pytest.mark.parametrize("checkpoint_activations", [False, True])
@pytest.mark.parametrize(("precision", "loss_within", "gradient_within"), [("float32", 1e-6, 2e-6), ("bfloat16", 2e-3, 3e-2)])
def test_every_variant_gives_the_gradient_of_one_by_one_in_float64(
    tiny_llama: Path,
    tokens: TokenSet,
    micro_batches: list[list[int]],
    checkpoint_activations: bool,
    precision: str,
    loss_within: float,
    gradient_within: float,
) -> None:
    ours = learner(tiny_llama, checkpoint_activations=checkpoint_activations, precision=precision)
    loss, found = gradient(ours, tokens, micro_batches)
    wanted_loss, wanted = reference(tiny_llama, ours.model, tokens)
    assert loss == pytest.approx(wanted_loss, rel=loss_within)
    assert worst(found, wanted) < gradient_within


@pytest.mark.parametrize("checkpoint_activations", [False, True])
def test_no_float32_activations_are_kept_in_bfloat16(tiny_llama: Path, tokens: TokenSet, checkpoint_activations: bool) -> None:
    ours = learner(tiny_llama, checkpoint_activations=checkpoint_activations, precision="bfloat16")
    assert {p.dtype for p in ours.params} == {torch.float32}  # steps would be rounded away otherwise
    own = {t.untyped_storage().data_ptr() for t in [*ours.model.parameters(), *ours.model.buffers()]}
    saved: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage().data_ptr() not in own:
            saved.append(tensor)
        return tensor

    ours.model.train()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        ours._losses(Batch.of(tokens, ONE_BATCH[0], CPU))
    positions = len(LENGTHS) * max(LENGTHS)
    large = [t for t in saved if t.numel() >= positions * 64]
    assert large and not [t for t in large if t.dtype == torch.float32]


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("rank_stabilised", [False, True])
def test_the_fused_layer_is_pefts_own(tiny_llama: Path, dropout: float, rank_stabilised: bool) -> None:
    def made(fused: bool) -> tuple[Tensor, list[Tensor]]:
        torch.manual_seed(0)
        base = AutoModelForCausalLM.from_pretrained(tiny_llama, dtype=torch.float32)
        lora = LoraConfig(r=4, lora_dropout=dropout, target_modules="all-linear", use_rslora=rank_stabilised)
        model = get_peft_model(base, lora)
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.05)
        assert fuse(model) == 14 if fused else True
        torch.manual_seed(2)
        logits = model.train()(input_ids=torch.arange(3, 35).view(2, 16)).logits
        logits.square().mean().backward()
        return logits, [p.grad for p in model.parameters() if p.grad is not None]

    (ours, our_gradients), (theirs, their_gradients) = made(fused=True), made(fused=False)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
    for a, b in zip(our_gradients, their_gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-7)


def test_the_fused_layer_leaves_to_peft_what_it_cannot_do(tiny_llama: Path) -> None:
    base = AutoModelForCausalLM.from_pretrained(tiny_llama, dtype=torch.float32)
    plain = get_peft_model(base, LoraConfig(r=4, target_modules=["q_proj"]))
    assert fuse(plain) == 2
    ids = torch.arange(3, 19)[None]
    with plain.disable_adapter():
        without = plain(input_ids=ids).logits
    for name, parameter in plain.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    learnt = plain(input_ids=ids).logits
    with plain.disable_adapter():
        torch.testing.assert_close(plain(input_ids=ids).logits, without)
    merged = plain.merge_and_unload()(input_ids=ids).logits
    torch.testing.assert_close(merged, learnt, rtol=1e-4, atol=1e-5)
    dora = get_peft_model(
        AutoModelForCausalLM.from_pretrained(tiny_llama), LoraConfig(r=4, target_modules=["q_proj"], use_dora=True)
    )
    assert fuse(dora) == 0 and not [m for m in dora.modules() if type(m) is FusedLinear]


def test_losses_come_by_conversation_and_by_source(tiny_llama: Path, tokens: TokenSet) -> None:
    ours = learner(tiny_llama)
    together = ours.measure(tokens, [1, 0, 4])
    for place, total, count in zip(together.places, together.sums, together.counts, strict=True):
        alone = ours.measure(tokens, [int(place)])
        assert (alone.answer_tokens, alone.sums[0]) == (count, pytest.approx(total, rel=1e-5))
    by_source = together.by_source(tokens)
    assert by_source["shop"].answer_tokens == together.counts[1]
    assert by_source["forum"].loss == pytest.approx(
        (together.sums[0] + together.sums[2]) / (together.counts[0] + together.counts[2])
    )
    result = ours.step(tokens, SPREAD, 1e-3)
    assert (result.tokens, result.padded) == (sum(LENGTHS), 2 * (9 + 21 + 30))


def test_what_is_no_number_is_not_learnt_and_names_its_conversation(tiny_llama: Path, tokens: TokenSet) -> None:
    ours = learner(tiny_llama)
    odd = next(i for i in tokens[3].ids if all(i not in tokens[place].ids for place in (0, 1, 2, 4, 5)))
    with torch.no_grad():
        ours.model.get_input_embeddings().weight[odd] = float("nan")
        ours.model.get_output_embeddings().weight = torch.nn.Parameter(
            torch.nan_to_num(ours.model.get_output_embeddings().weight), requires_grad=False
        )
    before = [p.clone() for p in ours.params]
    with pytest.raises(NotFiniteError) as caught:
        ours.step(tokens, SPREAD, 1e-3)
    assert caught.value.places == [3]
    assert all(torch.equal(a, b) for a, b in zip(before, ours.params, strict=True))
    assert all(p.grad is None for p in ours.params)
