"""The second opinion: what it adds where no cue speaks, and that it frees nobody of what the cues see."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from medasst.disk import package_file
from medasst.errors import ConfigError
from medasst.lexicon import Lexicon
from medasst.rulebook import Rulebook, Voices


def test_without_weights_the_cues_alone_are_heard(book: Rulebook) -> None:
    lexicon = Lexicon(replace(book, opinion=Voices()))
    mentions = lexicon.read("楼下卖菜大哥查出尿毒症，我这脚也肿，没发烧").mentions
    assert mentions
    assert {mention.otherwise for mention in mentions} == {None}


@pytest.mark.parametrize(
    ("text", "words", "assertion"),
    [
        ("读研那阵子荨麻疹闹得凶，如今皮肤好好的，买点钙片", "荨麻疹", "historical"),
        ("合租那哥们得了带状疱疹，我会不会也中招", "带状疱疹", "someone_else"),
        ("没有发烧也没有咳嗽，就是嗓子疼", "嗓子疼", "present"),
    ],
)
def test_what_no_cue_foresees(lexicon: Lexicon, text: str, words: str, assertion: str) -> None:
    assert [mention.assertion for mention in lexicon.read(text).mentions if words in mention.words] == [assertion]


def test_it_frees_nobody_of_what_the_cues_see(lexicon: Lexicon) -> None:
    (pain,) = lexicon.read("胸口疼").mentions
    outvoted = replace(pain, assertion="historical", otherwise="present")
    assert outvoted.current
    assert outvoted.by_cues == "present"
    assert outvoted.said_as("present")
    assert outvoted.said_as("historical")


def test_it_adds_nothing_where_a_cue_decides(lexicon: Lexicon) -> None:
    (fever,) = lexicon.read("没发烧").mentions
    assert fever.cue
    assert not replace(fever, assertion="present", otherwise="absent").current


def test_time_grows_in_proportion_to_the_text(lexicon: Lexicon) -> None:
    began = time.process_time()
    lexicon.read("我妈咳嗽两天了，没发烧，" * 2000)
    assert time.process_time() - began < 20


def test_weights_that_are_none_are_refused(tmp_path: Path) -> None:
    folder = shutil.copytree(package_file("rulebook"), tmp_path / "rules")
    (folder / "opinion_weights.toml").write_text('bias = [0, 0, 0, 0, 0, 0]\n\n[pieces]\n"L没" = [1, 2]\n', "utf-8")
    with pytest.raises(ConfigError, match="opinion"):
        Rulebook.load(folder)
