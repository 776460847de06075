"""Settings of a fine-tuning job."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from medasst.config import Config, FilePath
from medasst.render import TemplateKind


class LoraSettings(Config):
    """Low-rank adaptation (Hu et al. 2021, arXiv:2106.09685)."""

    r: int = Field(16, ge=1, description="rank of the update")
    alpha: int = Field(32, ge=1, description="the update is scaled by alpha / r")
    dropout: float = Field(0.0, ge=0.0, lt=1.0)
    targets: str | tuple[str, ...] = Field("all-linear", description='"all-linear", or names of modules')


class TrainConfig(Config):
    """One LoRA fine-tuning run. Tokens are counted with their prompts, padding is not."""

    base: str = Field(description='"embedded", "smollm2", a Hugging Face id or a local folder')
    data: FilePath = Field(description="the prepared set")
    template: TemplateKind = "auto"
    lora: LoraSettings = LoraSettings()
    seed: int = 7

    epochs: float = Field(1.0, gt=0, description="passes over the training split")
    max_tokens: int | None = Field(None, ge=1, description="stop after this many tokens, if that comes before the last epoch")
    cutoff: int = Field(1024, ge=8, description="longest conversation in tokens; longer ones lose whole oldest turns")
    batch_tokens: int = Field(1024, ge=1, description="tokens of one optimizer step, padding included")
    micro_tokens: int | None = Field(
        None,
        ge=1,
        description="tokens that pass through the model at one time, padding included: what memory allows; batch_tokens",
    )

    learning_rate: float = Field(4e-4, gt=0)
    warmup: float = Field(0.05, ge=0, le=1, description="share of the steps in which the rate rises; then a cosine")
    final_rate: float = Field(0.1, ge=0, le=1, description="share of learning_rate that the cosine ends at")
    weight_decay: float = Field(0.0, ge=0)
    clip: float = Field(1.0, gt=0, description="largest norm of the gradient")

    validate_every: int = Field(50, ge=1, description="steps between validations")
    validation_items: int = Field(100, ge=1, description="validation conversations at most, the first by id")
    sample_items: int = Field(2, ge=0, description="of these, how many are answered at each validation, for a person to read")
    sample_tokens: int = Field(128, ge=1, description="of such an answer at most; one that is longer counts as not ended")
    keep: Literal["best", "last"] = Field(
        "best", description="which adapter the run ends with: that of the best validation, or the last"
    )
    patience: int | None = Field(None, ge=1, description="validations without a better one after which the run ends early")
    checkpoint_every: int = Field(50, ge=1, description="steps between checkpoints")

    loss_chunk: int = Field(256, ge=1, description="answer positions whose logits exist at one time")
    checkpoint_activations: bool = Field(
        False, description="keep each layer's input alone and compute the rest again: far less memory, a third more time"
    )
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="of the base; auto: bfloat16 on a GPU that has it, else float32. The adapter stays in float32"
    )
    threads: int | None = Field(None, ge=1, description="CPU threads; all by default")
