"""How one patch came to its class: every stage from the host's attention to the result after feedback.

All numbers are those of the computation itself, of the one window that the patch is in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from feedseg.arguments import Plan, Request, Words
from feedseg.decode.logits import StitchedLogits
from feedseg.decoding import class_scores
from feedseg.errors import FeedsegError
from feedseg.segmentation import Segmentation
from feedseg.vision.feedback.base import AffinityFeedback, HostAttention
from feedseg.vision.windows import Placement, Window

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from feedseg.segmenter import EncodedImage
    from feedseg.vision.encode import EncodedWindow


@dataclass(frozen=True, eq=False)
class StageMap:
    """A step between the isolated predictions and the affinity, as the patch sees all patches of its window."""

    name: str  # "similarity" and "kept" of the paper's feedback, "agreement" and "nearness" of the calibrated
    text: str
    values: np.ndarray  # (h, w), float32 or bool


@dataclass(frozen=True, eq=False, kw_only=True)
class Explanation:
    """What one patch attends to, predicts and gets, before and after feedback.

    Maps are (h, w), float32, on the patches of the window whose centre is nearest to the point. Attentions per head are
    shown by their mean. The host's row and its leading tokens' share sum to the host's row sum (1; 2 for sclip), the
    affinity to 1; what leads the patches is a class token or nothing.
    """

    at: tuple[float, float]  # x, y, in pixels of the image
    chosen: bool  # whether the point was chosen for what feedback changes there, and not given
    box: tuple[float, float, float, float]  # left, top, right, bottom that the maps cover, in pixels of the image
    grid: tuple[int, int]
    patch: tuple[int, int]  # row and column of the point's patch
    names: tuple[str, ...]  # K classes
    queries: tuple[str, ...]  # Q words that the model is asked for
    host: str
    feedback: str
    host_attention: np.ndarray = field(repr=False)  # A, the patch's row
    host_leading: float  # what that row gives the leading tokens
    isolated: np.ndarray = field(repr=False)  # P, (Q, h, w): what the attention contributed to each prediction
    stages: tuple[StageMap, ...] = field(repr=False)
    affinity: np.ndarray = field(repr=False)  # F, the patch's row
    feedback_attention: np.ndarray = field(repr=False)  # A', the row that is applied to the values and read out
    feedback_leading: float
    before_probabilities: np.ndarray = field(repr=False)  # (K,), of the patch in this window
    after_probabilities: np.ndarray = field(repr=False)
    before: Segmentation = field(repr=False)  # the whole image without feedback
    after: Segmentation = field(repr=False)

    @property
    def query(self) -> int:
        """The word that the patch itself predicts in isolation, an index into `queries`."""
        return int(self.isolated[:, self.patch[0], self.patch[1]].argmax())

    @property
    def before_name(self) -> str:
        """The patch's class without feedback."""
        return self.names[int(self.before_probabilities.argmax())]

    @property
    def after_name(self) -> str:
        """The patch's class with feedback."""
        return self.names[int(self.after_probabilities.argmax())]

    def stage(self, name: str) -> np.ndarray:
        """The map of a stage, (h, w). Raises KeyError where this feedback has none of the name."""
        return {stage.name: stage.values for stage in self.stages}[name]

    def draw(self) -> Figure:
        """A matplotlib figure of all stages. Raises FeedsegError where matplotlib is not installed."""
        from feedseg.io.explained import draw_stages, panels

        return draw_stages(panels(self), self.box, self.at, self.patch, self.grid)

    def save(self, path: str | Path) -> Path:
        """Draw into a file, PNG, SVG, PDF or JPEG by its ending, and return its path."""
        from feedseg.io.explained import save_figure

        return save_figure(self.draw, Path(path))


@torch.inference_mode()
def explained(encoded: EncodedImage, words: Words, at: tuple[float, float] | None, feedback: Any) -> Explanation:
    """The explanation of the patch at a point, or where feedback changes the class's probability the most.

    Raises:
        FeedsegError: the point is not in the image, or the feedback is none or has no affinity.
    """
    segmenter = encoded.segmenter
    plan = segmenter._plan(feedback=feedback, settings=encoded.settings)
    chosen = plan.feedback
    if chosen is None:
        raise FeedsegError("there is no feedback to explain: give feedback paper or calibrated, not none")
    if not isinstance(chosen, AffinityFeedback):
        raise FeedsegError(f"{type(chosen).__name__} has no stages to explain: it is no AffinityFeedback")
    request = Request(encoded.image, segmenter.resolved(words))
    text = segmenter.embed(request.vocabulary)
    before = encoded.segment(request.vocabulary, feedback="none", scores=True)
    after = encoded.segment(request.vocabulary, feedback=chosen, scores=True)
    size = encoded.image.size
    if at is None:
        assert before.scores is not None
        assert after.scores is not None
        point = telling_point(before.scores, after.scores, size)
    else:
        point = checked_point(at, size)
    placement, window = nearest_window(encoded, point)
    box, patch = located(placement, window.grid, point, encoded.size, size)
    number = patch[0] * window.grid[1] + patch[1]
    host = window.readout.attention
    first, uniform = normalize(window.first, dim=-1), normalize(window.uniform, dim=-1)
    isolated = chosen.last_isolated(host, first, uniform, text, window.readout.project)
    row = chosen.attention(host, isolated)[0, number]
    own = host_row(host, number)

    def on_grid(values: Tensor) -> np.ndarray:
        shown = values.unflatten(-1, window.grid).cpu()
        return shown.numpy() if shown.dtype == torch.bool else shown.float().numpy()

    return Explanation(
        at=point,
        chosen=at is None,
        box=box,
        grid=window.grid,
        patch=patch,
        names=request.vocabulary.names,
        queries=request.vocabulary.queries,
        host=segmenter.encoder.host.name,
        feedback=type(chosen).__name__,
        host_attention=on_grid(own[host.prefix :]),
        host_leading=float(own[: host.prefix].sum()),
        isolated=on_grid(isolated[0].softmax(dim=-1).T),
        stages=tuple(
            StageMap(stage.name, stage.text, on_grid(stage.values)) for stage in chosen.stages(isolated, number)
        ),
        affinity=on_grid(chosen.affinity(host, isolated)(slice(number, number + 1))[0, 0]),
        feedback_attention=on_grid(row[host.prefix :]),
        feedback_leading=float(row[: host.prefix].sum()),
        before_probabilities=_probabilities(window.logits(text, None), request, plan, patch),
        after_probabilities=_probabilities(window.logits(text, chosen), request, plan, patch),
        before=before,
        after=after,
    )


def checked_point(at: tuple[float, float], size: tuple[int, int]) -> tuple[float, float]:
    """The point (x, y) as numbers. Raises FeedsegError where it is outside of an image of (height, width)."""
    try:
        x, y = map(float, at)
    except (TypeError, ValueError) as error:
        raise FeedsegError(f"a point is two numbers, x and y, not {at!r}") from error
    if not (0 <= x < size[1] and 0 <= y < size[0]):
        raise FeedsegError(
            f"the point {x:g}, {y:g} is outside of the image, which is {size[1]} wide and {size[0]} high: "
            f"x is 0 to {size[1] - 1}, y is 0 to {size[0] - 1}"
        )
    return x, y


def telling_point(before: np.ndarray, after: np.ndarray, size: tuple[int, int]) -> tuple[float, float]:
    """Where feedback changes the class and raises its probability the most: (x, y), the middle of a patch.

    Where no class changes, where the probabilities differ the most.

    Args:
        before: probabilities of the classes at the patches, (K, h, w).
        after: the same with feedback.
        size: height and width of the image.
    """
    new = after.argmax(axis=0)
    gained = np.take_along_axis(after - before, new[None], 0)[0]
    changed = new != before.argmax(axis=0)
    measure = np.where(changed, gained, -math.inf) if changed.any() else np.abs(after - before).sum(axis=0)
    row, column = np.unravel_index(int(measure.argmax()), measure.shape)
    return (float(column) + 0.5) * size[1] / measure.shape[1], (float(row) + 0.5) * size[0] / measure.shape[0]


def nearest_window(encoded: EncodedImage, point: tuple[float, float]) -> tuple[Placement | None, EncodedWindow]:
    """Of the windows that have the point in them the one whose centre is nearest to it; the first of equals."""
    x, y = _at_working_size(point, encoded.size, encoded.image.size)

    def distance(entry: tuple[Placement | None, EncodedWindow]) -> float:
        if entry[0] is None:
            return 0.0
        window = entry[0].window
        inside = window.left <= x < window.left + window.width and window.top <= y < window.top + window.height
        away = math.hypot(x - window.left - window.width / 2, y - window.top - window.height / 2)
        return away if inside else math.inf

    return min(encoded.windows, key=distance)


def located(
    placement: Placement | None,
    grid: tuple[int, int],
    point: tuple[float, float],
    working: tuple[int, int],
    size: tuple[int, int],
) -> tuple[tuple[float, float, float, float], tuple[int, int]]:
    """What a window's grid covers in pixels of the image, padding included, and the row and column of the point."""
    if placement is None:
        placement = Placement(Window(0, 0, *working), Window(0, 0, *working), working)
    window, inside, sides = placement.window, placement.inside, placement.sides
    left, top = window.left - inside.left, window.top - inside.top
    x, y = _at_working_size(point, working, size)
    row = min(int((y - top) * grid[0] / sides[0]), grid[0] - 1)
    column = min(int((x - left) * grid[1] / sides[1]), grid[1] - 1)
    across, down = size[1] / working[1], size[0] / working[0]
    return (left * across, top * down, (left + sides[1]) * across, (top + sides[0]) * down), (row, column)


def host_row(host: HostAttention, patch: int) -> Tensor:
    """The row of a patch in the host's attention, its mean over the heads, leading tokens first: (M,), fp32."""
    if host.weights is None:
        row = torch.zeros(host.values.shape[1], device=host.values.device)
        row[host.prefix + patch] = 1
        return row
    weights = host.weights[0] if host.weights.dim() == 3 else host.weights[0].mean(dim=0, dtype=torch.float32)
    return weights[-host.patch_values.shape[1] :][patch].float()


def _at_working_size(
    point: tuple[float, float], working: tuple[int, int], size: tuple[int, int]
) -> tuple[float, float]:
    return point[0] * working[1] / size[1], point[1] * working[0] / size[0]


def _probabilities(logits: Tensor, request: Request, plan: Plan, patch: tuple[int, int]) -> np.ndarray:
    """The probabilities of the classes for one patch of a window: (K,), float32."""
    here = logits[:, patch[0] : patch[0] + 1, patch[1] : patch[1] + 1].contiguous()
    return class_scores(StitchedLogits.of_grid(here, (1, 1)), request, plan).rows(slice(None))[:, 0, 0].cpu().numpy()
