"""What a training step takes, found by taking one with tensors that have a shape but no memory.

PyTorch's fake tensors run the very code of a step (model, LoRA layers, activations computed again, loss), each operation
giving its result's size alone. A ledger beside them counts what is alive at any moment and the work of each product. So
nothing here knows a family of models, and what another version of transformers keeps is counted as it keeps it.

The attention is that of PyTorch on a CPU, which keeps queries, keys, values, its output and a sum per row, as the kernels of
a GPU do. What operations need inside, and what an allocator can't hand out, isn't seen.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry
from transformers import AutoConfig, AutoModelForCausalLM

from medasst.errors import ModelError
from medasst.train.config import TrainConfig
from medasst.train.launch import Precision, adapt
from medasst.train.loss import losses_at

_ADAM = 2 * 4  # bytes of a learnt parameter: two moments in float32


@dataclass(frozen=True)
class Weights:
    """What is there as long as a run lasts. Bytes, but for the two counts of parameters."""

    parameters: int
    trainable: int
    base: int
    adapter: int
    gradients: int
    optimizer: int


@dataclass(frozen=True)
class Footprint:
    """What one micro-batch takes beside `Weights`.

    Attributes:
        activations: bytes kept from the forward for the backward pass.
        loss: bytes that the loss needs above them: logits of a chunk, their gradient.
        passing: bytes above both, where another moment of the step needs more.
        flops: floating-point operations of its matrix products, forward and backward.
    """

    activations: int
    loss: int
    passing: int
    flops: int

    @property
    def bytes(self) -> int:
        """All that is alive at the worst moment."""
        return self.activations + self.loss + self.passing


class Simulation:
    """A base with its LoRA layers, without memory.

    Args:
        architecture: the content of the base's `config.json`.

    Raises:
        ModelError: a model that transformers doesn't know by that configuration.
        ConfigError: as `adapt`.
    """

    def __init__(self, architecture: Mapping[str, Any], config: TrainConfig, precision: Precision) -> None:
        try:
            shape = AutoConfig.for_model(**architecture)
            with torch.device("meta"):
                model = AutoModelForCausalLM.from_config(shape, dtype=getattr(torch, precision))
        except (TypeError, ValueError, KeyError) as error:
            raise ModelError(f"{config.base}: transformers can't make a model of its config.json ({error})") from error
        with torch.device("meta"):
            self._model: Any = adapt(model, config, precision)
        self._chunk = config.loss_chunk
        self._fake = FakeTensorMode()
        with self._fake:
            _give_places(self._model)
        self._model.train()
        learnt = [p for p in self._model.parameters() if p.requires_grad]
        for parameter in learnt:  # as if another micro-batch of the step had left its gradient
            with self._fake:
                parameter.grad = torch.empty_like(parameter)
        count = sum(p.numel() for p in learnt)
        adapter = sum(p.nbytes for p in learnt)
        every = {id(p): p for p in self._model.parameters()}.values()
        self.weights = Weights(
            parameters=sum(p.numel() for p in every) - count,
            trainable=count,
            base=sum(p.nbytes for p in every) - adapter,
            adapter=adapter,
            gradients=adapter,
            optimizer=count * _ADAM,
        )

    def footprint(self, rows: int, length: int) -> Footprint:
        """One micro-batch of conversations side by side, each learnt from its second token on.

        Raises:
            ModelError: a model whose work depends on what is in the tensors.
        """
        with self._fake, _Ledger(self._model) as ledger:
            try:
                activations, loss = self._step(ledger, rows, length)
            except RuntimeError as error:
                raise ModelError(f"{type(self._model).__name__} can't be planned: {error}") from error
        return Footprint(activations, loss, ledger.peak - activations - loss, ledger.flops)

    def _step(self, ledger: _Ledger, rows: int, length: int) -> tuple[int, int]:
        model = self._model.get_base_model()
        ids, attention = torch.zeros((rows, length), dtype=torch.int64), torch.ones((rows, length), dtype=torch.int64)
        body = getattr(model, model.base_model_prefix)
        hidden = body(input_ids=ids, attention_mask=attention, use_cache=False).last_hidden_state
        places = torch.zeros(rows * (length - 1), dtype=torch.int64)
        hidden = hidden.flatten(0, 1)[places]
        activations, ledger.peak_since = ledger.alive, ledger.alive
        losses = losses_at(model, hidden, ids.flatten()[places], self._chunk)
        del hidden
        loss = ledger.peak_since - activations
        losses.sum().backward()  # type: ignore[no-untyped-call]
        return activations, loss


def _give_places(model: nn.Module) -> None:
    """Put fake tensors, as if in memory, in the place of those that have none; shared ones stay shared."""
    made: dict[int, Tensor] = {}
    for module in model.modules():
        for tensors in (module._parameters, module._buffers):
            for name, tensor in tensors.items():
                if tensor is None:
                    continue
                if id(tensor) not in made:
                    empty = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype)
                    made[id(tensor)] = nn.Parameter(empty, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else empty
                tensors[name] = made[id(tensor)]  # type: ignore[assignment]


class _Ledger(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Bytes alive now and at most, of what is made while it is on, and the work done.

    Attributes:
        peak_since: the most since it was last set.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        tensors = [*model.parameters(), *model.buffers(), *(p.grad for p in model.parameters() if p.grad is not None)]
        self._seen = {t.untyped_storage()._cdata for t in tensors}  # views of these are no memory of their own
        self.alive = self.peak = self.peak_since = self.flops = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, Tensor):
                self._note(tensor.untyped_storage())
        self.flops += _work(func, args, kwargs or {}, out)
        return out

    def _note(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._seen:
            return
        self._seen.add(key)
        self.alive += size
        self.peak, self.peak_since = max(self.peak, self.alive), max(self.peak_since, self.alive)
        weakref.finalize(storage, self._gone, key, size)

    def _gone(self, key: int, size: int) -> None:
        self._seen.discard(key)
        self.alive -= size


def _work(func: Any, args: Any, kwargs: Mapping[str, Any], out: Any) -> int:
    """Floating-point operations of one call, where it multiplies matrices."""
    packet = func._overloadpacket
    aten = torch.ops.aten
    if packet is aten._scaled_dot_product_flash_attention_for_cpu:
        query, key = args[:2]
        return int(4 * math.prod(query.shape) * key.shape[-2])  # two products
    if packet is aten._scaled_dot_product_flash_attention_for_cpu_backward:
        query, key = args[1:3]
        return int(10 * math.prod(query.shape) * key.shape[-2])  # five
    count = flop_registry.get(packet)
    return int(count(*args, **kwargs, out_val=out)) if count is not None else 0
