"""The efficient feedback against the direct formula, over random shapes."""

from dataclasses import replace

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize

import reference
from feedseg import CalibratedFeedback, FeedsegError, FSAFeedback
from feedseg.vision.feedback import base as module
from feedseg.vision.feedback.affinity import divergences, feedback_attention, kept, prune, similarities
from feedseg.vision.feedback.base import attend
from feedseg.vision.feedback.controls import HostTwice

SHAPES = st.fixed_dictionaries(
    {
        "batch": st.integers(1, 3),
        "patches": st.integers(1, 16),
        "prefix": st.integers(0, 3),
        "heads": st.integers(1, 4),
        "width": st.integers(1, 8),
        "queries": st.integers(1, 9),
        "shared": st.booleans(),
        "row_sum": st.sampled_from([1.0, 2.0]),
        "residual": st.booleans(),
        "keep": st.floats(0.05, 1.0),
        "sharpness": st.floats(0.0, 5.0),
        "seed": st.integers(0, 10_000),
    }
)


CASE = {
    "batch": 2,
    "patches": 12,
    "prefix": 0,
    "heads": 3,
    "width": 4,
    "queries": 5,
    "shared": True,
    "row_sum": 1.0,
    "residual": True,
    "seed": 1,
}


def problem(case, dtype=torch.float32):
    """Random attention, values, read-out and text of a case's shape; the read-out may keep a residual."""
    generator = torch.Generator().manual_seed(case["seed"])

    def draw(*shape):
        return torch.randn(*shape, generator=generator)

    tokens, depth = case["patches"] + case["prefix"], case["heads"] * case["width"]
    heads = () if case["shared"] else (case["heads"],)
    attention = case["row_sum"] * draw(case["batch"], *heads, tokens, tokens).softmax(-1)
    values = draw(case["batch"], tokens, depth)
    projection, residual = draw(depth, 6), draw(case["batch"], case["patches"], 6) * float(case["residual"])
    text = normalize(draw(case["queries"], 6), dim=-1)
    return (tensor.to(dtype) for tensor in (attention, values, projection, residual, text))


def direct(case, attention, values, projection, residual, text, constants):
    """The direct formula, window by window, in fp64; problems that hang on rounding are passed over."""
    out = []
    for window in range(case["batch"]):
        by_head = attention[window].double()
        if case["shared"]:
            by_head = by_head.expand(case["heads"], -1, -1)
        split = values[window].double().unflatten(-1, (case["heads"], -1)).transpose(0, 1)

        def read(attended, window=window):
            return attended @ projection.double() + residual[window].double()

        embeddings, decided = reference.refined_embeddings(
            by_head, split, read, text.double(), case["prefix"], constants
        )
        assume(decided)
        out.append(normalize(embeddings, dim=-1))
    return torch.stack(out)


@settings(max_examples=80, deadline=None)
@given(SHAPES)
def test_equals_the_direct_formula(case):
    attention, values, projection, residual, text = problem(case)
    plug_in = FSAFeedback(keep=case["keep"], sharpness=case["sharpness"])

    refined = plug_in(attention, values, lambda x: x @ projection + residual, text, prefix=case["prefix"])
    expected = direct(
        case, attention, values, projection, residual, text, (20.0, 35.0, case["keep"], case["sharpness"])
    )
    torch.testing.assert_close(refined.double(), expected, atol=2e-4, rtol=1e-3)


@settings(max_examples=40, deadline=None)
@given(SHAPES)
def test_bf16_stays_close_to_the_direct_formula(case):
    attention, values, projection, residual, text = problem(case, torch.bfloat16)
    # without pruning: which entries stay depends on the last digits, which bf16 doesn't have
    plug_in = FSAFeedback(scale=2.0, isolation=3.0, keep=1.0)
    refined = plug_in(attention, values, lambda x: x @ projection + residual, text, prefix=case["prefix"])
    expected = direct(case, attention, values, projection, residual, text, (2.0, 3.0, 1.0, 3.0))
    assert refined.dtype == torch.float32
    lengths = (refined.double() * expected).sum(-1)
    assert lengths.mean() > 0.98


@settings(max_examples=40, deadline=None)
@given(SHAPES, st.integers(1, 200))
def test_blocks_of_rows_change_nothing(case, elements):
    attention, values, projection, residual, text = problem(case)
    direct(case, attention, values, projection, residual, text, (20.0, 35.0, 0.45, 3.0))  # where pruning is decided
    arguments = (attention, values, lambda x: x @ projection + residual, text, case["prefix"])
    whole = FSAFeedback()(*arguments)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK_ELEMENTS_CPU", elements)
        torch.testing.assert_close(FSAFeedback()(*arguments), whole, atol=1e-4, rtol=1e-4)


def test_values_per_head_and_rows_without_the_class_token_are_the_same():
    attention, values, projection, _, text = problem(CASE | {"prefix": 1, "shared": False})
    plug_in = FSAFeedback(scale=2.0, isolation=3.0, keep=1.0)  # where rounding decides nothing
    one = plug_in(attention, values, lambda x: x @ projection, text, prefix=1)
    by_head = values.unflatten(-1, (3, -1)).transpose(1, 2)
    other = plug_in(attention[:, :, 1:], by_head, lambda x: x @ projection, text, prefix=1)
    torch.testing.assert_close(one, other)


def test_the_identity_needs_no_matrix():
    _, values, projection, residual, text = problem(CASE)
    identity = torch.eye(12).expand(2, -1, -1)

    def read(attended):
        return attended @ projection + residual

    plug_in = FSAFeedback()
    torch.testing.assert_close(plug_in(None, values, read, text), plug_in(identity, values, read, text))


def test_divergences_need_no_third_axis():
    generator = torch.Generator().manual_seed(3)
    probability = torch.randn(40, 7, generator=generator).mul(3).softmax(-1)
    computed = divergences(probability.log()[None])[0]
    torch.testing.assert_close(computed, reference.divergences(probability), atol=1e-5, rtol=1e-4)
    assert (computed >= 0).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 30), st.floats(0.01, 1.0), st.integers(0, 1000))
def test_pruning_keeps_the_largest_and_at_most_the_share(size, keep, seed):
    similarity = torch.rand(size, size, generator=torch.Generator().manual_seed(seed))
    kept = ~prune(similarity, keep).isinf()
    share = similarity.softmax(-1)
    assert (kept.sum(-1) >= 1).all()
    assert (
        (share * kept).sum(-1) <= torch.where(kept.sum(-1) == 1, torch.tensor(1.0), torch.tensor(keep)) + 1e-5
    ).all()
    smallest_kept = similarity.masked_fill(~kept, torch.inf).amin(-1)
    largest_dropped = similarity.masked_fill(kept, -torch.inf).amax(-1)
    assert (smallest_kept >= largest_dropped).all()


def test_rows_of_the_feedback_are_a_distribution_over_what_stays():
    log_probability = torch.randn(2, 15, 4, generator=torch.Generator().manual_seed(0)).log_softmax(-1)
    weights = feedback_attention(log_probability, keep=0.45, sharpness=3.0)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 15))
    similarity = similarities(divergences(log_probability))
    assert torch.equal(weights > 0, ~prune(similarity, 0.45).isinf())


def test_certain_predictions_stay_finite():
    """With one query far ahead the other probabilities underflow; the logarithms must not."""
    log_probability = torch.tensor([[[0.0, -300.0], [-300.0, 0.0], [0.0, -300.0]]])
    weights = feedback_attention(log_probability, keep=1.0, sharpness=3.0)
    assert weights.isfinite().all()
    assert weights[0, 0, 0] == weights[0, 0, 2] > 0.4


@pytest.mark.parametrize("shape", [(2, 5, 7), (2, 5), (1, 3, 4, 6)])
def test_an_attention_that_does_not_fit_is_refused(shape):
    with pytest.raises(ValueError, match="fit 5 values"):
        FSAFeedback()(torch.rand(shape), torch.rand(2, 5, 8), lambda x: x, torch.rand(3, 8))


def test_rows_that_are_neither_all_tokens_nor_the_patches_are_refused():
    with pytest.raises(ValueError, match="does not fit 5 values, 2 of them first"):
        FSAFeedback()(torch.rand(1, 4, 5), torch.rand(1, 5, 8), lambda x: x, torch.rand(3, 8), prefix=2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"prefix": 5}, "leaves no patches"),
        ({"text": torch.rand(8)}, r"text is \(C, E\)"),
        ({"read": lambda x: x[:, :1]}, "a row too many or few"),
        ({"attention": torch.rand(1, 3, 5, 5)}, "3 heads do not divide values of width 8"),
    ],
)
def test_other_arguments_that_do_not_fit_are_named(arguments, message):
    fitting = {
        "attention": torch.rand(1, 5, 5),
        "values": torch.rand(1, 5, 8),
        "read": lambda x: x,
        "text": torch.rand(3, 8),
    }
    with pytest.raises(ValueError, match=message):
        FSAFeedback()(**(fitting | arguments))


@pytest.mark.parametrize("options", [{"sharpness": 100.0}, {"sharpness": float("nan")}, {"scale": float("inf")}])
def test_constants_without_a_number_at_the_end_are_refused(options):
    with pytest.raises(ValueError, match=r"beyond which|is a number"):
        FSAFeedback(**options)


def test_a_fraction_outside_its_range_is_refused():
    with pytest.raises(ValueError, match="keep is a fraction"):
        FSAFeedback(keep=0.0)


def test_attend_per_head_equals_a_loop():
    generator = torch.Generator().manual_seed(5)
    attention, values = torch.rand(2, 3, 4, 6, generator=generator), torch.rand(2, 6, 12, generator=generator)
    expected = torch.cat([attention[:, h] @ values[..., 4 * h : 4 * h + 4] for h in range(3)], dim=-1)
    torch.testing.assert_close(attend(attention, values), expected)


@pytest.mark.parametrize("terms", [("FA",), ("AF",), ("F",), ("FA", "F"), ("FA", "AF", "F")])
def test_terms_of_the_ensemble(terms):
    case = CASE | {"prefix": 1, "shared": False, "row_sum": 2.0}
    attention, values, projection, residual, text = (x.double() for x in problem(case))
    plug_in = FSAFeedback(scale=2.0, isolation=3.0, keep=1.0, terms=terms)
    refined = plug_in(attention, values, lambda x: x @ projection + residual, text, prefix=1)
    for window in range(case["batch"]):
        split = values[window].unflatten(-1, (case["heads"], -1)).transpose(0, 1)

        def read(weights, window=window, split=split):
            out = torch.cat([by_head @ of_head for by_head, of_head in zip(weights, split, strict=True)], dim=-1)
            return out[1:] @ projection + residual[window]

        first, uniform = read(attention[window]), read(torch.full_like(attention[window], 2 / len(values[0])))
        whole = torch.eye(len(values[0])).double()
        whole[1:, 1:] = reference.feedback_matrix(reference.probabilities(first, uniform, text, 2.0, 3.0), 1.0, 3.0)
        parts = {
            "FA": whole @ attention[window],
            "AF": attention[window] @ whole,
            "F": 2 * whole.expand_as(attention[window]),
        }
        expected = read(sum(parts[term] for term in terms) / len(terms))
        torch.testing.assert_close(refined[window].double(), normalize(expected, dim=-1), atol=1e-5, rtol=1e-4)


def test_a_second_pass_starts_from_the_first():
    attention, values, projection, _, text = problem(CASE)

    def read(attended):
        return attended @ projection

    last = module.HostAttention(attention, values)
    text, uniform = normalize(text, dim=-1), normalize(read(last.uniform), dim=-1)
    once, twice = FSAFeedback(), FSAFeedback(passes=2)
    first = normalize(read(last.attended), dim=-1)
    second = normalize(read(once.ensemble(last, once.isolate(first, uniform, text))), dim=-1)
    expected = normalize(read(once.ensemble(last, once.isolate(second, uniform, text))), dim=-1)
    torch.testing.assert_close(twice(attention, values, read, text), expected, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(expected, second, atol=1e-3)


@pytest.mark.parametrize("most", [1, 2, 3, 4, 30])
@pytest.mark.parametrize("feedback", [FSAFeedback(keep=1.0), CalibratedFeedback()])
def test_passes_end_with_the_one_that_changes_no_label(feedback, most):
    """Window by window against the passes written out, some of which take more of them than others."""
    generator = torch.Generator().manual_seed(2)  # no two queries nearly alike
    attention = torch.randn(4, 9, 9, generator=generator).mul(2).softmax(dim=-1)
    values, projection, text = (torch.randn(*size, generator=generator) for size in ((4, 9, 12), (12, 8), (6, 8)))
    text = normalize(text, dim=-1)

    def read(attended):
        return attended @ projection

    settled = replace(feedback, passes=most, settle=True)(attention, values, read, text)
    taken = []
    for window in range(4):
        last = module.HostAttention(attention[window : window + 1], values[window : window + 1])
        uniform = normalize(read(last.uniform), dim=-1)
        found = [normalize(read(last.attended), dim=-1)]
        while len(found) <= most:
            found.append(normalize(read(feedback.ensemble(last, feedback.isolate(found[-1], uniform, text))), dim=-1))
            labels = [(each @ text.T).argmax(dim=-1) for each in found[-2:]]
            best = (found[-1] @ text.T).topk(2, dim=-1).values
            assert (best[..., 0] - best[..., 1]).min() > 1e-3, "rounding decides no label here"
            if torch.equal(*labels):
                break
        taken.append(len(found) - 1)
        torch.testing.assert_close(settled[window : window + 1], found[-1], atol=1e-4, rtol=0)
        assert most == 1 or (found[-1] - found[0]).abs().max() > 1e-2
    assert len(set(taken)) > 1 or most <= 2
    assert max(taken) < 30


def test_what_stands_behind_a_name_is_passes():
    assert FSAFeedback(keep=0.3).configured("3") == FSAFeedback(keep=0.3, passes=3)
    assert FSAFeedback().configured("settled") == FSAFeedback(passes=10, settle=True)
    for wrong in ("", "0", "-1", "1.5", "soon", "1000"):
        with pytest.raises(FeedsegError, match="passes"):
            FSAFeedback().configured(wrong)
    with pytest.raises(FeedsegError, match="HostTwice takes nothing behind its name: leave out :2"):
        HostTwice().configured("2")
    with pytest.raises(FeedsegError, match="settle is True or False"):
        FSAFeedback(settle=1)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("wrong", [{"terms": ()}, {"terms": ("F", "F")}, {"terms": ("AA",)}, {"passes": 0}])
def test_wrong_terms_and_passes(wrong):
    with pytest.raises(ValueError, match=r"terms|pass"):
        FSAFeedback(**wrong)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 40), st.sampled_from([2, 5, 1000]), st.floats(0.01, 1.0), st.integers(0, 10_000))
def test_pruning_keeps_what_a_stable_sort_keeps(patches, levels, keep, seed):
    generator = torch.Generator().manual_seed(seed)
    similarity = torch.randint(1, levels + 1, (3, patches), generator=generator) / levels
    expected = ~torch.stack([reference.pruned(row[None], keep)[0] for row in similarity]).isinf()
    running = similarity.sort(dim=-1, descending=True).values.double().softmax(dim=-1).cumsum(dim=-1)
    assume(((running - keep).abs() > 1e-5).all())
    assert torch.equal(kept(similarity, keep), expected)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 40), st.sampled_from([2, 5, 1000]), st.floats(0.01, 1.2), st.integers(0, 10_000))
def test_pruning_is_a_stable_sort_to_the_last_bit(patches, levels, keep, seed):
    """Also where rounding decides: the same running sum of the same fp32 numbers, with every entry's place."""
    generator = torch.Generator().manual_seed(seed)
    similarity = torch.randint(1, levels + 1, (2, 3, patches), generator=generator) / levels
    ordered, places = similarity.sort(dim=-1, descending=True, stable=True)
    stays = ordered.softmax(dim=-1).cumsum(dim=-1) <= keep
    stays[..., 0] = True
    if keep >= 1:
        stays[:] = True
    assert torch.equal(kept(similarity, keep), torch.zeros_like(stays).scatter(-1, places, stays))


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.floats(0.01, 1.0), st.floats(0.0, 80.0), st.integers(0, 10_000))
def test_what_is_dropped_weighs_exactly_nothing(patches, different, keep, sharpness, seed):
    """F is, to the last bit, the softmax of scores that are −∞ where pruning drops; patches may be equal."""
    generator = torch.Generator().manual_seed(seed)
    log_probability = torch.randn(2, different, 5, generator=generator).mul(4).log_softmax(dim=-1)
    log_probability = log_probability[:, torch.randint(different, (patches,), generator=generator)]
    similarity = similarities(divergences(log_probability))
    scores = similarity * (similarity * sharpness).exp()
    expected = scores.masked_fill(~kept(similarity, keep), -torch.inf).softmax(dim=-1)
    assert torch.equal(feedback_attention(log_probability, keep, sharpness), expected)


def test_a_model_that_could_be_trained_may_be_read_too():
    """Nobody is made to call the plug-in without gradients."""
    attention, values, projection, _, text = problem(CASE)
    plug_in = FSAFeedback()
    expected = plug_in(attention, values, lambda x: x @ projection, text)
    projection, values = projection.requires_grad_(), values.requires_grad_()
    assert torch.equal(plug_in(attention, values, lambda x: x @ projection, text), expected)


@pytest.mark.parametrize("row_sum", [1.0, 2.0])
def test_control_applies_the_host_twice(row_sum):
    attention, values, projection, _, text = problem(CASE | {"prefix": 1, "shared": False, "row_sum": row_sum})
    last = module.HostAttention(attention[:, :, 1:], values, 1, row_sum)
    own = values.unflatten(-1, (CASE["heads"], -1)).transpose(1, 2)
    attention = attention.clone()
    attention[:, :, 0] = 0
    attention[:, :, 0, 0] = 1  # the leading token keeps its value
    twice = (attention @ attention @ own).transpose(1, 2).flatten(2)[:, 1:] / row_sum
    computed = HostTwice().embed(last, values, values, text, lambda x: x @ projection)
    torch.testing.assert_close(computed, twice @ projection, atol=1e-5, rtol=1e-4)
