"""What papers report beside what was measured: the nearest rows, what differs, and nothing that is not recorded."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from feedseg import Vocabulary
from feedseg.evaluation.datasets.benchmarks import load_benchmark
from feedseg.evaluation.report.comparison import comparison_table, comparisons
from feedseg.evaluation.report.published import published

CLIP, DINO = "openai/clip-vit-base-patch16@57c2", "facebook/dino-vitb8@1"


def bench(benchmark: str, model: str, host: str, proxy: str | None, words: Vocabulary | None = None) -> Any:
    """What is asked of a bench here: its benchmark and words, and what its model is."""
    made_with = {"model": {"name": model}} | ({} if proxy is None else {"proxy": {"name": proxy}})
    loaded = load_benchmark(benchmark, None)
    experiment = SimpleNamespace(benchmark=loaded, vocabulary=words or loaded.vocabulary())
    encoder = SimpleNamespace(host=SimpleNamespace(name=host))
    return SimpleNamespace(
        experiment=experiment, segmenter=SimpleNamespace(provenance=lambda: made_with, encoder=encoder)
    )


def result(images: int, **miou: float) -> Any:
    variants = {name: SimpleNamespace(miou=SimpleNamespace(value=value)) for name, value in miou.items()}
    return SimpleNamespace(names=[str(index) for index in range(images)], variants=variants)


def test_the_same_model_host_and_proxy_come_first_and_only_the_protocol_is_open() -> None:
    first, *others = comparisons(bench("voc20", CLIP, "proxyclip", DINO), result(1449, none=0.793, paper=0.81))
    assert first.published.miou == 80.3
    assert first.differences == "its protocol is not recorded"
    table = comparison_table([first])
    assert list(table.rows[0]) == [
        "ProxyCLIP on ViT-B/16 openai with DINO-B/8",
        "without",
        "80.3",
        "79.3",
        "−1.0",
        "its protocol is not recorded",
    ]
    assert [one.published.model for one in others] == ["ViT-L/14 openai", "ViT-H/14 laion2b"]


def test_another_backbone_proxy_fewer_images_and_other_words_are_all_said() -> None:
    others = Vocabulary.parse("cat\ndog")
    found = comparisons(bench("voc20", "laion/other@1", "proxyclip", "facebook/dinov2-base", others), result(6, none=0))
    first = next(one for one in found if one.published.model == "ViT-B/16 openai")
    assert first.differences == (
        "model ViT-B/16 openai, here other; proxy DINO-B/8, here dinov2-base; all 1449 images, here 6; "
        "the benchmark's words, here others; its protocol is not recorded"
    )


def test_a_proxy_that_no_listing_names_is_not_guessed() -> None:
    model = "openai/clip-vit-large-patch14"
    first, *_ = comparisons(bench("voc20", model, "proxyclip", DINO), result(1449, none=0.8))
    assert first.published.model == "ViT-L/14 openai"
    assert first.differences == "its proxy is not recorded, here dino-vitb8; its protocol is not recorded"


def test_a_host_without_published_numbers_stands_beside_others_of_its_model() -> None:
    found = comparisons(bench("voc20", CLIP, "own", None), result(1449, paper=0.8))
    assert {one.published.model for one in found} == {"ViT-B/16 openai"}
    assert found[0].differences.startswith("host CLIP, here own")
    assert comparison_table(found).rows[0][3:5] == ("–", "–")  # without feedback nothing was measured


def test_with_feedback_a_listing_says_neither_model_nor_host() -> None:
    *_, last = comparisons(bench("cityscapes", CLIP, "maskclip", None), result(500, none=0.2, paper=0.3))
    assert last.published.feedback
    assert last.measured == 0.3
    assert last.differences == "its model, host and proxy are not recorded; its protocol is not recorded"


@pytest.mark.parametrize(("benchmark", "rows"), [("voc20", 0), ("cityscapes", 1), ("scenes", 0)])
def test_where_nothing_is_known_nothing_is_said(benchmark: str, rows: int) -> None:
    found = comparisons(bench(benchmark, "./folder", "own", None), result(3, none=0.5, paper=0.5))
    assert [one.published.feedback for one in found] == [True] * rows


def test_of_every_benchmark_of_the_papers_there_are_thirteen_rows() -> None:
    assert {name: sum(not row.feedback for row in published(name)) for name in ("voc21", "ade20k")} == {
        "voc21": 13,
        "ade20k": 13,
    }
    assert published("context459") == []
