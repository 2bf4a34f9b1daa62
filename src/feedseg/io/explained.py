"""A figure of an explanation: the stages of one patch over the photograph, each with its scale. matplotlib draws it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from feedseg.errors import FeedsegError
from feedseg.files import write_atomically
from feedseg.io.palette import class_colours
from feedseg.io.sheet import tinted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ENDINGS = (".png", ".svg", ".pdf", ".jpg", ".jpeg")
COLUMNS = 3
POINT, RIM = "#ff2d95", "white"
PALE = 0.75  # how far the photograph under a map goes towards white


@dataclass(frozen=True, eq=False)
class Map:
    """A panel: the photograph as it is, in the classes' colours, or pale under a map of the patches."""

    title: str
    text: str
    image: np.ndarray  # (height, width, 3), uint8
    values: np.ndarray | None = None  # (h, w)
    most: float | None = None  # where the scale ends; None: at the largest value
    legend: tuple[tuple[str, tuple[float, float, float]], ...] = ()


def panels(found: Any) -> list[Map]:
    """The panels of an `Explanation`, in the order of the computation."""
    before, after = found.before, found.after
    image, of_patch = before.image, found.patch
    word = found.queries[found.query]
    own = float(found.isolated[found.query, of_patch[0], of_patch[1]])
    maps = [
        Map("photograph", f"the patch at {found.at[0]:.0f}, {found.at[1]:.0f}", image),
        Map(f"1  host attention ({found.host})", "what the patch gathers at first", image, found.host_attention),
        Map(f"2  isolated predictions: {word}", f"here {own:.2f}", image, found.isolated[found.query],
            _end(found.isolated[found.query])),
        *(Map(f"3  {stage.name}", _said(stage), image, stage.values, _end(stage.values)) for stage in found.stages),
        Map("4  affinity F", "the stages as an attention; sums to 1", image, found.affinity),
        Map("5  feedback attention A'", "host and affinity together: what it gathers now", image,
            found.feedback_attention),
    ]  # fmt: skip
    present = np.union1d(np.unique(before.labels), np.unique(after.labels))
    background = before.background
    colours = class_colours(before.names, background)
    legend = tuple((before.names[label], tuple(colours[label] / 255)) for label in present if label or not background)
    for title, result, name, of_classes in (
        ("before", before, found.before_name, found.before_probabilities),
        ("after", after, found.after_name, found.after_probabilities),
    ):
        labels = result.labels.astype(np.int64) + (0 if background else 1)
        palette = colours if background else np.vstack((colours[:1], colours))
        drawn = np.asarray(tinted(image, labels, palette))
        maps.append(Map(title, f"the patch: {name} {of_classes.max():.2f}", drawn, legend=legend))
    return maps


def _end(values: np.ndarray) -> float | None:
    """Where the scale of something between 0 and 1 ends: there, unless nothing is near it, as with many words."""
    return 1.0 if values.max() > 0.5 else None


def _said(stage: Any) -> str:
    """What is said of a stage, for one that chooses with the share of the patches that it keeps."""
    return f"{stage.text}: {stage.values.mean():.0%} of them" if stage.values.dtype == bool else stage.text


def draw_stages(
    maps: Sequence[Map],
    box: tuple[float, float, float, float],
    at: tuple[float, float],
    patch: tuple[int, int],
    grid: tuple[int, int],
) -> Figure:
    """The panels three in a row, with the patch framed in each.

    Args:
        maps: all images of one size.
        box: left, top, right, bottom that the maps cover, in pixels of the image.
        at: the point.
        patch: its row and column.
        grid: rows and columns of the patches.

    Raises:
        FeedsegError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise FeedsegError("a figure needs matplotlib: pip install 'feedseg[figures]'") from error
    height, width = maps[0].image.shape[:2]
    rows = -(-len(maps) // COLUMNS)
    wide = 3.9
    high = min(max(0.83 * wide * height / width, 1.6), 6.0) + 0.65
    below = 1.0 if rows == 1 and maps[-1].legend else 0.35  # in one row there is no slack for a legend: titles were cut
    figure = Figure(figsize=(wide * COLUMNS, high * rows + below), layout="constrained")
    axes = figure.subplots(rows, COLUMNS, squeeze=False)
    for place in axes.flat:
        place.set_axis_off()
    for place, panel in zip(axes.flat, maps, strict=False):
        _draw(figure, place, panel, box)
        _frame(place, box, at, patch, grid, pointed=panel.values is None)
        place.set_xlim(0, width)
        place.set_ylim(height, 0)
    from matplotlib.patches import Patch

    swatches = [Patch(facecolor=colour, label=name) for name, colour in maps[-1].legend]
    if swatches:
        figure.legend(handles=swatches, loc="outside lower right", ncols=min(6, len(swatches)), frameon=False)
    return figure


def _draw(figure: Figure, place: Axes, panel: Map, box: tuple[float, float, float, float]) -> None:
    height, width = panel.image.shape[:2]
    place.set_title(f"{panel.title}\n", fontsize=11, loc="left", fontweight="bold")
    place.text(0, 1.02, panel.text, transform=place.transAxes, fontsize=9, color="#55585c", va="bottom")
    if panel.values is None:
        place.imshow(panel.image, extent=(0, width, height, 0))
        return
    grey = panel.image.mean(axis=-1)
    place.imshow(grey * (1 - PALE) + 255 * PALE, cmap="gray", vmin=0, vmax=255, extent=(0, width, height, 0))
    values = panel.values.astype(np.float32)
    most = panel.most or max(float(values.max()), float(np.finfo(np.float32).tiny))
    left, top, right, bottom = box
    share = np.clip(values / most, 0, 1)
    from matplotlib.colors import PowerNorm

    # an attention has few large weights and many small ones: on a scale of square roots both are seen
    gamma = 1.0 if panel.most else 0.5
    share = share**gamma
    shown = place.imshow(
        values,
        cmap="magma_r",
        norm=PowerNorm(gamma, 0, most),
        alpha=0.2 + 0.6 * share,
        extent=(left, right, bottom, top),
    )
    if panel.values.dtype == bool:
        return
    bar = figure.colorbar(shown, ax=place, fraction=0.035, pad=0.015, format="%.2g")
    bar.ax.tick_params(labelsize=8)
    bar.solids.set_alpha(1)  # pyright: ignore[reportOptionalMemberAccess]


def _frame(
    place: Axes,
    box: tuple[float, float, float, float],
    at: tuple[float, float],
    patch: tuple[int, int],
    grid: tuple[int, int],
    *,
    pointed: bool,
) -> None:
    """A frame around the patch, and on photographs a ring that shows where it is."""
    from matplotlib.patches import Rectangle

    left, top, right, bottom = box
    across, down = (right - left) / grid[1], (bottom - top) / grid[0]
    corner = (left + patch[1] * across, top + patch[0] * down)
    for colour, line in ((RIM, 3.2), (POINT, 1.6)):
        place.add_patch(Rectangle(corner, across, down, fill=False, edgecolor=colour, linewidth=line))
    if pointed:
        for colour, line in ((RIM, 3.2), (POINT, 1.6)):
            place.plot(*at, "o", markersize=18, markerfacecolor="none", markeredgecolor=colour, markeredgewidth=line)


def checked_ending(path: Path) -> Path:
    """The same. Raises FeedsegError where its ending is none of a figure's formats."""
    if path.suffix.lower() not in ENDINGS:
        raise FeedsegError(f"{path} has no ending of a figure's format: give one of {', '.join(ENDINGS)}")
    return path


def save_figure(draw: Callable[[], Figure], path: Path) -> Path:
    """Write a figure in the format that the path ends in, and return the path.

    Raises:
        FeedsegError: the ending is no format's, matplotlib is not installed, or the file cannot be written.
    """
    checked_ending(path)
    figure = draw()
    content = BytesIO()  # since a JPEG that is written into a file is cut off, without an error, where the disk is full
    figure.savefig(content, format=path.suffix[1:].lower(), dpi=110)
    with write_atomically(path) as temporary:
        temporary.write_bytes(content.getvalue())
    return path
