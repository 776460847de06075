"""The llama.cpp engine on a tiny random model."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

pytest.importorskip("torch")
pytest.importorskip("xllamacpp")

from medasst.conversation import Conversation
from medasst.errors import ModelError
from medasst.models import Decoding, LetterQuery
from medasst.models.llama_cpp import LlamaCppModel
from medasst.models.local import LocalModel, load
from medasst.render import Renderer
from medasst.weights import base_to_gguf, find_base

TALKS = [Conversation.of([("user", text)]) for text in ("感冒发烧吃什么药好？", "咳嗽", "孩子咳嗽有痰怎么办？体温38.5℃。")]


@pytest.fixture(scope="module")
def model(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaCppModel]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDASST_CACHE", str(tmp_path_factory.mktemp("cache")))
        file = base_to_gguf(find_base(str(tiny_llama)))
    model = LlamaCppModel(file, Renderer.from_folder(tiny_llama), threads=1, parallel=1, context=256)
    yield model
    model.close()


async def test_stream_says_what_generate_says(model: LlamaCppModel) -> None:
    whole = {c.id: c for c in model.generate(TALKS, Decoding(max_new_tokens=20))}
    assert whole.keys() == {talk.id for talk in TALKS}
    for talk in TALKS:
        deltas = [d async for d in model.stream(talk, Decoding(max_new_tokens=20))]
        done = whole[talk.id]
        assert "".join(d.text for d in deltas) == done.text != ""
        assert (deltas[-1].finish_reason, done.finish_reason) == ("length", "length")
        assert deltas[-1].completion_tokens == done.completion_tokens == 20
        assert deltas[-1].prompt_tokens == done.prompt_tokens == len(model.renderer.prompt(talk))


async def test_stop_texts(model: LlamaCppModel) -> None:
    (whole,) = model.generate(TALKS[:1], Decoding(max_new_tokens=20))
    stop = whole.text[3:5]
    expected = whole.text[: whole.text.find(stop)]
    (cut,) = model.generate(TALKS[:1], Decoding(max_new_tokens=20, stop=(stop,)))
    deltas = [d async for d in model.stream(TALKS[0], Decoding(max_new_tokens=20, stop=(stop,)))]
    assert cut.text == "".join(d.text for d in deltas) == expected
    assert (cut.finish_reason, deltas[-1].finish_reason) == ("stop", "stop")


async def test_a_closed_stream_frees_its_only_slot(model: LlamaCppModel) -> None:
    stream = model.stream(TALKS[0], Decoding(max_new_tokens=10_000))
    async for delta in stream:
        if delta.text:
            break
    await stream.aclose()  # type: ignore[attr-defined]
    (done,) = await asyncio.wait_for(
        asyncio.to_thread(lambda: list(model.generate(TALKS[1:2], Decoding(max_new_tokens=2)))), timeout=60
    )
    assert done.error is None


async def test_too_long_a_conversation(model: LlamaCppModel) -> None:
    long = Conversation.of([("user", "发烧" * 300)])
    done = {c.id: c for c in model.generate([long, TALKS[0]], Decoding(max_new_tokens=2))}
    assert done[long.id].finish_reason == "error"
    assert "256" in (done[long.id].error or "")
    assert done[TALKS[0].id].error is None
    with pytest.raises(ModelError, match="shorten"):
        await anext(aiter(model.stream(long, Decoding())))


async def test_a_stream_leaves_out_the_oldest_turns_of_a_long_conversation(model: LlamaCppModel) -> None:
    long = Conversation.of([("system", "简短"), *[("user", "咳嗽"), ("assistant", "多喝水")] * 60, ("user", "发烧呢")])
    assert len(model.renderer.prompt(long)) > model.context
    deltas = [delta async for delta in model.stream(long, Decoding(max_new_tokens=8))]
    assert deltas[-1].completion_tokens == 8
    assert model.context // 3 < deltas[-1].prompt_tokens <= model.context - 8


def test_no_conversation_stays_in_memory(model: LlamaCppModel) -> None:
    """The server's own cache of prompts is off: of many conversations, it can take up none again but the last."""
    talks = [Conversation.of([("user", f"{n}号：{'咳嗽有痰' * 12}")]) for n in range(4)]
    for talk in (*talks, *talks):
        with httpx.Client(**model._http) as http:
            event = http.post("/completion", json=model._request(talk, Decoding(max_new_tokens=1))).json()
        assert event["timings"]["cache_n"] < len(model.renderer.prompt(talk)) // 2


def test_sampling_follows_its_seed(model: LlamaCppModel) -> None:
    def say(seed: int) -> str:
        return next(model.generate(TALKS[:1], Decoding(max_new_tokens=20, temperature=1.0, seed=seed))).text

    assert say(1) == say(1)
    assert say(1) != say(2)


def test_others_on_this_machine_are_kept_out(model: LlamaCppModel) -> None:
    with httpx.Client(base_url=model._http["base_url"], trust_env=False) as stranger:
        assert stranger.post("/completion", json={"prompt": [1], "n_predict": 1}).status_code == 401


def test_letters_are_as_likely_as_transformers_says(model: LlamaCppModel, tiny_llama: Path) -> None:
    other = LocalModel(load(tiny_llama), model.renderer)
    queries = [LetterQuery(talk.id, talk, tuple("ABCDE")) for talk in TALKS]
    ours, theirs = ({s.id: s for s in engine.letters(queries)} for engine in (model, other))
    for talk in TALKS:
        assert ours[talk.id].logprobs == pytest.approx(theirs[talk.id].logprobs, abs=2e-3)
        assert ours[talk.id].listed == (True,) * 5


def test_a_letter_beyond_the_servers_list(model: LlamaCppModel, monkeypatch: pytest.MonkeyPatch) -> None:
    query = LetterQuery("q", TALKS[0], tuple("ABCDE"))
    (whole,) = model.letters([query])
    monkeypatch.setattr("medasst.models.llama_cpp._LISTED", 1)
    (short,) = model.letters([query])
    best = whole.logprobs.index(max(whole.logprobs))
    assert [i for i, listed in enumerate(short.listed) if listed] == [best]  # the likeliest letter is always known
    assert set(short.logprobs) == {short.logprobs[best]}
    assert short.logprobs[best] == pytest.approx(whole.logprobs[best], abs=1e-4)


def test_letters_of_a_conversation_that_is_too_long(model: LlamaCppModel) -> None:
    long = Conversation.of([("user", "发烧" * 300)])
    scores = {s.id: s for s in model.letters([LetterQuery("long", long, ("A",)), LetterQuery("ok", TALKS[0], ("A",))])}
    assert "256" in (scores["long"].error or "") and scores["ok"].error is None


def test_it_scores_no_given_texts(model: LlamaCppModel) -> None:
    assert model.capabilities == {"stream", "letters"}


def test_a_file_that_is_no_model(tmp_path: Path, tiny_llama: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="can't load"):
        LlamaCppModel(tmp_path / "x.gguf", Renderer.from_folder(tiny_llama))
