"""The whole way, with every host, on tiny random models saved and loaded as a user would."""

import itertools
import os
import pickle
import sys
import weakref
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import FrozenInstanceError, replace
from multiprocessing import get_context

import numpy as np
import pytest
import torch
from PIL import Image

import tiny_models
from feedseg import CalibratedFeedback, FeedsegError, FSAFeedback, Segmenter, Settings, Vocabulary
from feedseg.decode.labels import label_image
from feedseg.decode.logits import StitchedLogits
from feedseg.decode.refiners.small_areas import SmallAreas
from feedseg.decode.scores import ClassScores
from feedseg.vision.encode import EncodedWindow, WindowEncoder
from feedseg.vision.hosts import HOSTS
from feedseg.vision.towers.base import VisionTower
from feedseg.weights.catalog import repository_of

VOCABULARY = Vocabulary(["cat", "sofa; couch", "rug"], background=["wall", "floor"])
SETTINGS = Settings(short_side=48, max_long_side=200, window=32, stride=16)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip")
    tiny_models.save_clip(folder)
    return folder


@pytest.fixture(scope="module")
def dino(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dino")
    tiny_models.save_proxy(folder, "dino", patch_size=4, image_size=16)
    return folder


def load(clip, dino, host="proxyclip", **options):
    if HOSTS.load(host).uses_proxy:
        options.setdefault("proxy", dino)
    return Segmenter.load(clip, host=host, **({"settings": SETTINGS, "device": "cpu"} | options))


def picture(height=60, width=90, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("feedback", [True, False, "calibrated"])
@pytest.mark.parametrize("host", HOSTS.names())
def test_every_host_names_every_pixel(clip, dino, host, feedback):
    segmenter = load(clip, dino, host, feedback=feedback)
    result = segmenter(picture(), VOCABULARY)
    assert result.labels.shape == (60, 90)
    assert result.labels.max() < 4
    assert result.names == ("background", "cat", "sofa", "rug")
    assert sum(result.area_fractions.values()) == pytest.approx(1)
    assert 1 / 6 < result.confidence.min() <= result.confidence.max() <= 1
    assert (segmenter.feedback is not None) == bool(feedback)


@pytest.mark.parametrize("host", HOSTS.names())
def test_feedback_changes_the_logits(clip, dino, host):
    one, other = (load(clip, dino, host, feedback=kind).encode(picture()).logits(VOCABULARY) for kind in (True, False))
    assert (one - other).abs().max() > 1e-4


SHAPES = [picture(60, 90), picture(48, 48, 1), picture(20, 150, 2), picture(90, 60, 3)]
WORDS = [VOCABULARY, Vocabulary(["dog", "grass"]), VOCABULARY, Vocabulary(["sky", "cat; kitten", "floor"])]
# Rounding differs between a batch and a single window; without pruning nothing can turn that into other neighbours.
UNPRUNED = FSAFeedback(keep=1.0)


@pytest.mark.parametrize("feedback", ["none", UNPRUNED, "calibrated"])
@pytest.mark.parametrize("host", HOSTS.names())
def test_batches_of_images_and_vocabularies_give_what_each_gives_alone(clip, dino, host, feedback, monkeypatch):
    """Several images of several shapes and words, windows of all of them in one batch."""
    segmenter = load(clip, dino, host)
    batches, encode = [], WindowEncoder.__call__
    together = replace(segmenter, batch_size=5)  # what `load` leaves to accelerators
    monkeypatch.setattr(
        WindowEncoder, "__call__", lambda one, pixels: batches.append(len(pixels)) or encode(one, pixels)
    )
    results = list(together.segment_many(zip(SHAPES, WORDS, strict=True), feedback=feedback))
    assert max(batches) == 5
    for image, words, result in zip(SHAPES, WORDS, results, strict=True):
        alone = segmenter(image, words, feedback=feedback)
        assert result.names == words.names
        np.testing.assert_allclose(result.confidence, alone.confidence, atol=2e-3)
        assert (result.labels != alone.labels).mean() < 0.002


@pytest.mark.parametrize("host", HOSTS.names())
def test_several_pictures_give_what_each_gives_alone(clip, dino, host):
    """With what `load` chooses for a CPU, whatever batch size is asked for, to the last bit."""
    segmenter = load(clip, dino, host)
    alone = [segmenter(one, VOCABULARY) for one in SHAPES]
    for together in (segmenter, load(clip, dino, host, batch_size=5)):
        for one, other in zip(alone, together(SHAPES, VOCABULARY), strict=True):
            np.testing.assert_array_equal(one.confidence, other.confidence)
            np.testing.assert_array_equal(one.labels, other.labels)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (300, 7), (5, 5), (33, 31), (400, 500)])
@pytest.mark.parametrize("window", [32, (32, 48), None])
def test_any_size_and_any_window(clip, dino, size, window):
    settings = Settings(short_side=40, max_long_side=120, window=window, stride=(16, 24))
    result = load(clip, dino, settings=settings)(picture(*size), VOCABULARY)
    assert result.labels.shape == size
    assert np.isfinite(result.confidence).all()


def test_pictures_come_out_lazily_and_in_order(clip, dino, tmp_path):
    segmenter = load(clip, dino, "maskclip")
    taken = []

    def pictures():
        for number in range(6):
            taken.append(number)
            path = tmp_path / f"{number}.png"
            Image.fromarray(picture(48, 48, number)).save(path)
            yield path

    results = segmenter(pictures(), VOCABULARY)
    assert taken == []
    first = next(results)
    assert len(taken) < 6
    rest = list(results)
    assert [result.source for result in (first, *rest)] == [str(tmp_path / f"{number}.png") for number in range(6)]
    np.testing.assert_array_equal(first.image, picture(48, 48, 0))


def test_a_path_an_image_and_an_array_give_the_same(clip, dino, tmp_path):
    segmenter = load(clip, dino)
    Image.fromarray(picture()).save(tmp_path / "a.png")
    results = [segmenter(like, VOCABULARY) for like in (tmp_path / "a.png", Image.fromarray(picture()), picture())]
    for result in results[1:]:
        np.testing.assert_array_equal(result.labels, results[0].labels)


def test_an_encoded_image_answers_other_words_without_the_tower(clip, dino, monkeypatch):
    segmenter = load(clip, dino)
    opened = segmenter.encode(picture())
    others = Vocabulary(["dog", "sky", "grass"])
    expected = [segmenter(picture(), words).labels for words in (VOCABULARY, others)]

    def never(*_):
        raise AssertionError("the tower ran again")

    monkeypatch.setattr(VisionTower, "encode", never)
    for words, labels in zip((VOCABULARY, others, VOCABULARY), (*expected, expected[0]), strict=True):
        np.testing.assert_array_equal(opened.segment(words).labels, labels)


def test_a_single_class_wins_where_its_cosine_is_largest(clip, dino):
    """Against the logits: labels are the argmax over the classes of the best query, at the picture's own size."""
    segmenter = load(clip, dino)
    opened = segmenter.encode(picture(48, 48))
    logits = opened.logits(VOCABULARY)
    assert logits.shape == (6, 48, 48)
    best = logits.argmax(0).numpy()
    owner = np.array(VOCABULARY.query_to_class)
    np.testing.assert_array_equal(opened.segment(VOCABULARY).labels, owner[best])


@pytest.mark.parametrize("window", [32, (32, 40), None])
def test_labels_are_those_of_the_logits(clip, dino, window):
    """Rows on demand against all logits of the picture at once, in one call and for an opened picture."""
    segmenter = load(clip, dino, settings=Settings(short_side=45, window=window, stride=16))
    words = VOCABULARY
    opened = segmenter.encode(picture())
    logits = StitchedLogits.of_grid(opened.logits(words), (60, 90))
    expected, confidence = label_image(ClassScores(logits, words.query_to_class, 4, 40.0))
    at_once = segmenter(picture(), words)
    for labels, sure in (opened.labels(words), (at_once.labels, at_once.confidence)):
        np.testing.assert_array_equal(labels, expected)
        np.testing.assert_array_equal(sure, confidence)
    assert not opened.labels(words, refiners=[SmallAreas(0.99)])[0].any()


def test_an_image_that_is_not_kept_open_holds_one_window_at_a_time(clip, dino, monkeypatch):
    segmenter = load(clip, dino)
    windows, alive = [], []
    plain = EncodedWindow.__init__

    def counted(window, *arguments, **options):
        plain(window, *arguments, **options)
        windows.append(weakref.ref(window))
        alive.append(sum(one() is not None for one in windows))

    monkeypatch.setattr(EncodedWindow, "__init__", counted)
    segmenter(picture(60, 200), VOCABULARY)
    assert len(alive) > 10
    assert max(alive) == 1
    assert windows[-1]() is None


@pytest.mark.parametrize("other", [Settings(short_side=48, window=None), Settings(short_side=48).fast()])
def test_settings_are_an_argument(clip, dino, other):
    segmenter = load(clip, dino)
    encoded, before = segmenter.encode(picture(60, 90)), segmenter(picture(60, 90), VOCABULARY)
    result = segmenter(picture(60, 90), VOCABULARY, settings=other)
    assert result.settings["window"] == other.window
    again = segmenter.encode(picture(60, 90), settings=other).segment(VOCABULARY)
    np.testing.assert_array_equal(again.confidence, result.confidence)
    np.testing.assert_array_equal(encoded.segment(VOCABULARY).confidence, before.confidence)
    np.testing.assert_array_equal(replace(segmenter, settings=other)(picture(60, 90), VOCABULARY).labels, result.labels)


def test_a_segmenter_and_what_it_returns_are_frozen(clip, dino):
    segmenter = load(clip, dino)
    encoded = segmenter.encode(picture())
    for one, name in ((segmenter, "feedback"), (segmenter, "settings"), (encoded, "settings")):
        with pytest.raises(FrozenInstanceError):
            setattr(one, name, None)
    image = picture()
    result, expected = segmenter(image, VOCABULARY), segmenter(picture(), VOCABULARY)
    encoded = segmenter.encode(image)
    image[:] = 0  # a caller that uses its array again
    np.testing.assert_array_equal(result.image, expected.image)
    np.testing.assert_array_equal(encoded.segment(VOCABULARY).image, expected.image)
    with pytest.raises(ValueError, match="read-only"):
        result.labels[0] = 1


def test_feedback_is_an_argument(clip, dino):
    segmenter = load(clip, dino, "clearclip")
    encoded = segmenter.encode(picture())
    for feedback in ("none", "paper", "calibrated", FSAFeedback(sharpness=2.0)):
        alone = load(clip, dino, "clearclip", feedback=feedback)(picture(), VOCABULARY)
        for result in (
            segmenter(picture(), VOCABULARY, feedback=feedback),
            encoded.segment(VOCABULARY, feedback=feedback),
        ):
            np.testing.assert_array_equal(result.confidence, alone.confidence)
            assert result.settings == alone.settings
    assert encoded.segment(VOCABULARY).settings["feedback"]["kind"] == "FSAFeedback"


def test_words_may_be_a_list_or_a_line(clip, dino):
    segmenter = load(clip, dino, "maskclip")
    expected = segmenter(picture(), Vocabulary(["cat", "sofa; couch"])).labels
    for words in (["cat", "sofa; couch"], "cat, sofa; couch"):
        np.testing.assert_array_equal(segmenter(picture(), words).labels, expected)


def test_threads_that_share_a_segmenter_get_the_serial_answers(clip, dino):
    segmenter = load(clip, dino, "clearclip")
    vocabularies = [Vocabulary([*pair]) for pair in itertools.permutations(["cat", "sofa", "rug", "dog", "sky"], 2)]
    images = [picture(seed=seed) for seed in range(2)]
    calls = [(image, words) for words in vocabularies for image in images] * 2
    serial = [segmenter(*call).confidence for call in calls]
    encoded = [segmenter.encode(image) for image in images]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda call: segmenter(*call).confidence, calls))
        shared = list(pool.map(lambda index: encoded[index % 2].segment(calls[index][1]).confidence, range(len(calls))))
    for one, other, third in zip(serial, together, shared, strict=True):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(one, third)


def test_a_segmenter_pickles(clip, dino):
    segmenter = load(clip, dino)
    copied = pickle.loads(pickle.dumps(segmenter))
    np.testing.assert_array_equal(copied(picture(), VOCABULARY).labels, segmenter(picture(), VOCABULARY).labels)


def test_a_spawned_process_can_use_it(clip, dino):
    segmenter = load(clip, dino)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        result = pool.submit(segmenter, picture(), VOCABULARY).result()
    np.testing.assert_array_equal(result.labels, segmenter(picture(), VOCABULARY).labels)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_after_a_fork_it_says_that_it_cannot(clip, dino, monkeypatch):
    segmenter = load(clip, dino)
    monkeypatch.setattr(os, "getpid", lambda: 0)  # as a child sees it
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    segmenter(picture(), VOCABULARY)  # one thread on a CPU survives a fork
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    with pytest.raises(FeedsegError, match=r"by a fork.*spawn"):
        segmenter(picture(), VOCABULARY)


OWN = """
import torch
from dataclasses import dataclass, replace
from feedseg.decode.refiners.base import Refiner
from feedseg.decode.scores import Scores
from feedseg.vision.feedback.base import Feedback
from feedseg.vision.hosts.attention import query_key_attention, self_self_attention
from feedseg.vision.hosts.base import Host
from feedseg.vision.proxies.base import Proxy


@dataclass(frozen=True)
class MeanOfLayers(Host):
    blocks: tuple = (1, 2)
    name = "mean-of-layers"
    taps = (1, 2)

    def attention(self, output, features):
        return sum(output.block(index).attention() for index in self.blocks)[:, :, output.last.prefix :] / 2


@dataclass(frozen=True)
class TwoReadouts(Host):
    # the mean of what two attentions gather, each projected alone: values side by side, heads after heads
    name = "two-readouts"

    def attention(self, output, features):
        return query_key_attention(output.last.query, output.last.key, output.last.prefix)

    def read_out(self, output, features, keeps_residual):
        last, host = output.last, super().read_out(output, features, keeps_residual)
        weights = torch.cat((host.attention.weights, self_self_attention(last.key, last.prefix)), dim=1)
        values = host.attention.values.repeat(1, 1, 2)

        def project(attended):
            return sum(host.project(one) for one in attended.chunk(2, dim=-1)) / 2

        return replace(host, attention=replace(host.attention, weights=weights, values=values), project=project)


@dataclass(frozen=True)
class Nothing(Feedback):
    def embed(self, host, first, uniform, text, project):
        return first


@dataclass(frozen=True)
class FirstClassOnly(Refiner):
    def __call__(self, scores, image):
        class First(Scores):
            shape, device = scores.shape, scores.device

            def rows(self, rows):
                found = scores.rows(rows)
                found[1:] = 0
                return found

        return First()


class Means(Proxy):
    name, patch_size = "means", 8

    def __call__(self, pixels, output):
        return torch.nn.functional.avg_pool2d(pixels, 8)
"""


def test_a_host_feedback_proxy_and_refiner_of_ones_own(clip, tmp_path, monkeypatch):
    (tmp_path / "own_parts.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    by_name = load(clip, None, "own_parts:MeanOfLayers", feedback="own_parts:Nothing")
    own = sys.modules["own_parts"]
    result = by_name(picture(), VOCABULARY)
    assert result.settings["host"] == "mean-of-layers"
    assert result.settings["feedback"] == {"kind": "Nothing"}
    by_object = load(clip, None, own.MeanOfLayers(), feedback=own.Nothing())(picture(), VOCABULARY)
    np.testing.assert_array_equal(by_object.confidence, result.confidence)
    plain = load(clip, None, own.MeanOfLayers, feedback="none")(picture(), VOCABULARY)
    np.testing.assert_allclose(plain.confidence, result.confidence, atol=1e-6)
    for feedback in ("none", "paper", "calibrated"):
        both = load(clip, None, "own_parts:TwoReadouts", feedback=feedback)(picture(), VOCABULARY)
        assert np.isfinite(both.confidence).all()
        assert not np.array_equal(
            both.confidence, load(clip, None, "clip", feedback=feedback)(picture(), VOCABULARY).confidence
        )
    refined = by_name(picture(), VOCABULARY, refiners=["own_parts:FirstClassOnly"])
    assert not refined.labels.any()
    assert refined.settings["refiners"] == [{"kind": "FirstClassOnly"}]
    proxied = load(clip, None, proxy="own_parts:Means")(picture(), VOCABULARY)
    assert proxied.models["proxy"] == {"name": "means", "revision": ""}
    with pytest.raises(FeedsegError, match="is no host"):
        load(clip, None, "own_parts:Nothing")


def test_the_class_token_and_the_residual_can_be_chosen(clip, dino):
    logits = {
        (token, residual): load(clip, dino, "clip", class_token=token, residual=residual)
        .encode(picture())
        .logits(VOCABULARY)
        for token in (None, False)
        for residual in (None, False)
    }
    values = list(logits.values())
    for index, one in enumerate(values):
        for other in values[:index]:
            assert (one - other).abs().max() > 1e-4
    assert load(clip, dino, "clip").describe()["class_token"] is True
    assert load(clip, dino, "maskclip").describe()["class_token"] is False


def test_an_aligned_tower_other_than_clip_works_like_one(tmp_path):
    tiny_models.save_aligned(tmp_path, registers=4)
    assert Segmenter.load(tmp_path).settings == Settings(window=None)
    small = Settings(short_side=48, window=None)
    for host in HOSTS.names():
        segmenter = Segmenter.load(tmp_path, host=host, settings=small)
        result = segmenter(picture(), Vocabulary(["cat", "sofa"]))
        assert result.labels.shape == (60, 90)
        assert segmenter.describe()["residual"] is False
        assert segmenter.describe()["class_token"] is False
    segmenter = Segmenter.load(tmp_path, settings=small)
    assert segmenter.provenance()["model"]["revision"].startswith("sha256:")
    with pytest.raises(FeedsegError, match="knows 3 words, and not 'rug'"):
        segmenter(picture(), Vocabulary(["cat", "rug"]))


@pytest.mark.parametrize(("dtype", "close"), [("bf16", 0.1), ("fp16", 0.02)])
@pytest.mark.parametrize("host", HOSTS.names())
def test_half_precision_stays_close(clip, dino, host, dtype, close):
    half, full = (load(clip, dino, host, dtype=kind, feedback=False) for kind in (dtype, "fp32"))
    one, other = half.encode(picture()).logits(VOCABULARY), full.encode(picture()).logits(VOCABULARY)
    assert one.dtype == torch.float32
    assert (one - other).abs().max() < close
    refined = load(clip, dino, host, dtype=dtype)(picture(), VOCABULARY)
    assert np.isfinite(refined.confidence).all()


def test_the_feedback_is_chosen_by_name(clip, dino):
    kinds = [load(clip, dino, feedback=name).feedback for name in ("paper", "calibrated", "none", True, False)]
    assert kinds == [FSAFeedback(), CalibratedFeedback(), None, FSAFeedback(), None]


def test_passes_stand_behind_the_feedbacks_name(clip, dino):
    kinds = [load(clip, dino, feedback=name).feedback for name in ("paper:2", "calibrated:settled", "auto:3")]
    assert kinds == [FSAFeedback(passes=2), CalibratedFeedback(passes=10, settle=True), FSAFeedback(passes=3)]
    for wrong in ("none:2", "paper:often", "nosuch:2"):
        with pytest.raises(FeedsegError, match=r"nothing behind its name|passes|cannot be imported"):
            load(clip, dino, feedback=wrong)


def test_the_feedbacks_constants_follow_tower_and_proxy(clip, dino, tmp_path):
    assert load(clip, dino).feedback == FSAFeedback(20.0, 35.0, 0.45, 3.0)
    tiny_models.save_proxy(tmp_path, "mae")
    assert load(clip, tmp_path).feedback == FSAFeedback(sharpness=4.5)
    tuned = FSAFeedback(7.0, 12.25, 0.34, 3.5)
    assert load(clip, dino, feedback=tuned).feedback == tuned
    assert FSAFeedback().fitted(1280, "") == FSAFeedback(sharpness=2.3)
    assert FSAFeedback().fitted(1280, "vit_mae") == FSAFeedback(sharpness=4.5)


def test_any_function_is_a_proxy(clip):
    seen = []

    def colours(windows):
        seen.append(windows)
        return torch.nn.functional.avg_pool2d(windows, 4)

    result = load(clip, None, proxy=colours)(picture(48, 48), VOCABULARY)
    assert result.labels.shape == (48, 48)
    assert 0 <= seen[0].min() <= seen[0].max() <= 1


def test_provenance_names_models_and_revisions(clip, dino):
    result = load(clip, dino)(picture(), VOCABULARY)
    assert result.models["model"]["name"] == str(clip)
    assert result.models["proxy"]["name"] == str(dino)
    assert result.models["model"]["revision"] != result.models["proxy"]["revision"]
    assert result.settings["host"] == "proxyclip"
    assert result.settings["feedback"] == {"kind": "FSAFeedback"} | vars(FSAFeedback(20.0, 35.0, 0.45, 3.0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"host": "fsa"}, "no host 'fsa'; there are clearclip, clip, .*maskclip"),
        ({"host": "maskclip", "proxy": "dino-b8"}, "maskclip uses no proxy"),
        ({"device": "abacus"}, "the device 'abacus' cannot be used"),
        ({"dtype": "int4"}, "the type 'int4' is none of fp32"),
        ({"proxy": "vit-b-16"}, "text-aligned tower"),
        ({"batch_size": 0}, "batch size is a whole number from 1"),
        ({"feedback": 1}, "1 is no feedback: it is not derived from"),
        ({"feedback": Settings}, "is no feedback"),
        (
            {"feedback": "papre"},
            "there is no feedback 'papre'; did you mean paper. there are calibrated, near, paper, or .*, auto or none",
        ),
    ],
)
def test_options_that_make_no_sense_are_told_in_one_line(clip, dino, options, message):
    with pytest.raises(FeedsegError, match=message) as caught:
        load(clip, dino, **options)
    assert "\n" not in str(caught.value)


def test_a_proxy_is_no_model():
    with pytest.raises(
        FeedsegError, match="dino-b8 is a proxy without text; as the model take one of photo, mini, vit-b-32"
    ):
        Segmenter.load("dino-b8")


def test_a_name_of_the_catalog_can_be_pinned():
    assert repository_of("vit-b-16@57c2", "tower") == "openai/clip-vit-base-patch16@57c2"
    assert repository_of("owner/name@v1", "tower") == "owner/name@v1"


@pytest.mark.parametrize(
    ("pictures", "vocabulary", "message"),
    [
        (picture(), {"cat", "dog"}, "words are a Vocabulary, a list of classes or a line of text, not set"),
        (None, VOCABULARY, "not NoneType"),
        (7, VOCABULARY, "not int"),
        (np.stack([picture(), picture()]), VOCABULARY, "several images go in as a list"),
    ],
)
def test_other_things_than_pictures_and_words_are_refused(clip, pictures, vocabulary, message):
    with pytest.raises(FeedsegError, match=message):
        load(clip, None, "maskclip")(pictures, vocabulary)


@pytest.mark.parametrize("dtype", ["fp32", "fp16", "bf16"])
def test_a_proxy_may_say_nothing_of_a_place(clip, dtype):
    """Features of length zero, as any linear function gives for black, in every number type."""
    black = picture()
    black[:30] = 0
    result = load(clip, None, proxy=lambda windows: torch.nn.functional.avg_pool2d(windows, 4), dtype=dtype)(
        black, VOCABULARY
    )
    assert np.isfinite(result.confidence).all()


def test_numbers_that_are_not_finite_are_an_error(clip):
    broken = load(clip, None, proxy=lambda windows: windows[:, :1, ::8, ::8] * torch.nan)
    with pytest.raises(FeedsegError, match="not finite"):
        broken(picture(), VOCABULARY)


def test_a_proxy_can_ask_for_whole_patches(clip):
    def features(windows):
        assert windows.shape[-2] % 16 == windows.shape[-1] % 16 == 0
        return torch.nn.functional.avg_pool2d(windows, 16)

    setattr(features, "patch_size", 16)  # noqa: B010 -- a type checker knows no attributes of functions
    settings = Settings(short_side=40, window=40, stride=20)
    assert load(clip, None, proxy=features, settings=settings)(picture(), VOCABULARY).labels.shape == (60, 90)


def test_results_of_pictures_with_the_same_name_do_not_replace_each_other(clip, tmp_path):
    segmenter = load(clip, None, "maskclip")
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        Image.fromarray(picture()).save(tmp_path / folder / "x.png")
    paths = [tmp_path / "a/x.png", tmp_path / "b/x.png"]
    for _ in range(2):  # again: each replaces its own
        saved = [result.save(tmp_path / "out").labels.name for result in segmenter(paths, VOCABULARY)]
        assert saved == ["x.labels.png", "x-2.labels.png"]
    arrays = [result.save(tmp_path / "out").labels.name for result in segmenter([picture(), picture()], VOCABULARY)]
    assert arrays == ["picture.labels.png", "picture-2.labels.png"]
