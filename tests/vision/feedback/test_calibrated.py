"""The calibrated feedback against its formulas written out patch by patch in fp64, and on inputs at the edge."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize

from feedseg.vision.feedback.base import HostAttention
from feedseg.vision.feedback.calibrated import CalibratedFeedback, distances, isolated_evidence, nearest_distance
from feedseg.vision.feedback.controls import CONTROLS, GaussianOnLogits, HostOnLogits, RootOfHost
from perturb import movement

FEEDBACK = CalibratedFeedback()


def inputs(patches, words, heads=1, width=12, joint=8, prefix=0, seed=0):
    """Attention per head, values, a projection and text, seeded."""
    generator = torch.Generator().manual_seed(seed)
    tokens = patches + prefix
    attention = torch.randn(2, heads, patches, tokens, generator=generator).mul(2).softmax(dim=-1)
    values = torch.randn(2, tokens, width, generator=generator)
    projection = torch.randn(width, joint, generator=generator)
    return attention, values, projection, torch.randn(words, joint, generator=generator)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def written_out(attention, values, projection, text, prefix, constants):
    """One window, A'' formed whole and head by head; every sum a loop over patches."""
    a, v, w, t = (np.asarray(x, np.float64) for x in (attention, values, projection, text))
    heads, n, tokens = a.shape
    parts = np.split(v, heads, axis=1)
    r = a.sum(axis=-1).mean()

    def read(attentions):
        return unit(np.concatenate([x @ part for x, part in zip(attentions, parts, strict=True)], axis=1) @ w)

    t = unit(t)
    z = read(a)
    u = read(np.full_like(a, r / tokens))
    e = z @ t.T - constants.isolation * (u @ t.T)
    e -= e.mean(axis=1, keepdims=True)
    e /= np.sqrt((e**2).mean())
    p = np.exp(e)
    p /= p.sum(axis=1, keepdims=True)
    d = np.array([[((e[i] - e[j]) ** 2).mean() for j in range(n)] for i in range(n)])
    count = min(n, max(2, int(constants.nearest * n)))
    q = np.mean([np.sort(row)[count - 1] for row in d])
    mean = a.mean(axis=0)[:, prefix:]
    mean /= mean.sum(axis=1, keepdims=True)
    f = np.array(
        [
            [p[i] @ p[j] * np.exp(-d[i, j] / (constants.bandwidth * q)) * np.sqrt(mean[i, j]) for j in range(n)]
            for i in range(n)
        ]
    )
    f /= f.sum(axis=1, keepdims=True)
    cosines = unit(p) @ unit(p).T
    chance = cosines.mean(axis=1)
    trust, host = (f * cosines).sum(axis=1), (mean * cosines).sum(axis=1)
    own, host = (np.maximum((x - chance) / (1 - chance), 1e-4) for x in (trust, host))
    whole = np.zeros((tokens, tokens))  # F for all tokens: those that lead attend themselves
    whole[:prefix, :prefix] = np.eye(prefix)
    whole[prefix:, prefix:] = f
    refined = []
    for of_head in a:
        only_f = np.concatenate((np.zeros((n, prefix)), f), axis=1)
        products = f @ of_head + of_head @ whole
        ensemble = (host[:, None] * products + own[:, None] * r * only_f) / (2 * host + own)[:, None]
        rest = (1 - trust) * host
        refined.append((trust[:, None] * ensemble + rest[:, None] * of_head) / (trust + rest)[:, None])
    return read(refined)


@settings(max_examples=40, deadline=None)
@given(
    patches=st.integers(6, 16),
    words=st.integers(3, 7),
    heads=st.sampled_from([1, 2, 3]),
    prefix=st.integers(0, 2),
    seed=st.integers(0, 99),
    row_sum=st.sampled_from([1.0, 2.0]),
)
def test_is_its_formulas_written_out(patches, words, heads, prefix, seed, row_sum):
    attention, values, projection, text = inputs(patches, words, heads, prefix=prefix, seed=seed)
    attention = attention * row_sum
    fast = FEEDBACK(attention, values, lambda x: x @ projection, text, prefix)
    for index in range(2):
        arguments = attention[index], values[index], projection, text

        def formulas(attention, values, projection, text):
            return written_out(attention, values, projection, text, prefix, FEEDBACK)

        assume(movement(formulas, arguments) < 2e-5)  # else rounding decides, also in exact arithmetic
        np.testing.assert_allclose(fast[index].numpy(), formulas(*arguments), atol=2e-4)


def test_the_constants_reach_the_result():
    attention, values, projection, text = inputs(12, 4)
    for change in ({"isolation": 0.2}, {"nearest": 0.5}, {"bandwidth": 0.7}):
        changed = replace(FEEDBACK, **change)
        fast = changed(attention, values, lambda x: x @ projection, text)
        slow = written_out(attention[0], values[0], projection, text, 0, changed)
        np.testing.assert_allclose(fast[0].numpy(), slow, atol=2e-4)
        assert (fast - FEEDBACK(attention, values, lambda x: x @ projection, text)).abs().max() > 1e-3


def test_one_attention_for_all_heads_is_the_same_for_each_head():
    # a problem that an ulp hardly moves; one patch of inputs(9, 3) moves by 4e-6 in exact arithmetic
    attention, values, projection, text = inputs(12, 4)
    assert movement(lambda *given: FEEDBACK(given[0], given[1], lambda x: x @ given[2], given[3]), inputs(12, 4)) < 3e-6
    shared = FEEDBACK(attention[:, 0], values, lambda x: x @ projection, text)
    by_head = FEEDBACK(attention.expand(-1, 3, -1, -1), values, lambda x: x @ projection, text)
    torch.testing.assert_close(shared, by_head, atol=1e-5, rtol=0)


def test_the_identity_host_keeps_what_is_not_trusted():
    _, values, projection, text = inputs(9, 3)
    through_identity = FEEDBACK(None, values, lambda x: x @ projection, text)
    assert (through_identity - normalize(values @ projection, dim=-1)).abs().max() > 1e-3
    # a matrix that is the identity leaves each patch nothing but itself to correspond with
    whole = torch.eye(9).expand(2, -1, -1)
    matrix = FEEDBACK(whole, values, lambda x: x @ projection, text)
    torch.testing.assert_close(matrix, normalize(values @ projection, dim=-1))


def test_the_units_are_the_pictures_own():
    """Cosines that spread ten times less are the same evidence."""
    generator = torch.Generator().manual_seed(1)
    first, text = (normalize(torch.randn(*shape, generator=generator), dim=-1) for shape in ((1, 20, 8), (5, 8)))
    uniform = normalize(torch.randn(1, 1, 8, generator=generator), dim=-1)
    evidence = isolated_evidence(first, uniform, text, 0.75)
    narrow = isolated_evidence(first / 10, uniform / 10, text, 0.75)
    torch.testing.assert_close(evidence, narrow, atol=1e-5, rtol=1e-5)
    assert evidence.square().mean().item() == pytest.approx(1, abs=1e-5)
    assert evidence.mean(dim=-1).abs().max() < 1e-5


def test_few_sampled_rows_know_how_near_the_nearest_are():
    evidence = torch.randn(1, 1500, 6, generator=torch.Generator().manual_seed(0))
    every = distances(evidence).kthvalue(150, dim=-1).values.mean().item()
    assert nearest_distance(evidence, 0.1).item() == pytest.approx(every, rel=0.03)


@pytest.mark.parametrize("attention", ["none", "shared"])
@pytest.mark.parametrize(("patches", "words"), [(1, 1), (1, 3), (7, 1), (7, 2)])
def test_stays_finite_at_the_edge(attention, patches, words):
    weights, values, projection, text = inputs(patches, words)
    chosen = None if attention == "none" else weights[:, 0]
    for some in (values, torch.ones_like(values), values * 1e-3):
        result = FEEDBACK(chosen, some, lambda x: x @ projection, text)
        assert result.isfinite().all()
        assert (result.norm(dim=-1) - 1).abs().max() < 1e-5


def test_patches_that_all_look_alike_stay_as_they_are():
    attention, _, projection, text = inputs(8, 3)
    values = torch.randn(1, 1, 12, generator=torch.Generator().manual_seed(3)).expand(2, 8, -1)
    result = FEEDBACK(attention, values, lambda x: x @ projection, text)
    torch.testing.assert_close(result, normalize(values @ projection, dim=-1), atol=1e-5, rtol=0)


def test_an_attention_with_zeros_leaves_them_out():
    """Two halves that never attend to each other are read as if each stood alone among its kind."""
    attention, values, projection, text = inputs(8, 3)
    apart = torch.block_diag(torch.ones(4, 4), torch.ones(4, 4)) * attention[:, 0]
    apart = apart / apart.sum(dim=-1, keepdim=True)
    last = HostAttention(apart, values)
    isolated = FEEDBACK.isolate(
        normalize(last.attended @ projection, dim=-1), normalize(last.uniform @ projection, dim=-1), text
    )
    weights = FEEDBACK.affinity(last, isolated)(slice(None))
    assert weights[:, :4, 4:].abs().max() == 0
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(2, 8))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_near(dtype):
    attention, values, projection, text = inputs(30, 5, heads=3)
    exact = FEEDBACK(attention, values, lambda x: x @ projection, text)
    half = FEEDBACK(attention.to(dtype), values.to(dtype), lambda x: x.float() @ projection, text)
    assert half.dtype == torch.float32
    assert (exact * half).sum(dim=-1).min() > 0.99


@pytest.mark.parametrize(
    ("constants", "what"),
    [
        ({"nearest": 0.0}, "not 0.0"),
        ({"nearest": 1.5}, "not 1.5"),
        ({"bandwidth": 0.0}, "not 0.0"),
        ({"isolation": float("nan")}, "not nan"),
        ({"passes": 0}, "not 0"),
        ({"passes": 1.5}, "not 1.5"),
    ],
)
def test_impossible_constants_are_refused(constants: dict[str, Any], what):
    with pytest.raises(ValueError, match=what):
        CalibratedFeedback(**constants)


def test_no_words_are_refused():
    attention, values, projection, text = inputs(5, 3)
    with pytest.raises(ValueError, match="an embedding a query"):
        FEEDBACK(attention, values, lambda x: x @ projection, text[:0])


def test_a_patch_that_attends_to_no_patch_is_read_by_what_is_alike():
    """All of its attention on the class token, or masked; the others are read as if nothing were the matter."""
    attention, values, projection, text = inputs(9, 3, prefix=1)
    for other in (1.0, 0.0):
        sink = attention.clone()
        sink[:, :, 4] = 0
        sink[:, :, 4, 0] = other
        result = FEEDBACK(sink, values, lambda x: x @ projection, text, 1)
        assert result.isfinite().all()
    last = HostAttention(sink, values, 1)
    isolated = torch.randn(2, 9, 3, generator=torch.Generator().manual_seed(0))
    rows, free = (FEEDBACK.affinity(one, isolated)(slice(None)) for one in (last, HostAttention(None, values, 1)))
    torch.testing.assert_close(rows[:, 4], free[:, 4])
    usual = FEEDBACK.affinity(HostAttention(attention, values, 1), isolated)(slice(None))
    torch.testing.assert_close(rows[:, :4], usual[:, :4])


def test_the_controls_are_what_their_names_say():
    attention, values, projection, text = inputs(12, 4, heads=2)
    last = HostAttention(attention, values, grid=(3, 4))
    read = lambda x: normalize(x @ projection, dim=-1)  # noqa: E731
    first, uniform = read(last.attended), read(last.uniform)
    mean = attention.mean(dim=1)
    on_logits = HostOnLogits().embed(last, first, uniform, text, read) @ text.T
    torch.testing.assert_close(on_logits, mean @ (first @ text.T))
    # a separable Gaussian blur, edges normalised
    blurred = GaussianOnLogits(0.8).embed(last, first, uniform, text, read).unflatten(1, (3, 4))
    y, x = (torch.exp(-((torch.arange(s)[:, None] - torch.arange(s)) ** 2) / (2 * 0.8**2)) for s in (3, 4))
    expected = (
        torch.einsum("ih,jw,bhwe->bije", y, x, first.unflatten(1, (3, 4)))
        / torch.einsum("ih,jw->ij", y, x)[None, ..., None]
    )
    torch.testing.assert_close(blurred, expected)
    root = (mean.sqrt() / mean.sqrt().sum(dim=-1, keepdim=True))[:, None]
    heads = values.unflatten(-1, (2, -1)).transpose(1, 2)
    whole = (root @ attention + attention @ root + root) / 3
    expected = read((whole @ heads).transpose(1, 2).flatten(2))
    torch.testing.assert_close(RootOfHost().embed(last, first, uniform, text, read), expected)


def test_controls_leave_the_identity_as_it_is():
    _, values, projection, text = inputs(12, 4)
    last = HostAttention(None, values, grid=(3, 4))
    read = lambda x: normalize(x @ projection, dim=-1)  # noqa: E731
    for name in ("host twice", "host on logits", "root of host"):
        result = CONTROLS[name].embed(last, read(values), read(last.uniform), text, read)
        torch.testing.assert_close(result, read(values))
    with pytest.raises(ValueError, match="grid"):
        GaussianOnLogits().embed(HostAttention(None, values), read(values), read(values), text, read)
