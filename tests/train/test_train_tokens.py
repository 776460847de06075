"""Tokens at rest: as the renderer makes them, whatever interrupts it, and what was dropped is told."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from medasst.conversation import Conversation
from medasst.data import iterate_split, load_split
from medasst.data.store import ROW_GROUP
from medasst.errors import DataError, ModelError, Refused
from medasst.render import Renderer
from medasst.train import tokens as at_rest
from medasst.train.tokens import TokenSet, tokenise

CUTOFF = 60
pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def renderer(tiny_qwen2: Path) -> Renderer:
    return Renderer.from_folder(tiny_qwen2)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are synced every six conversations."""
    monkeypatch.setattr(at_rest, "_BATCH", 3)
    monkeypatch.setattr(at_rest, "_KEPT", 2)


def talks(count: int) -> list[Conversation]:
    def turns(n: int) -> list[tuple[str, str]]:
        last = [("user", f"第{n}个问题<|im_end|>？"), ("assistant", "喝水。" * (n % 40))]
        return [("user", "您好"), ("assistant", "请讲。"), *last] if n % 3 else last

    return [Conversation.of(turns(n), source=f"source-{n % 2}") for n in range(count)]


def held(tokens: TokenSet) -> list[object]:
    arrays = [getattr(tokens, name).tolist() for name in ("ids", "mask", "offsets", "names", "source")]
    return [*arrays, tokens.sources, tokens.dropped]


def test_each_is_what_the_renderer_makes_of_it_alone(renderer: Renderer) -> None:
    given = talks(100)
    expected: list[tuple[str, str, list[int], list[bool]]] = []
    lost: list[str] = []
    for talk in given:
        try:
            expected += [(talk.id, talk.source, ids, mask) for ids, mask in renderer.train(talk, CUTOFF)]
        except Refused as refusal:
            lost.append(str(refusal))
    found = tokenise(lambda first: iter(given[first:]), renderer, CUTOFF, "data")
    rows = [(found.name(i), found.sources[found.source[i]], *found[i]) for i in range(len(found))]
    assert rows == expected
    assert found.lengths.tolist() == [len(ids) for _, _, ids, _ in expected]
    assert isinstance(found.ids, np.memmap) and isinstance(found.offsets, np.memmap)
    assert {d.reason: d.count for d in found.dropped} == {reason: lost.count(reason) for reason in set(lost)}
    too_long = next(d for d in found.dropped if "cutoff" in d.reason)
    assert too_long.count > 10 and len(too_long.ids) == 5
    assert f"{too_long.count} dropped: the last exchange is longer than cutoff = 60 tokens" in str(too_long)


@pytest.mark.usefixtures("small")
def test_an_interrupted_run_goes_on_where_it_was(renderer: Renderer, own_cache: Path) -> None:
    given = talks(40)
    whole = tokenise(lambda first: iter(given[first:]), renderer, CUTOFF, "whole")
    begun: list[int] = []

    def breaking(first: int) -> Iterator[Conversation]:
        begun.append(first)
        yield from islice(given, first, first + 10)
        if first + 10 < len(given):
            raise OSError("killed")

    for _ in range(5):
        with pytest.raises(OSError, match="killed"):
            tokenise(breaking, renderer, CUTOFF, "broken")
        (folder,) = (own_cache / "tokens").glob(".*.unfinished")
        with (folder / "ids.bin").open("ab") as file:
            file.write(b"half a token of a killed run")
    assert begun == [0, 6, 12, 18, 24]
    assert held(tokenise(breaking, renderer, CUTOFF, "broken")) == held(whole)
    assert begun[-1] == 30 and not list((own_cache / "tokens").glob(".*.unfinished"))


@pytest.mark.usefixtures("small")
def test_what_a_power_failure_shortened_is_made_anew(renderer: Renderer, own_cache: Path) -> None:
    given = talks(20)

    def breaking(first: int) -> Iterator[Conversation]:
        yield from islice(given, first, 15)
        raise OSError("killed")

    with pytest.raises(OSError, match="killed"):
        tokenise(breaking, renderer, CUTOFF, "broken")
    (folder,) = (own_cache / "tokens").glob(".*.unfinished")
    (folder / "names.bin").write_bytes(b"")
    found = tokenise(lambda first: iter(given[first:]), renderer, CUTOFF, "broken")
    assert held(found) == held(tokenise(lambda first: iter(given[first:]), renderer, CUTOFF, "whole"))


def test_what_is_there_is_opened_and_not_rendered(renderer: Renderer) -> None:
    given = talks(5)
    first = tokenise(lambda first: iter(given[first:]), renderer, CUTOFF, "data")

    def never(first: int) -> Iterator[Conversation]:
        raise AssertionError(first)

    assert held(tokenise(never, renderer, CUTOFF, "data")) == held(first)


def test_an_empty_split(renderer: Renderer) -> None:
    found = tokenise(lambda _: iter(()), renderer, CUTOFF, "data")
    assert len(found) == 0 and found.offsets.tolist() == [0] and found.lengths.tolist() == []


def test_a_template_that_refuses_most_is_given_up_after_a_thousand(tiny_qwen2: Path, tmp_path: Path) -> None:
    for file in tiny_qwen2.glob("tokenizer*.json"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    refuses = "{{ raise_exception('no ' + messages[0]['role']) if messages[0]['content'] != 'a' else '' }}"
    (tmp_path / "chat_template.jinja").write_text(refuses, "utf-8")
    renderer = Renderer.from_folder(tmp_path, "chat")
    read: list[int] = []

    def endless(first: int) -> Iterator[Conversation]:
        for talk in talks(2000)[first:]:
            read.append(1)
            yield talk

    with pytest.raises(ModelError):
        tokenise(endless, renderer, CUTOFF, "data")
    assert len(read) == 1000


def test_a_foreign_id_is_refused(renderer: Renderer) -> None:
    row = {**talks(2)[1].to_json(), "id": "first-of-some-other-set"}
    with pytest.raises(DataError, match="prepare the set again"):
        tokenise(lambda _: iter([Conversation.from_json(row)]), renderer, CUTOFF, "data")


def test_a_split_is_read_from_any_place(tmp_path: Path) -> None:
    from test_train_run import write_set

    given = talks(30)
    write_set(tmp_path, given)
    (tmp_path / "train-00000.parquet").rename(tmp_path / "train-00001.parquet")
    (tmp_path / "other").mkdir()
    write_set(tmp_path / "other", given[:20])
    (tmp_path / "other" / "train-00000.parquet").rename(tmp_path / "train-00000.parquet")
    everything = load_split(tmp_path, "train")
    assert everything == [*given[:20], *given]
    for first in (0, 1, 19, 20, 21, 49, 50, 51, ROW_GROUP):
        assert list(iterate_split(tmp_path, "train", first)) == everything[first:]
