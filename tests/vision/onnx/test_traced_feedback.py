"""The plain formulas of the feedbacks say what the fast ones do, whatever the attention."""

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch.nn.functional import normalize

from feedseg.errors import FeedsegError
from feedseg.vision.feedback.affinity import feedback_attention
from feedseg.vision.feedback.base import Feedback, HostAttention
from feedseg.vision.feedback.calibrated import CalibratedFeedback
from feedseg.vision.feedback.fsa import FSAFeedback
from feedseg.vision.feedback.near import NearFeedback
from feedseg.vision.onnx.export import OLDEST_TORCH
from feedseg.vision.onnx.feedback import paper_attention, traced_embeddings

GRID, WIDTH, WORDS = (17, 19), 12, 5  # 323 patches: more than are sampled, and more than one block of rows
FEEDBACKS = [
    FSAFeedback(),
    FSAFeedback(keep=1.0, sharpness=2.0, terms=("AF", "F")),
    FSAFeedback(2.0, 3.5, keep=1.0, passes=2),  # with sharper ones a second pass magnifies rounding
    CalibratedFeedback(),
    CalibratedFeedback(nearest=0.3, passes=2),
    NearFeedback(),
]


def attention(kind: str, patches: int, prefix: int) -> torch.Tensor | None:
    shape = {"identity": None, "shared": (1, patches, patches + prefix), "heads": (1, 3, patches, patches + prefix)}
    return None if shape[kind] is None else torch.randn(*shape[kind]).softmax(dim=-1)


@pytest.mark.parametrize("kind", ["identity", "shared", "heads"])
@pytest.mark.parametrize("feedback", FEEDBACKS, ids=repr)
def test_plain_is_fast(feedback: Feedback, kind: str) -> None:
    torch.manual_seed(0)
    patches, prefix = GRID[0] * GRID[1], 0 if kind == "identity" else 1
    values, matrix = torch.randn(1, patches + prefix, WIDTH), torch.randn(WIDTH, 8)
    host = HostAttention(attention(kind, patches, prefix), values, prefix, 1.0, GRID)
    text = normalize(torch.randn(WORDS, 8), dim=-1)
    first, uniform = (normalize(each @ matrix, dim=-1) for each in (host.attended, host.uniform))
    arguments = (host, first, uniform, text, lambda attended: attended @ matrix)
    found, expected = traced_embeddings(feedback, *arguments), feedback.embed(*arguments)
    torch.testing.assert_close(normalize(found, dim=-1), normalize(expected, dim=-1), atol=1e-4, rtol=0)


def test_of_equal_similarities_the_same_stay() -> None:
    some = torch.randn(1, 9, 4)
    repeated = torch.cat([some] * 5, dim=1).log_softmax(dim=-1)
    rows = paper_attention(repeated, 0.45, 3.0)
    assert torch.equal(rows > 0, feedback_attention(repeated, 0.45, 3.0) > 0)
    assert 0 < (rows > 0).sum() < rows.numel() / 2


def test_pruning_in_onnxruntime(tmp_path: Path) -> None:
    """Its sort, running sum and ties, for another number of patches than it was traced with."""
    onnxruntime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    pytest.importorskip("onnxscript", reason="the extra onnx is not installed")
    if tuple(map(int, torch.__version__.split(".")[:2])) < OLDEST_TORCH:
        pytest.skip("torch is too old to export")

    class Rows(torch.nn.Module):
        def forward(self, log_probabilities: torch.Tensor) -> torch.Tensor:
            return paper_attention(log_probabilities, 0.45, 3.0)

    shapes = ({1: torch.export.Dim("patches")},)
    example = (torch.randn(1, 7, 4).log_softmax(dim=-1),)
    program = torch.onnx.export(Rows().eval(), example, dynamo=True, dynamic_shapes=shapes, verbose=False)
    assert program is not None
    program.save(tmp_path / "rows.onnx")
    repeated = torch.cat([torch.randn(1, 40, 4)] * 2, dim=1).log_softmax(dim=-1)
    session = onnxruntime.InferenceSession(tmp_path / "rows.onnx")
    (found,) = session.run(None, {session.get_inputs()[0].name: repeated.numpy()})
    torch.testing.assert_close(torch.from_numpy(found), feedback_attention(repeated, 0.45, 3.0), atol=1e-5, rtol=0)


def test_a_feedback_of_ones_own_is_refused() -> None:
    @dataclass(frozen=True)
    class Own(FSAFeedback):
        """Not the paper's any more, perhaps."""

    with pytest.raises(FeedsegError, match="the feedback Own cannot be exported: take paper"):
        traced_embeddings(Own(), *[None] * 5)  # pyright: ignore[reportArgumentType]
