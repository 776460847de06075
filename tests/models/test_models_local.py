"""The transformers engine on tiny random models."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from medasst.conversation import Conversation  # noqa: E402
from medasst.errors import ModelError  # noqa: E402
from medasst.models import ChoiceQuery, ChoiceScore, Decoding, LetterQuery  # noqa: E402
from medasst.models.local import LocalModel, load  # noqa: E402
from medasst.render import Renderer  # noqa: E402

TALKS = [Conversation.of([("user", text)]) for text in ("感冒发烧吃什么药好？", "咳嗽", "孩子咳嗽有痰怎么办？体温38.5℃。")]
GREEDY = Decoding(max_new_tokens=10)


@pytest.fixture(scope="module")
def gemma(tiny_gemma3: Path) -> LocalModel:
    return LocalModel(load(tiny_gemma3), Renderer.from_folder(tiny_gemma3), batch=2)


@pytest.fixture(scope="module")
def llama(tiny_llama: Path) -> LocalModel:
    return LocalModel(load(tiny_llama), Renderer.from_folder(tiny_llama), batch=2)


def naive(model: LocalModel, query: ChoiceQuery) -> ChoiceScore:
    """Each option alone, without a cache, all logits."""
    sums, counts = [], []
    for option in query.options:
        ids, start = model.renderer.choice(query.prefix, option)
        with torch.inference_mode():
            logprobs = model.model(torch.tensor([ids])).logits[0].log_softmax(-1)
        sums.append(float(sum(logprobs[i - 1, ids[i]] for i in range(start, len(ids)))))
        counts.append(len(ids) - start)
    return ChoiceScore(query.id, tuple(sums), tuple(counts))


@pytest.mark.parametrize("family", ["gemma", "llama"])
@pytest.mark.parametrize(
    "options", [("感冒", "咳嗽有痰", "发"), ("一", "二"), ("药", "药"), ("水", "温水注意休息，体温38.5℃"), ("吃",)], ids=str
)
def test_choices_equal_the_naive_sum(family: str, options: tuple[str, ...], request: pytest.FixtureRequest) -> None:
    model: LocalModel = request.getfixturevalue(family)
    for prefix in ("题目：孩子怎么办？\n答案：", TALKS[0]):
        query = ChoiceQuery("q", prefix, options)
        (score,) = model.score([query])
        expected = naive(model, query)
        assert score.token_counts == expected.token_counts
        assert score.logprobs == pytest.approx(expected.logprobs, abs=1e-3)


def test_a_prefix_longer_than_the_sliding_window(gemma: LocalModel) -> None:
    query = ChoiceQuery("q", "孩子咳嗽有痰怎么办" * 12, ("感冒发烧", "多喝温水，注意休息。", "吃"))
    (score,) = gemma.score([query])
    assert score.logprobs == pytest.approx(naive(gemma, query).logprobs, abs=1e-3)


def test_a_bad_choice_does_not_stop_the_others(llama: LocalModel) -> None:
    queries = [ChoiceQuery("bad", "题目", ("", "二")), ChoiceQuery("good", "题目", ("一", "二"))]
    scores = {score.id: score for score in llama.score(queries)}
    assert scores["bad"].error
    assert scores["good"].error is None
    assert len(scores["good"].logprobs) == 2


@pytest.mark.parametrize("family", ["gemma", "llama"])
def test_letters_are_what_comes_next(family: str, request: pytest.FixtureRequest) -> None:
    model: LocalModel = request.getfixturevalue(family)
    scores = {s.id: s for s in model.letters([LetterQuery(talk.id, talk, ("A", "B", "C")) for talk in TALKS])}
    for talk in TALKS:
        ids = model.renderer.prompt(talk)
        with torch.inference_mode():
            expected = model.model(torch.tensor([ids])).logits[0, -1].log_softmax(-1)
        places = [model.renderer.control.encode(letter).ids[-1] for letter in "ABC"]
        assert scores[talk.id].logprobs == pytest.approx(expected[places].tolist(), abs=1e-4)
        assert scores[talk.id].listed == (True, True, True)


@pytest.mark.parametrize("family", ["gemma", "llama"])
def test_what_queries_begin_with_is_read_once(
    family: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Texts after a worked example, in batches of two or three, against each read by itself."""
    model: LocalModel = request.getfixturevalue(family)
    monkeypatch.setattr("medasst.models.local.LETTER_TOKENS", 60)
    stems = ["咳嗽", "感冒发烧吃什么药好？", "多喝温水" * 4, "注意", "休息。"]
    texts = ["孩子咳嗽有痰怎么办？答案：A\n\n" + stem + "答案：" for stem in stems]
    letters = {s.id: s for s in model.letters([LetterQuery(text, text, ("A", "B")) for text in texts])}
    options = ("多喝温水", "吃药", "A")
    choices = {s.id: s for s in model.score([ChoiceQuery(text, text, options) for text in texts])}
    for text in texts:
        alone = naive(model, ChoiceQuery(text, text, ("A", "B")))
        assert letters[text].logprobs == pytest.approx(alone.logprobs, abs=1e-4)
        assert choices[text].logprobs == pytest.approx(naive(model, ChoiceQuery(text, text, options)).logprobs, abs=1e-3)


def test_queries_that_are_all_the_same(llama: LocalModel) -> None:
    letters = [LetterQuery(name, "发烧吃什么？答案：", ("A", "B")) for name in "xy"]
    first, second = llama.letters(letters)
    assert first.error is None and first.logprobs == pytest.approx(second.logprobs)
    one, other = llama.score([ChoiceQuery(name, "发烧吃什么？答案：", ("药", "温水")) for name in "xy"])
    assert one.error is None and one.logprobs == pytest.approx(other.logprobs)


def test_what_is_no_letter_of_the_vocabulary_fails_alone(llama: LocalModel) -> None:
    long = Conversation.of([("user", "发烧" * 300)])
    queries = [
        LetterQuery("two", TALKS[0], ("A", "药好")),
        LetterQuery("long", long, ("A",)),
        LetterQuery("ok", TALKS[0], ("A",)),
    ]
    scores = {s.id: s for s in llama.letters(queries)}
    assert "more than one token" in (scores["two"].error or "")
    assert "shorten it" in (scores["long"].error or "")
    assert scores["ok"].error is None


@pytest.mark.parametrize("family", ["gemma", "llama"])
async def test_batch_stream_and_step_by_step_agree(family: str, request: pytest.FixtureRequest) -> None:
    model: LocalModel = request.getfixturevalue(family)
    batch = {c.id: c for c in model.generate(TALKS, GREEDY)}
    assert batch.keys() == {talk.id for talk in TALKS}
    for talk in TALKS:
        deltas = [delta async for delta in model.stream(talk, GREEDY)]
        ids = model.renderer.prompt(talk)
        prompt = len(ids)
        with torch.inference_mode():
            for _ in range(GREEDY.max_new_tokens):
                ids.append(int(model.model(torch.tensor([ids])).logits[0, -1].argmax()))
                if ids[-1] in model.renderer.stop_ids:
                    break
        text = model.renderer.decode(ids[prompt:])
        assert batch[talk.id].text == "".join(d.text for d in deltas) == text
        assert batch[talk.id].finish_reason == deltas[-1].finish_reason
        assert (batch[talk.id].prompt_tokens, deltas[-1].prompt_tokens) == (prompt, prompt)
        assert batch[talk.id].completion_tokens == deltas[-1].completion_tokens


class Always(torch.nn.Module):
    """Wraps a model so that it says the given ids in turn, whatever it is asked."""

    def __init__(self, model: LocalModel, says: Sequence[int]) -> None:
        super().__init__()
        head = model.model.get_output_embeddings()
        self.says, self.at = says, 0
        self.handle = head.register_forward_hook(self._say)

    def _say(self, module: torch.nn.Module, args: object, logits: torch.Tensor) -> torch.Tensor:
        logits = torch.full_like(logits, -10.0)
        logits[..., self.says[self.at % len(self.says)]] = 10.0
        self.at += 1
        return logits


@pytest.mark.parametrize("end", ["<|im_end|>", "<|endoftext|>"])  # of a turn, or of a text
async def test_ends_and_stop_texts(llama: LocalModel, end: str) -> None:
    stop = llama.renderer.tokenizer.token_to_id(end)
    words = llama.renderer.control.encode("好，多喝温水。").ids
    says = Always(llama, [*words, stop])
    try:
        (whole,) = llama.generate(TALKS[:1], Decoding(max_new_tokens=64))
        assert (whole.text, whole.finish_reason, whole.completion_tokens) == ("好，多喝温水。", "stop", len(words))
        says.at = 0
        (cut,) = llama.generate(TALKS[:1], Decoding(max_new_tokens=64, stop=("温水",)))
        assert (cut.text, cut.finish_reason) == ("好，多喝", "stop")
        assert says.at < len(words) + 1  # it did not go on to the end
        says.at = 0
        deltas = [d async for d in llama.stream(TALKS[0], Decoding(max_new_tokens=64, stop=("温水",)))]
        assert "".join(d.text for d in deltas) == "好，多喝"
        assert deltas[-1].finish_reason == "stop"
    finally:
        says.handle.remove()


async def test_a_closed_stream_stops_the_work(llama: LocalModel) -> None:
    says = Always(llama, llama.renderer.control.encode("好").ids)
    try:
        stream = llama.stream(TALKS[0], Decoding(max_new_tokens=400))
        async for delta in stream:
            if delta.text:
                break
        await stream.aclose()  # type: ignore[attr-defined]
        steps = says.at
        await asyncio.sleep(0.05)
        assert says.at == steps < 400
    finally:
        says.handle.remove()


def test_too_long_a_conversation_is_one_error(llama: LocalModel) -> None:
    long = Conversation.of([("user", "发烧" * 600)])
    done = {c.id: c for c in llama.generate([long, TALKS[0]], Decoding(max_new_tokens=2))}
    assert done[long.id].finish_reason == "error"
    assert "512" in (done[long.id].error or "")
    assert done[TALKS[0].id].error is None


def test_a_failing_batch_is_tried_one_by_one(llama: LocalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    real = llama.model.generate

    def generate(**kwargs: torch.Tensor) -> torch.Tensor:
        if kwargs["input_ids"].shape[0] > 1:
            raise RuntimeError("out of memory")
        return real(**kwargs)  # type: ignore[no-any-return]

    monkeypatch.setattr(llama.model, "generate", generate)
    assert [c.error for c in llama.generate(TALKS, Decoding(max_new_tokens=2))] == [None] * len(TALKS)


def test_sampling_follows_its_seed(llama: LocalModel) -> None:
    def say(seed: int) -> str:
        return next(llama.generate(TALKS[:1], Decoding(max_new_tokens=20, temperature=1.0, seed=seed))).text

    assert say(1) == say(1)
    assert say(1) != say(2)


def test_a_folder_without_weights(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="can't load"):
        load(tmp_path)
