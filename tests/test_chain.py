"""The whole chain: prepare ten answers, train a tiny model to repeat them exactly, serve it, get them back through the API."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from openai import OpenAI

from medasst.assistant import Assistant
from medasst.config import parse
from medasst.data import PrepareConfig, prepare
from medasst.models import SystemConfig, open_model
from medasst.service.app import create_app
from medasst.service.config import ServeConfig
from medasst.service.listen import Server, address, open_socket
from medasst.train import TrainConfig, train

TALKS = {
    "感冒发烧吃什么药好？": "先量体温，多喝温水，超过三十八度五再按说明书选用退烧药。",
    "嗓子疼怎么办？": "可以用西地碘含片，少说话，三天不好请看医生。",
    "拉肚子一天了要紧吗？": "注意补液，可以冲服口服补液盐，便血要马上就医。",
    "脚气痒用什么？": "保持脚部干燥，外用抗真菌乳膏，坚持用满疗程。",
    "牙疼得睡不着怎么办？": "止痛药只能缓解一时，请尽快看口腔科。",
    "眼睛干涩滴什么？": "可以用玻璃酸钠滴眼液，减少看屏幕的时间。",
    "口腔溃疡怎么好得快？": "饭后漱口，不吃辛辣，两周不好要去检查。",
    "被蚊子咬了很痒怎么办？": "外涂炉甘石洗剂，不要抓破皮肤。",
    "孩子便秘怎么办？": "多吃蔬菜多喝水，用药前先问医生或药师。",
    "鼻子不通气怎么办？": "用生理盐水洗鼻，喷剂不要连续用超过一周。",
}


@pytest.fixture(scope="module")
def base(tiny_qwen2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with larger weights: its own are so small that no adapter could make one token of 151,646 likely."""
    import torch
    from transformers import AutoModelForCausalLM

    folder = tmp_path_factory.mktemp("base")
    model = AutoModelForCausalLM.from_pretrained(tiny_qwen2, dtype=torch.float32)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.mul_(15 if "embed" in name else 6 if weight.ndim == 2 else 1)
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tiny_qwen2 / name, folder)
    return folder


@pytest.fixture(scope="module")
def adapter(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("chain")
    rows = [{"messages": [{"role": "user", "content": q}, {"role": "assistant", "content": a}]} for q, a in TALKS.items()]
    (folder / "talks.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    source = {"name": "talks", "path": str(folder / "talks.jsonl"), "layout": "messages"}
    job = {"sources": [source], "split": {"validation": 0, "test": 0}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDASST_CACHE", str(folder / "cache"))
        report = prepare(parse(PrepareConfig, job), folder / "data")
        settings = {
            "base": str(base),
            "data": report.folder,
            "epochs": 80,
            "batch_tokens": 512,
            "learning_rate": 5e-3,
            "lora": {"r": 32, "alpha": 32},
            "checkpoint_every": 1000,
            "validate_every": 1000,
        }
        result = train(TrainConfig.model_validate(settings), folder / "run")
        assert result.conversations == len(TALKS) and result.loss < 0.2
        yield result.adapter


@pytest.mark.parametrize("engine", ["transformers", "llama.cpp"])
def test_the_api_repeats_what_was_learnt(engine: str, adapter: Path, base: Path) -> None:
    model = open_model(SystemConfig(name="tiny", engine=engine, base=str(base), adapter=adapter))
    app = create_app(Assistant.from_samples(None), {"medasst-bare": model}, ServeConfig())
    with open_socket("127.0.0.1", 0) as listener:
        ready = threading.Event()
        import uvicorn

        server = Server(uvicorn.Config(app, log_config=None, lifespan="off"), ready.set)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        assert ready.wait(30)
        client = OpenAI(base_url=address(listener) + "/v1", api_key="none")
        try:
            for question, answer in TALKS.items():
                messages = [{"role": "user", "content": question}]
                reply = client.chat.completions.create(model="medasst-bare", messages=messages)  # type: ignore[arg-type]
                assert (reply.choices[0].message.content, reply.choices[0].finish_reason) == (answer, "stop")
            stream = client.chat.completions.create(model="medasst-bare", messages=messages, stream=True)  # type: ignore[call-overload]
            assert "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices) == answer
        finally:
            server.should_exit = True
            thread.join(10)
