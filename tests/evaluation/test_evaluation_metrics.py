"""The scores equal the field's."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from rouge_chinese import Rouge

from medasst.evaluation.metrics import mean_scores, score_text

GOLDEN = Path(__file__).parents[1] / "data" / "golden_llamafactory_metrics.jsonl"
FIELDS = ("rouge-1", "rouge-2", "rouge-l", "bleu-4")


def test_equal_to_llama_factory_on_every_pair_and_in_the_means() -> None:
    _, *pairs, mean = map(json.loads, GOLDEN.read_text("utf-8").splitlines())
    scores = [score_text(pair["pred"], pair["label"]) for pair in pairs]
    assert len(pairs) == mean["n"] == 500
    assert [tuple(score) for score in scores] == [tuple(pair[field] for field in FIELDS) for pair in pairs]
    assert tuple(mean_scores(scores)) == tuple(mean[field] for field in FIELDS)


@pytest.mark.parametrize("predict", ["", " ", "\n\n", "\u3000"])
@pytest.mark.parametrize("label", ["", "  ", "建议多喝水，注意休息。"])
def test_an_empty_side_has_no_rouge(predict: str, label: str) -> None:
    assert score_text(predict, label)[:3] == (0.0, 0.0, 0.0)
    assert all(math.isfinite(value) for value in score_text(predict, label))


def test_equal_texts_score_full() -> None:
    text = "饭后半小时服用，每日三次。如果发热超过三天，请去医院。"
    assert score_text(text, text) == pytest.approx((100, 100, 100, 100), abs=1e-4)


def test_rouge_equals_the_library_on_repetition_and_blank_lines() -> None:
    import jieba

    predict, label = "头痛头痛头痛。\n\n多休息！多休息！" * 20, "头痛时多休息。\n \n必要时就医……好的。" * 7
    found = Rouge().get_scores(" ".join(jieba.cut(predict)), " ".join(jieba.cut(label)))[0]
    assert score_text(predict, label)[:3] == tuple(round(found[f"rouge-{n}"]["f"] * 100, 4) for n in "12l")
