"""What a host is: a method that replaces the last attention of a tower, with its paper's settings and protocol.

A host is one file. The simplest gives its name and an `attention`; one that combines several layers overrides
`read_out` as well. Shapes: B = 1 window, H heads, N patches, M values (N and the leading tokens that the host sees),
D the tower's width.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor

from feedseg.settings import Settings
from feedseg.vision.feedback.base import HostAttention
from feedseg.vision.ops import resized_tokens

if TYPE_CHECKING:
    from feedseg.vision.towers.base import TowerOutput


@dataclass(frozen=True)
class Readout:
    """The read-out of one window's patches: the last attention, and the projection of what it gathers."""

    attention: HostAttention
    project: Callable[[Tensor], Tensor]  # (1, N, D) to embeddings before normalisation, (1, N, E), fp32
    depends_on_patch: bool  # whether `project` adds something of each patch's own; else any number of rows will do


@dataclass(frozen=True)
class Host(ABC):
    """A method that replaces the last attention. Its constants, if any, are the fields of a frozen dataclass."""

    name: ClassVar[str]
    title: ClassVar[str] = ""  # what the last attention becomes, in a table
    citation: ClassVar[str] = ""
    keeps_residual: ClassVar[bool] = False  # the last block's residual and feed-forward, as published
    sees_class_token: ClassVar[bool] = True  # as published; it can be left out
    uses_proxy: ClassVar[bool] = False  # works on the grid of a proxy's features
    row_sum: ClassVar[float] = 1.0  # what each row of the attention sums to
    # N × N matrices in fp32 that are held at the most, with feedback: in all, and for every head; see `vision.memory`
    matrices: ClassVar[tuple[float, float]] = (1.0, 2.0)
    settings: ClassVar[Settings] = Settings()  # sizes and windows of its paper
    protocol: ClassVar[str] = "proxyclip"  # the published protocol that its paper's benchmarks follow
    taps: ClassVar[tuple[int, ...]] = ()  # further blocks that it looks at, from 1; negative from the last, which is -1

    def tapped(self, blocks: int) -> tuple[int, ...]:
        """The further blocks that it looks at in a tower of so many: `taps`, unless it counts them by the depth.

        Raises:
            FeedsegError: the tower has too few.
        """
        return self.taps

    @abstractmethod
    def attention(self, output: TowerOutput, features: Tensor | None) -> Tensor | None:
        """The last attention's weights: None (the identity), (1, N, M) for all heads, or (1, H, N, M).

        Args:
            output: the tower's tokens; `output.last` has the last block's queries, keys and values, and
                `output.block(i)` those of a tapped one.
            features: the proxy's, (1, C, h, w), for a host that uses one.
        """

    def read_out(self, output: TowerOutput, features: Tensor | None, keeps_residual: bool) -> Readout:
        """The last attention applied to the last block's values, on the grid of the proxy's features if there are any.

        A host that combines several read-outs overrides this: values side by side, heads after heads, and a `project`
        that takes them apart.
        """
        last, tower = output.last, output.tower
        values, grid = last.values, output.grid
        residual = last.patches if keeps_residual else None
        if features is not None:
            grid = (features.shape[-2], features.shape[-1])
            values = resized_tokens(values, output.grid, grid)
            residual = None if residual is None else resized_tokens(residual, output.grid, grid)
        weights = self.attention(output, features)
        prefix = values.shape[1] - grid[0] * grid[1]
        attention = HostAttention(weights, values, prefix, self.row_sum, grid)
        return Readout(attention, partial(tower.project, residual=residual), depends_on_patch=keeps_residual)
