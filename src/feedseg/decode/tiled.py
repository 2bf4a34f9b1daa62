"""The best class of every pixel of an image that is much larger than its logits, without looking at most of them.

The image is cut into tiles on which every word's logit is a bilinear function, and of every tile only the four corner
pixels are scored by all words. d is a word's logit less that of the tile's *reference*, the word that is best at its
centre.

- A word with d < 0 at all four corners is worse than the reference everywhere between them. What is left can win:
  mostly the reference alone. Only these are resized to the tile's pixels, in the arithmetic of `StitchedLogits`, so
  that labels are the same to the last bit.
- The probability needs the sum of exp(d) over all others too, G. Every term is below 1, and `chebyshev` says from how
  few pixels of the tile G is known within 1e-6 everywhere on it. The probability, 1 / (… + G), is wrong by less.

A class of several words has the logit of the best of them, which is bilinear where one word is the best at all four
corners. Where none is, and this matters, the class's words are resized too.

Shapes: T tiles in a band of rows, C words, K groups of words that the softmax runs over, W the image's width, (h, w)
the working size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite

import torch
from torch import Tensor

from feedseg.decode.chebyshev import NEGLIGIBLE, POWERS, corner_weights, node_counts
from feedseg.decode.logits import RowPair, StitchedLogits, widened
from feedseg.decode.tiles import column_positions, row_positions, tile_axis
from feedseg.errors import FeedsegError

STEPS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)  # words resized together
CHUNK = 1 << 19  # elements computed together, which fit a core's cache
NOTHING = -1e4  # a logit whose exponential is 0
NOT_FINITE = "the model or the proxy gave numbers that are not finite; try --dtype fp32 (dtype='fp32')"


class TiledBest:
    """The best class and its probability, band by band."""

    def __init__(
        self, logits: StitchedLogits, class_of: Sequence[int], groups: Sequence[Sequence[int]], scale: float
    ) -> None:
        """From cosines (C, height, width).

        Args:
            class_of: the class of every word.
            groups: the words of each of the K, which stand together.
            scale: cosines are multiplied by it.
        """
        self._logits = logits
        self._scale = scale
        device = logits.device
        # Words in the order of the corners: the groups' first ones, then the second ones of those that have any, and
        # so on, groups with many words first: then every level is those of the first groups.
        ordered = sorted(groups, key=len, reverse=True)
        levels = [[group[level] for group in ordered if len(group) > level] for level in range(len(ordered[0]))]
        self._levels = [len(level) for level in levels]
        self._words = torch.tensor([word for level in levels for word in level], device=device)
        self._steps = torch.tensor(STEPS, device=device)
        self._group = torch.cat([torch.arange(size, device=device) for size in self._levels])  # of every one of these
        self._group_of = torch.empty_like(self._words)  # the same by the word
        self._group_of[self._words] = self._group
        self._class_of = torch.tensor(class_of, device=device)
        self._rows = tile_axis(*row_positions(logits.pairs, device), logits.working[0])
        self._working_rows: dict[int, tuple[Tensor, float]] = {}
        self._columns = tile_axis(*column_positions(logits.working[1], logits.shape[2], device), logits.working[1])

    def bands(self) -> Iterator[tuple[slice, Tensor, Tensor]]:
        """Rows from the top down, their classes, int64, and the classes' probabilities, fp32, both (rows, W).

        Raises:
            FeedsegError: a logit is no number.
        """
        for band, rows in enumerate(self._rows.slices()):
            yield rows, *self._best(band, self._logits.pairs[rows])

    def _best(self, band: int, pairs: Sequence[RowPair]) -> tuple[Tensor, Tensor]:
        corners, margin = self._corner_logits(pairs)
        reference = corners.sum(dim=0).max(dim=-1).indices
        corners.sub_(corners.gather(2, reference.expand(4, -1)[..., None]))
        of_groups, gap = self._of_groups(corners)
        upper = of_groups.amax(dim=0)
        # Where the reference is alone this is 2 margins, and above 3 elsewhere.
        several = (upper + 2 * margin).clamp_(min=0).sum(dim=-1) > 2.5 * margin
        weight = upper.exp()
        uneven = None
        if gap is not None:
            uneven = (weight[:, : gap.shape[1]] * gap > NEGLIGIBLE / weight.shape[1]) & (gap > margin)
            several |= uneven.any(dim=-1)
        tiles = several.nonzero()[:, 0]
        resized = upper[tiles] >= -margin
        if uneven is not None:
            resized[:, : uneven.shape[1]] |= uneven[tiles]
        # What is resized, the reference too, is no part of G.
        alone = self._group[reference][:, None]
        of_groups.scatter_(2, alone.expand(4, -1, -1), NOTHING)
        weight.scatter_(1, alone, 0)
        of_groups.index_copy_(1, tiles, of_groups.index_select(1, tiles).masked_fill_(resized, NOTHING))
        weight.index_copy_(0, tiles, weight.index_select(0, tiles).masked_fill_(resized, 0))
        sums = self._sums(band, of_groups, weight, len(pairs))
        word = self._words[reference]
        label = self._class_of[word].index_select(0, self._columns.tile)[:, None].repeat(1, len(pairs))
        probability = (1 + sums).reciprocal_()
        if len(tiles):
            self._decide(pairs, tiles, resized, word, sums, label, probability)
        return label.T, probability.T

    def _corner_logits(self, pairs: Sequence[RowPair]) -> tuple[Tensor, float]:
        """Scaled logits at the tiles' corner pixels, (4, T, C), row by row; and what rounding may do."""
        columns = self._columns
        needed = (pairs[0].upper, pairs[0].lower)
        known = self._working_rows
        self._working_rows = {source: known.get(source) or self._working_row(source) for source in needed}
        (top, one), (bottom, other) = (self._working_rows[source] for source in needed)
        corners = top.new_empty(4, len(columns.lower), len(self._words))
        for index, pair in enumerate((pairs[0], pairs[-1])):
            row = torch.lerp(top, bottom, pair.weight)
            left, right = row.index_select(0, columns.lower), row.index_select(0, columns.upper)
            torch.lerp(left, right, columns.first[:, None], out=corners[2 * index])
            torch.lerp(left, right, columns.last[:, None], out=corners[2 * index + 1])
        return corners, 16 * torch.finfo(torch.float32).eps * max(one, other)

    def _working_row(self, source: int) -> tuple[Tensor, float]:
        """Scaled, (w, C), words in the order of the corners; and the largest absolute value, or a little more."""
        row = self._logits.working_row(source)[:, 0].contiguous().T  # first together, then turned: it lies far apart
        row = row.contiguous() if len(self._levels) == 1 else row[:, self._words]
        row = row * self._scale
        least, most = row.aminmax()
        largest = max(-float(least), float(most))
        if not isfinite(largest):
            raise FeedsegError(NOT_FINITE)
        return row, largest + 1e-30

    def _of_groups(self, corners: Tensor) -> tuple[Tensor, Tensor | None]:
        """The groups' logits at the corners, (4, T, K), and by how much they may be too high between them, (T, K').

        The latter for the K' groups that have several words; None where there are none.
        """
        count = self._levels[0]
        if len(self._levels) == 1:
            return corners, None
        levels = corners.split(self._levels, dim=2)
        best = corners[..., :count].clone()
        for level in levels[1:]:
            part = best[..., : level.shape[2]]
            torch.maximum(part, level, out=part)
        gap = (best - levels[0]).amax(dim=0)[:, : self._levels[1]]
        for level in levels[1:]:
            part = gap[:, : level.shape[2]]
            torch.minimum(part, (best[..., : level.shape[2]] - level).amax(dim=0), out=part)
        return best, gap

    def _sums(self, band: int, corners: Tensor, weight: Tensor, rows: int) -> Tensor:
        """G at every pixel, (W, rows), of `corners` (4, T, K); `weight` (T, K) is the largest exponential at them."""
        columns = self._columns
        counts = node_counts(self._moments(corners, weight))
        sums = corners.new_zeros(len(columns.tile), rows)
        for count in counts.unique().tolist():
            if count < 0:
                continue
            tiles = (counts == count).nonzero()[:, 0]
            points = count * count or columns.pixels.shape[1] * rows
            for some in tiles.split(max(1, CHUNK // (points * corners.shape[2]))):
                compute = self._interpolated if count else self._direct
                found = compute(band, corners.index_select(1, some), some, count)[..., :rows]
                sums.index_copy_(0, columns.pixels[some].flatten(), found.flatten(0, 1))
        return sums

    def _moments(self, corners: Tensor, weight: Tensor) -> list[Tensor]:
        """Σ weight · |δ|ⁿ over the groups, δ being how much they change along a side: see `node_counts`."""
        square = corners.amax(dim=0).sub_(corners.amin(dim=0)).square_()
        fourth = square.square_()
        moments = [weight.sum(dim=-1)]
        for _ in POWERS[1:]:
            moments.append(weight.mul_(fourth).sum(dim=-1))
        return moments

    def _interpolated(self, band: int, corners: Tensor, tiles: Tensor, count: int) -> Tensor:
        """Sums of exponentials for some tiles, (T, m, rows), from n × n nodes."""
        exponentials = (corner_weights(count, corners.device) @ corners.flatten(1)).exp_()
        nodes = exponentials.unflatten(1, (len(tiles), -1)).sum(dim=-1)  # (n², T)
        down = self._rows.evaluations(count)[band]
        lines = (down @ nodes.view(count, -1)).view(-1, count, len(tiles))
        return self._columns.evaluations(count)[tiles] @ lines.permute(2, 1, 0).contiguous()

    def _direct(self, band: int, corners: Tensor, tiles: Tensor, _: int) -> Tensor:
        """The same at every pixel."""
        across, down = self._columns.parts[tiles, :, None], self._rows.parts[band, :, None]
        a, b, c, d = corners
        top, bottom = (torch.lerp(x[:, None], y[:, None], across) for x, y in ((a, b), (c, d)))  # (T, m, K)
        return torch.lerp(top[:, :, None], bottom[:, :, None], down).exp_().sum(dim=-1)

    def _decide(
        self,
        pairs: Sequence[RowPair],
        tiles: Tensor,
        resized: Tensor,
        reference: Tensor,
        sums: Tensor,
        label: Tensor,
        probability: Tensor,
    ) -> None:
        """Write class and probability, (W, rows), of tiles where several groups are `resized`, (tiles, K)."""
        tile, word = self._listed(resized)
        sizes = tile.bincount(minlength=len(tiles))
        position = torch.arange(len(tile), device=tile.device) - (sizes.cumsum(0) - sizes)[tile]
        used, index = word.unique(return_inverse=True)
        listed = torch.full((int(sizes.max()), len(tiles)), -1, device=tile.device)
        listed[position, tile] = index
        upper, lower = (self._wide(source, used) for source in (pairs[0].upper, pairs[0].lower))
        steps = torch.bucketize(sizes, self._steps)
        width = self._columns.pixels.shape[1]
        for step in steps.unique().tolist():
            members = (steps == step).nonzero()[:, 0]
            size = int(sizes[members].max())
            for some in members.split(max(1, CHUNK // (size * width * len(pairs)))):
                columns = self._columns.pixels[tiles[some]].flatten()
                which = listed[:size, some].repeat_interleave(width, dim=1)
                none = which < 0
                ends = [rows[which, columns].masked_fill_(none, NOTHING) for rows in (upper, lower)]
                words = used[which].masked_fill_(none, -1)
                first = reference[tiles[some]].repeat_interleave(width)
                best, found = self._pixels(pairs, ends, words, first, sums[columns].T)
                label[columns] = self._class_of[best].T
                probability[columns] = found.T

    def _listed(self, resized: Tensor) -> tuple[Tensor, Tensor]:
        """The words to be resized of every tile, both sorted: tiles and words."""
        tile, group = resized.nonzero().T
        if len(self._levels) == 1:
            return tile, self._words[group]
        starts = [0, *torch.tensor(self._levels).cumsum(0).tolist()]
        found = []
        for start, size in zip(starts, self._levels, strict=False):
            has = group < size
            found.append(tile[has] * len(self._words) + self._words[start + group[has]])
        keys = torch.cat(found).sort()[0]
        return keys // len(self._words), keys % len(self._words)

    def _pixels(
        self, pairs: Sequence[RowPair], ends: Sequence[Tensor], words: Tensor, reference: Tensor, sums: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The best word of pixels and its group's probability, (rows, n) each.

        Args:
            ends: the logits of k words in the rows above and below, (k, n).
            words: which they are, in ascending order; -1 for none.
            reference: the words (n,) that `sums` (rows, n) refer to.
        """
        values = ends[0].new_empty(len(pairs), *words.shape)
        for row, pair in zip(values, pairs, strict=True):
            torch.lerp(ends[0], ends[1], pair.weight, out=row)
        best, index = values.mul_(self._scale).max(dim=1)
        weights = values.sub_(best[:, None]).exp_()
        total = sums * (weights * (words == reference)).sum(dim=1)
        if len(self._levels) > 1:  # of a group's words only the best one counts
            group = self._group_of[words].masked_fill_(words < 0, -1)
            for word in range(1, len(words)):
                same = group[word] == group[word - 1]
                before, now = weights[:, word - 1], weights[:, word]
                now.copy_(torch.where(same, torch.maximum(before, now), now))
                before.masked_fill_(same, 0)
        return words.gather(0, index), total.add_(weights.sum(dim=1)).reciprocal_()

    def _wide(self, source: int, words: Tensor) -> Tensor:
        """A working row of some words at the image's width, (words, W)."""
        return widened(self._logits.working_row(source)[words], self._logits.shape[2])[:, 0]
