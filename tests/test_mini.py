"""The model in the package, through the code path of every other model: it names what is drawn."""

import numpy as np
import pytest

from feedseg import Segmenter, Settings, Vocabulary
from feedseg.evaluation.metrics import confusion_matrix, mean_iou
from feedseg.scenes import BACKGROUNDS, COLOURS, draw_scene

WORDS = Vocabulary([*COLOURS, *BACKGROUNDS])
SCENES = 12


def miou(host: str, feedback: bool) -> float:
    """mIoU over a few scenes of colours and backgrounds, both of them classes."""
    segmenter = Segmenter.load("mini", host=host, feedback=feedback, device="cpu")
    confusion = np.zeros((len(WORDS.names),) * 2, np.int64)
    for seed in range(SCENES):
        scene = draw_scene(seed, 112)
        of_label = [scene.background, *(thing.colour for thing in scene.things)]
        truth = np.array([WORDS.names.index(name) for name in of_label])[scene.labels]
        confusion += confusion_matrix(truth, segmenter(scene.picture, WORDS).labels, len(WORDS.names))
    return mean_iou(confusion)


@pytest.mark.parametrize(("host", "at_least"), [("maskclip", 0.4), ("clearclip", 0.3), ("proxyclip", 0.4)])
def test_hosts_localise_and_clips_own_attention_does_not(host, at_least):
    """Far below what was measured on many scenes (training/README.md), far above what chance would give."""
    with_host, plain = miou(host, feedback=True), miou("clip", feedback=False)
    assert with_host > at_least
    assert with_host > plain + 0.15


def test_it_brings_its_own_size_and_proxy():
    segmenter = Segmenter.load("mini")
    assert segmenter.settings == Settings(short_side=112, window=None)
    assert segmenter.provenance()["proxy"]["name"] == "self"
    assert segmenter.provenance()["model"]["name"] == "mini"
    assert segmenter.provenance()["model"]["revision"].startswith("sha256:")
