"""llama.cpp with the converted adapter says what transformers with the PEFT adapter says: a wrong conversion can't hide."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("xllamacpp")

from medasst.models.llama_cpp import LlamaCppModel  # noqa: E402
from medasst.render import Renderer  # noqa: E402
from medasst.weights import Base, adapter_to_gguf, find_base, is_here, save_adapter  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.weights]

TOP = 60
FIRST = 4  # positions before it have next to no context
TEXTS = [
    "用户：感冒发烧吃什么药好？\n助手：感冒多由病毒引起，可以多喝温水、注意休息。体温超过38.5℃时可以服用对乙酰氨基酚退热，"
    "两次用药至少间隔四到六小时，一天不超过四次。",
    "用户：孩子咳嗽有痰怎么办？\n助手：先看咳嗽的时间和痰的颜色。痰黄而稠、伴有高热时应当去医院检查，不要自行给孩子使用抗生素。",
    "用户：胃疼反酸怎么缓解？\n助手：规律吃饭，少吃辛辣和油腻的食物，睡前三小时不要进食。铝碳酸镁可以中和胃酸，症状超过两周没有好转要做胃镜。",
    "用户：脚气反复发作怎么办？\n助手：脚气是真菌感染，外用抗真菌药膏要坚持四周以上，不痒了也不能马上停。鞋袜每天换洗，保持脚趾之间干燥。",
    "用户：晚上睡不着有什么办法？\n助手：固定起床时间，下午不喝咖啡和浓茶，睡前一小时不看手机。连续一个月每周三次以上睡不好，请到医院就诊。",
    "用户：崴了脚能马上热敷吗？\n助手：不能。受伤后四十八小时以内应当冰敷，每次十五分钟，抬高患肢，减少走路。肿得厉害或者不能着地时要拍片排除骨折。",
]


@pytest.fixture(scope="module", params=["embedded", "gemma-3-270m", "smollm2"])
def base(request: pytest.FixtureRequest) -> Base:
    if not is_here(request.param):
        pytest.skip(f"no weights of {request.param} here; fetch them with: medasst fetch {request.param}")
    base = find_base(request.param)
    assert base.gguf is not None
    return base


@pytest.fixture(scope="module")
def renderer(base: Base) -> Renderer:
    return Renderer.from_folder(base.folder)


@pytest.fixture(scope="module")
def peft_model(base: Base) -> Any:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_pretrained(base.folder, dtype=torch.float32)
    model = get_peft_model(model, LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")).eval()
    for name, weight in model.named_parameters():
        if "lora_B" in name:  # zero at first: an adapter that does nothing would pass any test
            torch.nn.init.normal_(weight, std=0.02)
        if "lora_" in name:  # what the file holds
            weight.data = weight.data.bfloat16().float()
    return model


@pytest.fixture(scope="module")
def adapter(peft_model: Any, base: Base, renderer: Renderer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parity") / "adapter"
    save_adapter(peft_model, folder, base, renderer, {})
    return folder


@pytest.fixture(scope="module")
def ids(renderer: Renderer) -> list[list[int]]:
    ids = [renderer.choice(text, "").ids for text in TEXTS]
    assert sum(len(row) - FIRST for row in ids) >= 200
    return ids


def expected(model: Any, ids: list[list[int]]) -> list[np.ndarray]:
    """Log-probabilities of the next token at each position, by transformers."""
    with torch.inference_mode():
        return [model(torch.tensor([row])).logits[0].log_softmax(-1).numpy() for row in ids]


def divergence(model: LlamaCppModel, reference: list[np.ndarray], ids: list[list[int]], scale: float) -> float:
    """Mean KL of llama.cpp from transformers over llama.cpp's 60 likeliest tokens, both scaled to 1 over them."""

    def one(client: httpx.Client, text: int, end: int) -> float:
        request = {
            "prompt": ids[text][:end],
            "n_predict": 1,
            "lora": [{"id": 0, "scale": scale}],
            # Without a sampler chain the server sorts all 262,144 tokens for their probabilities.
            "samplers": ["top_k"],
            "top_k": TOP,
            "temperature": 1,
            "n_probs": TOP,
            "post_sampling_probs": True,
        }
        # The server holds a token of half a character back, probabilities with it: draw another.
        replies = (client.post("/completion", json=request | {"seed": seed}).json() for seed in range(50))
        top = next(r["completion_probabilities"] for r in replies if "completion_probabilities" in r)[0]["top_probs"]
        q = np.array([t["prob"] for t in top])
        p = np.exp(reference[text][end - 1][[t["id"] for t in top]].astype(float))
        p, q = p / p.sum(), q / q.sum()
        return float((p * np.log(p / np.maximum(q, 1e-12))).sum())

    def text(number: int) -> list[float]:  # growing prefixes, so that each costs one token
        return [one(client, number, end) for end in range(FIRST, len(ids[number]))]

    with httpx.Client(**model._http) as client, ThreadPoolExecutor(len(ids)) as pool:
        return float(np.mean([value for values in pool.map(text, range(len(ids))) for value in values]))


def permuted(adapter: Path, base: Base, target: Path) -> Path:
    """The same adapter as if the base were a Llama: rows of q and k interleaved."""
    settings = (adapter / "adapter_config.json").read_text("utf-8")
    from safetensors.torch import load_file, save_file

    target.mkdir()
    tensors = load_file(adapter / "adapter_model.safetensors")
    for name, value in tensors.items():
        if "lora_B" in name and ("q_proj" in name or "k_proj" in name):
            config = base.config
            heads = value.shape[0] // (config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"])
            tensors[name] = value.reshape(heads, 2, -1, value.shape[1]).transpose(1, 2).reshape(value.shape).contiguous()
    save_file(tensors, target / "adapter_model.safetensors", metadata={"format": "pt"})
    (target / "adapter_config.json").write_text(settings, "utf-8")
    return adapter_to_gguf(target, base)


@pytest.fixture(scope="module")
def served(base: Base, renderer: Renderer, adapter: Path) -> Iterator[LlamaCppModel]:
    assert base.gguf
    model = LlamaCppModel(
        base.gguf, renderer, adapter=adapter_to_gguf(adapter, base), threads=1, parallel=len(TEXTS), context=256
    )
    yield model
    model.close()


def test_adapter_parity(
    base: Base, renderer: Renderer, peft_model: Any, adapter: Path, served: LlamaCppModel, ids: list[list[int]], tmp_path: Path
) -> None:
    tuned = expected(peft_model, ids)
    with peft_model.disable_adapter():
        plain = expected(peft_model, ids)
    base_only = divergence(served, plain, ids, 0.0)
    with_adapter = divergence(served, tuned, ids, 1.0)
    wrong = {"missing": divergence(served, tuned, ids, 0.0), "half": divergence(served, tuned, ids, 0.5)}
    assert base.gguf
    other = LlamaCppModel(
        base.gguf, renderer, adapter=permuted(adapter, base, tmp_path / "permuted"), threads=1, parallel=len(TEXTS), context=256
    )
    wrong["permuted"] = divergence(other, tuned, ids, 1.0)
    other.close()
    print(f"KL: base {base_only:.4f}, adapter {with_adapter:.4f}, " + ", ".join(f"{k} {v:.4f}" for k, v in wrong.items()))
    # What is left is llama.cpp's own arithmetic, which rounds activations to 8 bits.
    assert max(base_only, with_adapter) <= 0.02
    for name, value in wrong.items():
        assert value >= 3 * base_only, name
        assert value >= 3 * with_adapter, name


def test_tokenizer_is_that_of_llama_cpp(served: LlamaCppModel, renderer: Renderer) -> None:
    odd = [
        "　全角空格　１２３ＡＢＣ",
        "  two  blanks\n\n\n换行\t\t制表 \r\n",
        "阿莫西林（0.5g×24粒）一日3次，每次1～2粒；儿童酌减…",
        "😷口罩🤒发烧👨‍👩‍👧 ①②㎎㎏℃μg/mL 㐂龘𠮷",
        "BMI＞28，血压140/90mmHg e\u0301 ñ https://a.b/c?d=1&e=%20",
        "",
        " ",
    ]
    assert not renderer.bos or renderer.choice("头疼", "").ids[:1] == [renderer.tokenizer.token_to_id(renderer.bos)]
    with httpx.Client(**served._http) as client:
        for raw in [*odd, *TEXTS]:
            # Qwen2 composes characters first; llama.cpp leaves that to its caller.
            text = unicodedata.normalize("NFC", raw) if "NFC" in str(renderer.tokenizer.normalizer) else raw
            request = {"content": text, "add_special": False, "parse_special": False}
            assert client.post("/tokenize", json=request).json()["tokens"] == renderer.control.encode(text).ids, text
