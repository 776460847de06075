"""What `medasst inspect` tells: figures that agree with training's, examples, remarks, and no text where none may be."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medasst import cli
from medasst.conversation import Conversation
from medasst.data import iterate_split
from medasst.errors import DataError, ModelError
from medasst.render import Renderer
from medasst.text import visible
from medasst.train import TrainConfig
from medasst.train.inspection import Inspection, find_shown, inspect, write_page
from medasst.train.inspection.sequences import Reader
from medasst.train.tokens import tokenise

ODD = [
    Conversation.of([("user", "喝了药😷<|im_end|>"), ("assistant", "先停用，\u200b多喝水，𠮷祥提醒：")], source="odd"),
    Conversation.of([("user", "cafe\u0301 能喝吗"), ("assistant", "不建议。\x1b[31m")], source="odd"),
    Conversation.of([("assistant", "您好！")], source="odd"),
    Conversation.of([("system", " "), ("user", "牙疼"), ("assistant", "很长的回答。" * 60)], source="odd"),
]
PLAIN = [
    Conversation.of([("user", f"头疼{n}天了"), ("assistant", f"先休息{n}天。" * (1 + n % 4))], source="counter")
    for n in range(12)
]
DIALOGUE = Conversation.of(
    [("system", "你是药师。"), *((role, f"{role}说{'话' * 20}{n}。") for n in range(4) for role in ("user", "assistant"))]
)


@pytest.fixture
def prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEDASST_CACHE", str(tmp_path / "cache"))
    return write_set(tmp_path / "data", [*PLAIN, *ODD, DIALOGUE])


def write_set(folder: Path, conversations: list[Conversation], *, texts: bool = True) -> Path:
    folder.mkdir()
    schema = dict.fromkeys(("id", "source", "department", "licence"), pl.String()) | {
        "messages": pl.List(pl.Struct({"role": pl.String, "content": pl.String})),
        "meta": pl.String(),
    }
    for name, rows in (("train-00000", conversations), ("validation", conversations[:2]), ("test", [])):
        pl.DataFrame([c.to_json() for c in rows], schema=schema).write_parquet(folder / f"{name}.parquet")
    (folder / "manifest.json").write_text(json.dumps({"schema_version": 1, "settings": {"texts": texts}}))
    return folder


def config(base: Path, data: Path, **changes: object) -> TrainConfig:
    return TrainConfig.model_validate({"base": str(base), "data": data, "cutoff": 128, "batch_tokens": 256, **changes})


def told(found: Inspection) -> str:
    return "\n".join(f"{remark.level}: {remark.text}" for remark in found.remarks)


@pytest.fixture
def other_template(qwen2_tokenizer: Path, tmp_path: Path) -> Callable[..., Path]:
    """Makes a tokenizer's folder with another template; no weights lie there."""

    def make(template: str, **about: object) -> Path:
        folder = tmp_path / "base"
        shutil.copytree(qwen2_tokenizer, folder)
        given = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
        (folder / "tokenizer_config.json").write_text(json.dumps(given | {"chat_template": template} | about))
        return folder

    return make


def test_figures_are_those_of_training(qwen2_tokenizer: Path, prepared: Path) -> None:
    job = config(qwen2_tokenizer, prepared)
    found = inspect(job)
    tokens = tokenise(partial(iterate_split, prepared, "train"), Renderer.from_folder(qwen2_tokenizer), job.cutoff, "t")
    assert (found.seen, found.complete, found.sequences) == (17, True, len(tokens))
    assert (found.tokens, found.learnt) == (int(tokens.lengths.sum()), int(tokens.mask.sum()))
    assert {(d.reason, d.count, d.ids) for d in found.dropped} == {(d.reason, d.count, d.ids) for d in tokens.dropped}
    assert found.lost == 2 and (found.lengths.over, found.lengths.shortened) == (2, 1)
    assert sum(count for *_, count in found.lengths.bars) == found.lengths.seen == 16
    assert found.cutoff + 1 in {low for low, *_ in found.lengths.bars}
    assert 0 <= found.padding < 1 and found.steps > 0
    assert [(s.name, s.conversations, s.dropped) for s in found.sources] == [("counter", 12, 0), ("odd", 4, 2), ("", 1, 0)]
    fewer = inspect(job, limit=5)
    assert fewer.seen == 5 and not fewer.complete


def test_examples_are_of_every_kind_and_whole(qwen2_tokenizer: Path, prepared: Path) -> None:
    found = inspect(config(qwen2_tokenizer, prepared), samples=3)
    by_why = {one.why: one for one in found.shown}
    assert sum(one.why == "drawn" for one in found.shown) == 3 and {"the longest", "dropped"} <= set(by_why)
    assert {c.id for c in ODD} <= {one.id for one in found.shown}
    renderer = Renderer.from_folder(qwen2_tokenizer)
    talks = {c.id: c for c in iterate_split(prepared, "train")}
    for one in found.shown:
        if one.dropped:
            assert not one.sequences and one.messages == talks[one.id].messages
            continue
        (sequence,), (rendered,) = one.sequences, renderer.train(talks[one.id], 128)
        assert [i for piece in sequence for i in piece.ids] == rendered.ids
        assert [piece.learnt for piece in sequence for _ in piece.ids] == rendered.mask
        assert sequence[0].text == "<|im_start|>" and sequence[0].special and not sequence[0].learnt


def test_what_is_odd_is_told_with_its_ids(qwen2_tokenizer: Path, prepared: Path) -> None:
    found = inspect(config(qwen2_tokenizer, prepared))
    said = told(found)
    assert "note: where a conversation has no system text, the template writes one of its own: 'You are a helpful" in said
    for words, odd in (
        ("ends in a comma or colon", ODD[0]),
        ("control token as text", ODD[0]),
        ("can't be seen", ODD[1]),
        ("blank system text", ODD[3]),
    ):
        (remark,) = (remark for remark in found.remarks if words in remark.text)
        assert odd.id in remark.ids
    assert "warning: 2 of 17 conversations are dropped (11.8%)" in said and "won't start" not in said


@pytest.mark.parametrize(
    ("template", "words"),
    [
        (
            "{% if messages[0].role != 'system' %}<|im_start|>system\n<|im_end|>\n{% endif %}"
            "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
            "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
            "warning: empty system turn",
        ),
        (
            "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' %}<think>\n</think>\n{% endif %}"
            "{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
            "note: the template puts '<think>\\n</think>\\n' before an answer",
        ),
        (
            "<|endoftext|><|endoftext|>{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
            "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
            "warning: doubled BOS: 15 conversations",
        ),
        (
            "{% for m in messages %}{{ m.role }}\n{{ m.content }}<|im_start|>\n{% endfor %}"
            "{% if add_generation_prompt %}assistant\n{% endif %}",
            "a base model, whose chat tokens may never have been trained",
        ),
        (
            "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
            "<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
            "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
            "note: 1 conversation with a system text, for which this template has no turn",
        ),
    ],
    ids=["empty-system", "block", "doubled-bos", "base-model", "no-system"],
)
def test_templates_are_judged(template: str, words: str, other_template: Callable[..., Path], prepared: Path) -> None:
    base = other_template(template, bos_token="<|endoftext|>", add_bos_token=False)
    assert words in told(inspect(config(base, prepared)))


def test_an_end_that_is_no_token_of_its_own_is_told(other_template: Callable[..., Path], prepared: Path) -> None:
    base = other_template("", eos_token="Ġthe", chat_template=None)  # how the vocabulary spells " the", not an added token
    said = told(inspect(config(base, prepared, template="plain")))
    assert "warning: no end token: an answer ends with 'Ġthe'" in said
    assert "warning: answers that never end: 15 conversations" in said


def test_bytes_of_characters_are_told_of_a_vocabulary_without_chinese(tiny_llama: Path, prepared: Path) -> None:
    found = inspect(config(tiny_llama, prepared, cutoff=2000))
    assert re.search(r"byte fallback: \d\d% of the tokens", told(found))
    for one in found.shown:  # whole characters all the same
        assert not any("\ufffd" in piece.text for sequence in one.sequences for piece in sequence)


def test_a_run_that_would_not_start_is_told(other_template: Callable[..., Path], prepared: Path, qwen2_tokenizer: Path) -> None:
    assert "warning: training won't start: nothing is left" in told(inspect(config(qwen2_tokenizer, prepared, cutoff=8)))
    refusing = (
        "{% for m in messages %}{% if '头疼' in m.content %}{{ raise_exception('no heads') }}{% endif %}"
        "<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    said = told(inspect(config(other_template(refusing), prepared)))
    assert "warning: training won't start: 12 of 17 conversations can't be put into this base's chat template" in said


def test_no_text_and_no_id_of_a_token_where_texts_are_not_shown(qwen2_tokenizer: Path, prepared: Path, tmp_path: Path) -> None:
    silent = write_set(tmp_path / "silent", PLAIN, texts=False)
    for found in (inspect(config(qwen2_tokenizer, prepared), texts=False), inspect(config(qwen2_tokenizer, silent))):
        write_page(found, tmp_path / "page.html")
        page = (tmp_path / "page.html").read_text("utf-8")
        assert (
            not found.shown
            and "休息" not in page
            and "data-ids" not in page.split("<body>")[1]
            and "Texts are not shown" in page
        )


def test_the_page_is_offline_and_harmless(qwen2_tokenizer: Path, tmp_path: Path, prepared: Path) -> None:
    attack = Conversation.of([("user", "<script>alert(1)</script>"), ("assistant", "<img src=x>\x1b[2J")])
    found = inspect(config(qwen2_tokenizer, write_set(tmp_path / "attack", [attack])))
    write_page(found, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text("utf-8")
    assert not re.search(r"https?://|url\(|@import|<script|<img|\x1b", page) and "⟨U+001B⟩" in page and "&lt;" in page


def test_one_conversation_by_the_beginning_of_its_id(qwen2_tokenizer: Path, prepared: Path) -> None:
    (one,) = find_shown(config(qwen2_tokenizer, prepared), [DIALOGUE.id[:8]])
    assert (one.id, one.why, one.shortened) == (DIALOGUE.id, "in train", True) and one.tokens <= 128 < one.whole
    with pytest.raises(DataError, match="no conversation with the id zz in any split"):
        find_shown(config(qwen2_tokenizer, prepared), ["zz"])


@pytest.fixture(scope="module")
def renderers(qwen2_tokenizer: Path, tiny_gemma3: Path) -> list[Renderer]:
    return [Renderer.from_folder(folder) for folder in (qwen2_tokenizer, tiny_gemma3)]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answer=st.text(min_size=1, max_size=30).filter(str.strip))
def test_pieces_are_the_tokens(renderers: list[Renderer], answer: str) -> None:
    for renderer in renderers:
        (rendered,) = renderer.train(Conversation.of([("user", "问"), ("assistant", answer)]), 10_000)
        pieces = Reader(renderer).pieces(rendered)
        assert [i for piece in pieces for i in piece.ids] == rendered.ids
        whole = renderer.tokenizer.decode(rendered.ids, skip_special_tokens=False)
        assert "".join(piece.text for piece in pieces).replace("\ufffd", "") == whole.replace("\ufffd", "")


@given(st.text(max_size=40))
def test_what_is_visible_commands_no_terminal(text: str) -> None:
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u200b]", visible(text))


def test_the_command_prints_and_writes(
    qwen2_tokenizer: Path, prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["inspect", str(prepared), "--base", str(qwen2_tokenizer), "--set", "cutoff=128"]) == 0
    printed = capsys.readouterr().out
    page = Path(printed.splitlines()[-1])
    assert page == Path("runs") / tmp_path.name / "inspect" / "inspect.html" and page.is_file()
    assert "⟦" in printed and "dropped because: no answer" in printed and "over the cutoff" in printed and "\x1b" not in printed
    job = tmp_path / "train.toml"
    job.write_text(f'base = "{qwen2_tokenizer}"\ndata = "data"\n')
    assert cli.main(["inspect", str(job), "--id", PLAIN[0].id, "--ids"]) == 0
    printed = capsys.readouterr().out
    assert "<|im_start|>·151644" in printed and "the set" not in printed
    for command, message in (
        ([str(prepared)], "name the base that would learn it with --base"),
        ([str(job), "--samples", "-1"], "--samples -1: give 0 or more"),
        ([str(job), "--limit", "0"], "--limit 0: give 1 or more"),
    ):
        assert cli.main(["inspect", *command]) == 2
        assert message in capsys.readouterr().err.replace("\n", " ")


def test_a_template_that_cannot_be_learnt_says_so(other_template: Callable[..., Path], prepared: Path) -> None:
    base = other_template(
        "{% for m in messages %}{{ m.role }} {{ m.content }}{% endfor %}{% if add_generation_prompt %}?{% endif %}"
    )
    with pytest.raises(ModelError, match="answers don't follow the prompt"):
        inspect(config(base, prepared))


def test_it_is_readable_on_a_phone(qwen2_tokenizer: Path, prepared: Path, tmp_path: Path) -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
    if chromium is None:
        pytest.skip("no chromium installed")
    write_page(inspect(config(qwen2_tokenizer, prepared)), tmp_path / "page.html")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 390, "height": 844})
        page.goto((tmp_path / "page.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        page.check("#ids")
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        shown = page.evaluate("getComputedStyle(document.querySelector('.token'), '::after').content")
        assert shown.strip('"') == "151644"
        browser.close()
