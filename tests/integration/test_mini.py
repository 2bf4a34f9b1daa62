"""The model in the package, through the code path of every other model: as good on drawn scenes as ever."""

import json

import pytest

import mini_guard
from feedseg import FeedsegError, Segmenter, Settings, Vocabulary
from feedseg.vision.hosts import HOSTS

STORED = json.loads(mini_guard.FILE.read_text(encoding="utf-8"))
NOISE = 1.0  # points of mIoU that another machine's rounding may cost; see research/mini/README.md


@pytest.mark.parametrize("host", HOSTS.names())
def test_no_host_has_become_worse(host):
    for name, score in mini_guard.measure(host).items():
        assert score > STORED[host][name] - NOISE, f"{host}, {name}: {score}, and it was {STORED[host][name]}"


def test_the_stored_figures_say_what_the_method_is_about():
    """Plain CLIP localises poorly, every other host far better, and feedback helps where the host is weak."""
    assert set(STORED) == set(HOSTS.names())
    assert all(STORED[host]["without"] > STORED["clip"]["without"] + 10 for host in HOSTS.names() if host != "clip")
    assert STORED["clip"]["feedback"] > STORED["clip"]["without"] + 1


def test_it_brings_its_own_size_and_proxy():
    segmenter = Segmenter.load("mini")
    assert segmenter.settings == Settings(short_side=112, window=None)
    assert segmenter.provenance()["proxy"]["name"] == "self"
    assert segmenter.provenance()["model"]["name"] == "mini"
    assert segmenter.provenance()["model"]["revision"].startswith("sha256:")


@pytest.mark.parametrize("words", [["giraffe", "red"], ["red", "a grass giraffe"]])
def test_words_it_does_not_know_are_refused(words):
    segmenter = Segmenter.load("mini", host="maskclip", device="cpu")
    with pytest.raises(FeedsegError, match=r"giraffe.*nearest"):
        segmenter.embed(Vocabulary(words))
    assert segmenter.embed(Vocabulary(["Red", "violet planks"])).shape == (2, 128)
