"""The whole way, with every host, on tiny random models saved and loaded as a user would."""

import weakref

import numpy as np
import pytest
import torch
from PIL import Image

import tiny_models
from feedseg import CalibratedFeedback, FeedbackAttention, FeedsegError, Segmenter, Settings, Vocabulary
from feedseg.decode.labels import label_pixels
from feedseg.io.images import Picture
from feedseg.vision.feedback.registry import named_feedback
from feedseg.vision.hosts.attention import HOSTS
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
    if host == "proxyclip":
        options.setdefault("proxy", dino)
    return Segmenter.load(clip, host=host, **({"settings": SETTINGS, "device": "cpu"} | options))


def picture(height=60, width=90, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("feedback", [True, False, "calibrated"])
@pytest.mark.parametrize("host", HOSTS)
def test_every_host_names_every_pixel(clip, dino, host, feedback):
    segmenter = load(clip, dino, host, feedback=feedback)
    result = segmenter(picture(), VOCABULARY)
    assert result.labels.shape == (60, 90)
    assert result.labels.max() < 4
    assert result.names == ("background", "cat", "sofa", "rug")
    assert sum(result.shares.values()) == pytest.approx(1)
    assert 1 / 6 < result.confidence.min() <= result.confidence.max() <= 1
    assert (segmenter.feedback is not None) == bool(feedback)


@pytest.mark.parametrize("host", HOSTS)
def test_feedback_changes_the_logits(clip, dino, host):
    one, other = (load(clip, dino, host, feedback=kind).open(picture()).logits(VOCABULARY) for kind in (True, False))
    assert (one - other).abs().max() > 1e-4


SHAPES = [picture(60, 90), picture(48, 48, 1), picture(20, 150, 2), picture(90, 60, 3)]
# Rounding differs between a batch and a single window; without pruning nothing can turn that into other neighbours.
UNPRUNED = FeedbackAttention(keep=1.0)


def batched_logits(segmenter, pictures):
    opened = segmenter.open_pixels([segmenter._resized(Picture(one)) for one in pictures])
    assert max(len(windows.places) for windows in opened) == segmenter.batch_size
    return segmenter.stitched_logits(opened, VOCABULARY)


@pytest.mark.parametrize("feedback", [False, UNPRUNED, "calibrated"])
@pytest.mark.parametrize("host", HOSTS)
def test_batches_give_what_single_windows_give(clip, dino, host, feedback):
    """Several pictures of several shapes, windows of all of them in one batch."""
    alone, together = (load(clip, dino, host, feedback=feedback) for _ in range(2))
    together.batch_size = 5  # what `load` leaves to accelerators
    for one, logits in zip(SHAPES, batched_logits(together, SHAPES), strict=True):
        torch.testing.assert_close(logits, alone.open(one).logits(VOCABULARY), atol=1e-5, rtol=0)


@pytest.mark.parametrize("host", HOSTS)
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
    np.testing.assert_array_equal(first.picture, picture(48, 48, 0))


def test_a_path_an_image_and_an_array_give_the_same(clip, dino, tmp_path):
    segmenter = load(clip, dino)
    Image.fromarray(picture()).save(tmp_path / "a.png")
    results = [segmenter(like, VOCABULARY) for like in (tmp_path / "a.png", Image.fromarray(picture()), picture())]
    for result in results[1:]:
        np.testing.assert_array_equal(result.labels, results[0].labels)


def test_an_opened_picture_answers_other_words_without_the_tower(clip, dino, monkeypatch):
    segmenter = load(clip, dino)
    opened = segmenter.open(picture())
    others = Vocabulary(["dog", "sky", "grass"])
    expected = [segmenter(picture(), words).labels for words in (VOCABULARY, others)]

    def never(*_):
        raise AssertionError("the tower ran again")

    monkeypatch.setattr(type(segmenter.reader.tower), "open", never)
    for words, labels in zip((VOCABULARY, others, VOCABULARY), (*expected, expected[0]), strict=True):
        np.testing.assert_array_equal(opened.segment(words).labels, labels)


def test_a_single_class_wins_where_its_cosine_is_largest(clip, dino):
    """Against the logits: labels are the argmax over the classes of the best query, at the picture's own size."""
    segmenter = load(clip, dino)
    opened = segmenter.open(picture(48, 48))
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
    opened = segmenter.open(picture())
    expected, confidence = label_pixels(opened.logits(words), (60, 90), words.query_to_class, 4, 40.0)
    at_once = segmenter(picture(), words)
    for labels, sure in (opened.labels(words), (at_once.labels, at_once.confidence)):
        np.testing.assert_array_equal(labels, expected)
        np.testing.assert_array_equal(sure, confidence)
    assert not opened.labels(words, smallest_area=0.99)[0].any()


def test_a_picture_that_is_not_kept_open_holds_one_window_at_a_time(clip, dino, monkeypatch):
    segmenter = load(clip, dino)
    readings, alive = [], []
    plain = type(segmenter.reader).open

    def counted(reader, windows):
        reading = plain(reader, windows)
        readings.append(weakref.ref(reading))
        alive.append(sum(one() is not None for one in readings))
        return reading

    monkeypatch.setattr(type(segmenter.reader), "open", counted)
    segmenter(picture(60, 200), VOCABULARY)
    assert len(alive) > 10
    assert max(alive) == 1
    assert readings[-1]() is None


@pytest.mark.parametrize("later", [Settings(short_side=48, window=None), Settings(short_side=48).fast()])
def test_an_opened_picture_stays_as_it_was_opened(clip, dino, later):
    segmenter = load(clip, dino)
    opened, expected = segmenter.open(picture(60, 90)), segmenter(picture(60, 90), VOCABULARY)
    segmenter.settings = later
    np.testing.assert_array_equal(opened.segment(VOCABULARY).labels, expected.labels)


def test_the_class_token_and_the_residual_can_be_chosen(clip, dino):
    logits = {
        (token, residual): load(clip, dino, "clip", class_token=token, residual=residual)
        .open(picture())
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
    for host in HOSTS:
        segmenter = Segmenter.load(tmp_path, host=host, settings=small)
        result = segmenter(picture(), Vocabulary(["cat", "sofa"]))
        assert result.labels.shape == (60, 90)
        assert segmenter.describe()["residual"] is False
        assert segmenter.describe()["class_token"] is False
    segmenter = Segmenter.load(tmp_path, settings=small)
    assert segmenter.provenance()["model"]["revision"].startswith("sha256:")
    with pytest.raises(FeedsegError, match="knows 3 words and 'rug' is none of them"):
        segmenter(picture(), Vocabulary(["cat", "rug"]))


@pytest.mark.parametrize(("dtype", "close"), [("bf16", 0.1), ("fp16", 0.02)])
@pytest.mark.parametrize("host", HOSTS)
def test_half_precision_stays_close(clip, dino, host, dtype, close):
    half, full = (load(clip, dino, host, dtype=kind, feedback=False) for kind in (dtype, "fp32"))
    one, other = half.open(picture()).logits(VOCABULARY), full.open(picture()).logits(VOCABULARY)
    assert one.dtype == torch.float32
    assert (one - other).abs().max() < close
    refined = load(clip, dino, host, dtype=dtype)(picture(), VOCABULARY)
    assert np.isfinite(refined.confidence).all()


def test_the_feedback_is_chosen_by_name(clip, dino):
    kinds = [load(clip, dino, feedback=name).feedback for name in ("paper", "calibrated", "none", True, False)]
    assert kinds == [FeedbackAttention(), CalibratedFeedback(), None, FeedbackAttention(), None]


def test_the_feedbacks_constants_follow_tower_and_proxy(clip, dino, tmp_path):
    assert load(clip, dino).feedback == FeedbackAttention(20.0, 35.0, 0.45, 3.0)
    tiny_models.save_proxy(tmp_path, "mae")
    assert load(clip, tmp_path).feedback == FeedbackAttention(sharpness=4.5)
    tuned = FeedbackAttention(7.0, 12.25, 0.34, 3.5)
    assert load(clip, dino, feedback=tuned).feedback == tuned
    huge = load(clip, dino, "maskclip")
    huge.reader.tower.width = 1280
    assert named_feedback("paper", huge.reader.tower) == FeedbackAttention(sharpness=2.3)


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
    assert result.settings["feedback"] == {"kind": "FeedbackAttention"} | vars(FeedbackAttention(20.0, 35.0, 0.45, 3.0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"host": "fsa"}, "no host 'fsa'; there are clip, maskclip"),
        ({"host": "maskclip", "proxy": "dino-b8"}, "maskclip uses no proxy"),
        ({"device": "abacus"}, "the device 'abacus' cannot be used"),
        ({"dtype": "int4"}, "the type 'int4' is none of fp32"),
        ({"proxy": "vit-b-16"}, "text-aligned tower"),
        ({"batch_size": 0}, "batch size is at least 1"),
        ({"feedback": 1}, "feedback is paper, calibrated, none, or a dataclass with `reread`, not 1"),
        ({"feedback": CalibratedFeedback}, "or a dataclass with `reread`, not <class"),
        ({"feedback": "papre"}, "there is no feedback 'papre'; there are paper, calibrated, none"),
    ],
)
def test_options_that_make_no_sense_are_told_in_one_line(clip, dino, options, message):
    with pytest.raises(FeedsegError, match=message) as caught:
        load(clip, dino, **options)
    assert "\n" not in str(caught.value)


def test_a_proxy_is_no_model():
    with pytest.raises(FeedsegError, match="dino-b8 is a proxy without text; as the model take one of mini, vit-b-32"):
        Segmenter.load("dino-b8")


def test_a_name_of_the_catalog_can_be_pinned():
    assert repository_of("vit-b-16@57c2", "tower") == "openai/clip-vit-base-patch16@57c2"
    assert repository_of("owner/name@v1", "tower") == "owner/name@v1"


@pytest.mark.parametrize(
    ("pictures", "vocabulary", "message"),
    [
        (picture(), ["cat", "dog"], "is a Vocabulary, not list"),
        (None, VOCABULARY, "not NoneType"),
        (7, VOCABULARY, "not int"),
        (np.stack([picture(), picture()]), VOCABULARY, "several pictures go in as a list"),
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
