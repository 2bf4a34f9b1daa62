"""What an explanation shows is what the computation does: its rows, applied to the values, give its result."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

import tiny_models
from feedseg import FeedsegError, FSAFeedback, Segmenter, Settings, Vocabulary
from feedseg.explanation import host_row, nearest_window, telling_point
from feedseg.vision.hosts import HOSTS

WORDS = Vocabulary(["cat", "sofa; couch", "rug"], background=["wall", "floor"])
SETTINGS = Settings(short_side=48, max_long_side=200, window=32, stride=16)
AT = (41.0, 22.0)
FEEDBACKS = ("paper", "calibrated")


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    clip, dino = tmp_path_factory.mktemp("clip"), tmp_path_factory.mktemp("dino")
    tiny_models.save_clip(clip)
    tiny_models.save_proxy(dino, "dino", patch_size=4, image_size=16)
    made = {}

    def encoded(host):
        if host not in made:
            options = {"proxy": dino} if HOSTS.load(host).uses_proxy else {}
            segmenter = Segmenter.load(clip, host=host, settings=SETTINGS, device="cpu", **options)
            made[host] = segmenter.encode(np.random.default_rng(0).integers(0, 256, (60, 90, 3), np.uint8))
        return made[host]

    return encoded


def number(found):
    return found.patch[0] * found.grid[1] + found.patch[1]


@pytest.mark.parametrize("feedback", FEEDBACKS)
@pytest.mark.parametrize("host", HOSTS.names())
def test_rows_sum_as_documented(load, host, feedback):
    encoded = load(host)
    found = encoded.explain(WORDS, AT, feedback=feedback)
    _, window = nearest_window(encoded, AT)
    row_sum = torch.as_tensor(window.readout.attention.row_sum)
    assert found.host_attention.sum() + found.host_leading == pytest.approx(float(row_sum.mean()), abs=1e-4)
    assert found.affinity.sum() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(found.isolated.sum(axis=0), 1, atol=1e-5)
    for map_ in (found.host_attention, found.affinity, found.feedback_attention, *(s.values for s in found.stages)):
        assert map_.shape == found.grid


@pytest.mark.parametrize("feedback", FEEDBACKS)
@pytest.mark.parametrize("host", HOSTS.names())
def test_the_row_applied_to_the_values_is_what_is_read_out(load, host, feedback):
    """Per head only the mean over the heads is shown: there the values are given the same for every head."""
    encoded = load(host)
    found = encoded.explain(WORDS, AT, feedback=feedback)
    _, window = nearest_window(encoded, AT)
    attention, chosen = window.readout.attention, encoded.segmenter._plan(feedback=feedback).feedback
    text = encoded.segmenter.embed(WORDS)
    first, uniform = normalize(window.first, dim=-1), normalize(window.uniform, dim=-1)
    isolated = chosen.isolate(first, uniform, text)
    shared = attention.weights is None or attention.weights.dim() == 3
    values = attention.values
    heads = 1
    if attention.weights is not None and not shared:
        heads = attention.weights.shape[1]
        values = values.unflatten(-1, (heads, -1))[:, :, :1].expand(-1, -1, heads, -1)
    gathered = chosen.ensemble(replace(attention, values=values.flatten(2)), isolated)[0, number(found)]
    if not shared:  # the same values in every head: the mean of what the heads gather is what their mean gathers
        gathered, values = gathered.unflatten(-1, (heads, -1)).mean(dim=0), values[:, :, 0]
    row = attention_row(found, attention, chosen, isolated)
    torch.testing.assert_close(row @ values[0], gathered, atol=1e-5, rtol=1e-4)
    if shared and not window.readout.depends_on_patch:
        again = normalize(window.readout.project((row @ attention.values[0])[None, None]), dim=-1)[0, 0]
        truth = window.logits(text, chosen)[:, found.patch[0], found.patch[1]]
        torch.testing.assert_close(text @ again, truth, atol=1e-5, rtol=1e-4)


def attention_row(found, attention, chosen, isolated):
    """The row that is shown, behind what it gives the leading tokens, which only their sum is shown of."""
    leading = chosen.attention(attention, isolated)[0, number(found), : attention.prefix]
    assert float(leading.sum()) == pytest.approx(found.feedback_leading, abs=1e-6)
    return torch.cat((leading, torch.from_numpy(found.feedback_attention).flatten()))


@pytest.mark.parametrize("host", ["clip", "maskclip", "proxyclip"])
def test_the_hosts_attention_is_the_hosts(load, host):
    encoded = load(host)
    found = encoded.explain(WORDS, AT, feedback="paper")
    _, window = nearest_window(encoded, AT)
    attention = window.readout.attention
    if attention.weights is None:
        expected = torch.eye(attention.values.shape[1])[attention.prefix :][number(found)]
    else:
        heads = attention.weights[0] if attention.weights.dim() == 4 else attention.weights
        expected = torch.stack([head[number(found)] for head in heads]).mean(dim=0)
    np.testing.assert_allclose(found.host_attention.ravel(), expected[attention.prefix :], atol=1e-6)
    torch.testing.assert_close(host_row(attention, number(found)), expected)


@pytest.mark.parametrize("host", ["clip", "proxyclip"])
def test_papers_stages_are_the_formulas(load, host):
    """Restated with loops in fp64."""
    found = load(host).explain(WORDS, AT, feedback=FSAFeedback(scale=20, isolation=35, keep=0.45, sharpness=3))
    p = found.isolated.reshape(len(found.queries), -1).T.astype(float)
    own = p[number(found)]
    s = np.array([1 / (1 + (own * np.log(own / other)).sum()) for other in p])
    np.testing.assert_allclose(found.stage("similarity").ravel(), s, atol=1e-4)
    shown = found.stage("similarity").ravel().astype(float)
    shares = np.exp(shown) / np.exp(shown).sum()
    total, kept = 0.0, np.zeros(len(shown), bool)
    for place, index in enumerate(np.argsort(-shown, kind="stable")):
        total += shares[index]
        kept[index] = total <= 0.45 or not place
    np.testing.assert_array_equal(found.stage("kept").ravel(), kept)
    weights = np.where(kept, np.exp(shown * np.exp(3 * shown)), 0)
    np.testing.assert_allclose(found.affinity.ravel(), weights / weights.sum(), atol=1e-5)


@pytest.mark.parametrize("host", ["clip", "maskclip"])
def test_calibrated_stages_and_the_hosts_root_make_the_affinity(load, host):
    found = load(host).explain(WORDS, AT, feedback="calibrated")
    product = found.stage("agreement") * found.stage("nearness")
    if host != "maskclip":
        product = product * np.sqrt(found.host_attention)
    np.testing.assert_allclose(found.affinity, product / product.sum(), atol=1e-5)
    with pytest.raises(KeyError):
        found.stage("kept")


def test_probabilities_are_the_patchs(load):
    encoded = load("clip")
    found = encoded.explain(WORDS, AT, feedback="paper")
    _, window = nearest_window(encoded, AT)
    text = encoded.segmenter.embed(WORDS)
    logits = window.logits(text, None)[:, found.patch[0], found.patch[1]] * encoded.settings.logit_scale
    best = [max(float(logits[q]) for q, k in enumerate(WORDS.query_to_class) if k == label) for label in range(4)]
    np.testing.assert_allclose(found.before_probabilities, torch.tensor(best).softmax(0), atol=1e-5)
    assert found.before_name == found.names[int(np.argmax(best))]
    np.testing.assert_array_equal(found.after.labels, encoded.segment(WORDS, feedback="paper").labels)


def test_of_overlapping_windows_the_one_with_the_nearest_centre(load):
    encoded = load("clip")  # 60 × 90 at 48 × 72: windows of 32 in steps of 16
    for at in ((0, 0), (41, 22), (89, 59), (20, 40)):
        found = encoded.explain(WORDS, at, feedback="paper")
        left, top, right, bottom = found.box
        assert left <= at[0] < right
        assert top <= at[1] < bottom
        centres = [(p.window.left + 16, p.window.top + 16) for p, _ in encoded.windows]
        nearest = min(np.hypot(x * 90 / 72 - at[0], y * 60 / 48 - at[1]) for x, y in centres)
        assert np.hypot((left + right) / 2 - at[0], (top + bottom) / 2 - at[1]) == pytest.approx(nearest)
        row, column = found.patch
        assert left + column * (right - left) / 4 <= at[0] < left + (column + 1) * (right - left) / 4
        assert top + row * (bottom - top) / 4 <= at[1] < top + (row + 1) * (bottom - top) / 4


def test_a_point_is_chosen_where_the_class_changes_most(load):
    before, after = np.full((2, 3, 4), 0.5), np.full((2, 3, 4), 0.5)
    before[:, 0, 0], after[:, 0, 0] = (0.9, 0.1), (0.1, 0.9)  # gains the most
    before[:, 2, 3], after[:, 2, 3] = (0.6, 0.4), (0.4, 0.6)
    before[:, 1, 1], after[:, 1, 1] = (0.6, 0.4), (1.0, 0.0)  # the same class
    assert telling_point(before, after, (60, 80)) == (10, 10)
    after[:, 0, 0] = before[:, 0, 0]
    assert telling_point(before, after, (60, 80)) == (70, 50)
    after[:, 2, 3] = before[:, 2, 3]
    assert telling_point(before, after, (60, 80)) == (30, 30)
    found = load("clip").explain(WORDS, feedback="paper")
    assert found.chosen
    assert found.at == telling_point(found.before.scores, found.after.scores, (60, 90))


def test_more_passes_show_the_last(load):
    encoded = load("clip")
    once, twice = (encoded.explain(WORDS, AT, feedback=FSAFeedback(passes=passes)) for passes in (1, 2))
    assert np.abs(once.isolated - twice.isolated).max() > 1e-3


@pytest.mark.parametrize("at", [(-1, 0), (90, 0), (0, 60), (float("nan"), 0), (1, 2, 3), "ab", 5])
def test_points_outside_are_refused(load, at):
    with pytest.raises(FeedsegError, match="point"):
        load("clip").explain(WORDS, at, feedback="paper")


@pytest.mark.parametrize("feedback", ["none", "feedseg.vision.feedback.controls:HostTwice"])
def test_what_has_no_stages_is_refused(load, feedback):
    with pytest.raises(FeedsegError, match="explain"):
        load("clip").explain(WORDS, AT, feedback=feedback)


@pytest.mark.parametrize("shown", [slice(0, 3), slice(3, None), slice(0, None)], ids=["first row", "last row", "all"])
def test_titles_are_within_the_figure(load, shown):
    backend = pytest.importorskip("matplotlib.backends.backend_agg")
    from feedseg.io.explained import draw_stages, panels

    found = load("clip").explain(WORDS, at=AT, feedback="paper")
    chosen = panels(found)[shown]
    figure = draw_stages(chosen[-3:] if shown.start else chosen, found.box, found.at, found.patch, found.grid)
    canvas = backend.FigureCanvasAgg(figure)
    canvas.draw()
    boxes = [axes.get_tightbbox(canvas.get_renderer()) for axes in figure.axes]
    tops = [box.y1 for box in boxes if box is not None]
    assert len(tops) == len(figure.axes)
    assert max(tops) <= figure.bbox.y1 + 1
