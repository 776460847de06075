"""Conversation, text and search: the small tools every room uses."""

from __future__ import annotations

import hashlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medasst.conversation import Conversation, Message
from medasst.errors import ConfigError, DataError
from medasst.registry import Registry
from medasst.search import Hit, TextIndex
from medasst.text import bucket, comparison_key, normalise, sentences


def test_the_id_is_the_contract_s() -> None:
    talk = Conversation.of([("user", "头疼"), ("assistant", "多久了？")])
    text = '[["user","头疼"],["assistant","多久了？"]]'
    assert talk.id == hashlib.sha256(text.encode()).hexdigest()[:16]


def test_a_row_comes_back_as_it_was() -> None:
    talk = Conversation.of([("system", "s"), ("user", "头疼")], source="a", department="神经", meta={"k": [1, "二"]})
    assert Conversation.from_json(talk.to_json()) == talk
    assert Conversation.from_json({"messages": [{"role": "user", "content": "头疼"}]}).messages == (Message("user", "头疼"),)
    assert talk.first_user == "头疼"
    assert talk.before(1).messages == talk.messages[:1]


def test_an_unknown_role_is_refused() -> None:
    with pytest.raises(DataError, match="unknown role 'doctor'"):
        Conversation.of([("doctor", "好")])


def test_normalise() -> None:
    assert normalise("ＶＣ　１２片，（饭后）") == "VC　12片，（饭后）"
    assert comparison_key(" ＶＣ 12片，（饭后）!_") == "vc12片饭后"
    assert bucket("头疼，怎么办？") == bucket("头疼怎么办")
    assert 0 <= bucket("x") < 10_000


@given(st.text(alphabet="疼药。！？；?!\n”) a", max_size=40))
def test_sentences_joined_are_the_text(text: str) -> None:
    assert "".join(sentences(text)) == text


def test_sentences() -> None:
    assert sentences("多喝水。不要紧！“真的？”好") == ["多喝水。", "不要紧！", "“真的？”", "好"]


def test_nearest_finds_two_character_words_and_of_equals_the_first() -> None:
    index = TextIndex(["感冒发烧吃什么药", "头痛怎么办", "", "脚气痒", "头痛怎么办"])
    hit = index.nearest("我头痛，怎么办呀")
    assert hit is not None and hit.place == 1 and 0.5 < hit.score < 1
    assert index.nearest_many(["头痛怎么办？", "", "xyz"]) == [Hit(1, 1.0), None, None]
    assert [hit and hit.place for hit in index.nearest_many(["脚气", "发烧"] * 300)] == [3, 0] * 300
    assert TextIndex([]).nearest("头痛") is None


def test_nearest_equals_tf_idf_by_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    from medasst import search

    monkeypatch.setattr(search, "_BLOCK", 7)
    rng = random.Random(1)
    texts = ["".join(rng.choices("感冒发烧咳嗽头痛吃药怎么办孩子ab1", k=rng.randint(1, 30))) for _ in range(200)]
    queries = ["".join(rng.choices("感冒发烧咳嗽头痛吃药喉z", k=rng.randint(1, 12))) for _ in range(60)]
    vectorizer = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True)
    matrix = vectorizer.fit_transform(texts)
    # Unknown n-grams weigh in ours and not there: the nearest is the same, its cosine less by the query's norm.
    scores = (vectorizer.transform(queries) @ matrix.T).toarray()
    for row, hit in zip(scores, TextIndex(texts).nearest_many(queries), strict=True):
        assert (hit is None) == (row.max() == 0)
        assert hit is None or row[hit.place] == pytest.approx(row.max(), rel=1e-5)


def test_a_registry_names_the_nearest() -> None:
    things: Registry[int] = Registry("thing")
    things.register("alpaca")(1)
    assert things["alpaca"] == 1
    with pytest.raises(ConfigError, match="unknown thing 'alpacca'; did you mean 'alpaca'"):
        things["alpacca"]
    with pytest.raises(ValueError, match="twice"):
        things.register("alpaca")(2)
