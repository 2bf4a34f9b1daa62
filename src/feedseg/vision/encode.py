"""Windows through the tower, the proxy and the host: all that does not depend on the words, and then the words.

Shapes: B windows of one height and width, N patches on the host's grid (h, w), D the tower's width, E the joint
embedding's size, C queries.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil, lcm

import torch
from torch import Tensor
from torch.nn.functional import normalize, scaled_dot_product_attention

from feedseg.errors import FeedsegError, is_out_of_memory
from feedseg.settings import Settings, Sides
from feedseg.vision.feedback.base import AffinityFeedback, Feedback, HostAttention
from feedseg.vision.hosts.base import Host, Readout
from feedseg.vision.memory import check_all, check_fits, window_bytes
from feedseg.vision.ops import normalised
from feedseg.vision.pace import Pace
from feedseg.vision.parts import encode_in_parts
from feedseg.vision.proxies.base import Proxy
from feedseg.vision.towers.base import TowerOutput, VisionTower
from feedseg.vision.views import averaged, second_view
from feedseg.vision.windows import Placement, Window, cut, padded_to_multiple


@dataclass(frozen=True)
class WindowEncoder:
    """A tower with a host and, if the host uses one, a proxy.

    `class_token` and `residual` are None for what the host published and the tower was aligned with; see `Host` and
    `VisionTower`. `tower_part` is None where the tower sees a window at once; else it does so in parts of at most that
    height and width, in pixels: see `encode_in_parts`.
    """

    tower: VisionTower
    host: Host
    proxy: Proxy | None = None
    class_token: bool | None = None
    residual: bool | None = None
    tower_part: Sides | None = None

    def __post_init__(self) -> None:
        self.host.tapped(len(self.tower.blocks))  # refuses a tower before anything is encoded

    @property
    def multiple(self) -> int:
        """What the sides of a window must be a multiple of, in pixels."""
        return lcm(self.tower.patch_size, self.proxy.patch_size if self.proxy else 1)

    @property
    def sees_class_token(self) -> bool:
        wanted = self.tower.reads_class_token if self.class_token is None else self.class_token
        return wanted and self.host.sees_class_token

    @property
    def keeps_residual(self) -> bool:
        return self.host.keeps_residual and self.tower.reads_residual if self.residual is None else self.residual

    @torch.inference_mode()
    def __call__(self, pixels: Tensor) -> list[EncodedWindow]:
        """Encode RGB windows in [0, 1], (B, 3, height, width), sides multiples of `multiple`; one result a window.

        Behind tower and proxy windows go one at a time: products over a batch are rounded differently from those over
        one window, and pruning would turn that into other neighbours.
        """
        tower = self.tower
        standard, taps = normalised(pixels, tower.mean, tower.std), self.host.tapped(len(tower.blocks))
        if self.tower_part is None:
            output = tower.encode(standard, taps)
        else:
            output = encode_in_parts(tower, standard, taps, self.tower_part)
        output = replace(output, skipped=0 if self.sees_class_token else tower.prefix, pixels=pixels)
        features = None
        if self.proxy is not None:
            features = checked_features(self.proxy(pixels, output), self.proxy, len(pixels)).to(tower.dtype)
        encoded = []
        for index, one in enumerate(output.windows()):
            of_window = None if features is None else features[index : index + 1]
            readout = self.host.read_out(one, of_window, self.keeps_residual)
            check_attention(readout.attention, self.host.name)
            last = {block: each for block, each in one.tokens.items() if block == max(one.tokens)}
            encoded.append(EncodedWindow(readout, replace(one, tokens=last, pixels=None), of_window))
        return encoded

    @torch.inference_mode()
    def self_attention(self, pixels: Tensor, placement: Placement | None) -> Tensor:
        """The mean attention of all heads of all blocks but the last, among a window's patches: (h, w, h, w), fp32.

        The tower runs once more for it: attentions are too large to be kept for those who do not ask.

        Args:
            pixels: an image at its working size, RGB in [0, 1], (3, height, width).
            placement: the window's; None for the whole image.
        """
        tower = self.tower
        if placement is not None:
            pixels = pixels[:, placement.window.rows, placement.window.columns]
        padded, _ = padded_to_multiple(pixels, self.multiple)
        earlier = range(1, len(tower.blocks))
        output = tower.encode(normalised(padded[None].to(tower.device), tower.mean, tower.std), tuple(earlier))
        if not earlier:
            raise FeedsegError("the tower has one block alone, and so no attention before the last")
        patches = output.grid[0] * output.grid[1]
        total = torch.zeros(patches, patches, device=tower.device)
        for block in earlier:
            total += output.block(block).attention()[0, :, -patches:, -patches:].mean(dim=0, dtype=torch.float32)
        return (total / len(earlier)).unflatten(1, output.grid).unflatten(0, output.grid)

    def _encoded(self, batch: list[Tensor]) -> list[EncodedWindow]:
        """The windows of a batch; where memory runs out, of two halves of it, one after the other."""
        try:
            return self(torch.stack(batch).to(self.tower.device))
        except (RuntimeError, MemoryError) as error:
            if len(batch) == 1 or not is_out_of_memory(error):
                raise
        half = len(batch) // 2  # behind the except, whose error holds what was computed so far
        return [*self._encoded(batch[:half]), *self._encoded(batch[half:])]

    def with_second_views(
        self, windows: Iterable[EncodedWindow], pixels: Sequence[Tensor], share: float
    ) -> list[EncodedWindow]:
        """Encoded windows of one shape, each with a second view of its pixels: see `second_view`."""
        views = self._encoded([second_view(each, share, self.multiple) for each in pixels])
        return [replace(window, second=view) for window, view in zip(windows, views, strict=True)]

    def patches(self, sides: tuple[int, int]) -> int:
        """About how many patches the host's grid has of a window of these sides (height, width)."""
        pitch = (self.proxy and self.proxy.pitch) or self.tower.patch_size
        return ceil(sides[0] / pitch) * ceil(sides[1] / pitch)

    def check_logits(self, size: tuple[int, int], settings: Settings, queries: int) -> None:
        """Raises FeedsegError where the logits of all windows of an image at its working size would not fit."""
        windows = cut(size, settings)
        numbers = len(windows) * self.patches((windows[0].height, windows[0].width)) * queries
        check_all(
            4 * numbers,
            self.tower.device,
            f"{len(windows):,} windows and {queries:,} words of one image",
            "take fewer words, a larger --stride or a smaller --short-side",
        )

    def check_memory(self, sides: tuple[int, int]) -> None:
        """Raises FeedsegError where a window of these sides (height, width) would not fit into the memory."""
        tower = self.tower
        patches = self.patches(sides)
        bytes_each = torch.finfo(tower.dtype).bits // 8
        check_fits(window_bytes(patches, tower.width, tower.heads, self.host, bytes_each), tower.device, sides)

    def encode_images(
        self, images: Sequence[Tensor], settings: Settings, batch_size: int
    ) -> Iterator[tuple[int, Placement | None, EncodedWindow]]:
        """Every window of images at their working sizes, RGB in [0, 1], (3, height, width): see `cut`.

        Windows of one shape go through the tower in batches, whichever image they are of; one batch is held at a time.

        Returns:
            the image's index, where the window belongs (None for the whole image), and the window.
        """
        by_shape: dict[tuple[int, int], list[tuple[int, Window]]] = {}
        for index, pixels in enumerate(images):
            for window in cut((pixels.shape[-2], pixels.shape[-1]), settings):
                by_shape.setdefault((window.height, window.width), []).append((index, window))
        total, done = sum(map(len, by_shape.values())), 0
        pace = Pace("windows", "take a larger --stride or a smaller --short-side")
        for shape, members in by_shape.items():
            self.check_memory(shape)
            for start in range(0, len(members), batch_size):
                batch, placements = [], []
                for index, window in members[start : start + batch_size]:
                    padded, inside = padded_to_multiple(images[index][:, window.rows, window.columns], self.multiple)
                    sides = (padded.shape[-2], padded.shape[-1])
                    placement = None if settings.window is None else Placement(window, inside, sides)
                    batch.append(padded)
                    placements.append((index, placement))
                encoded = deque(self._encoded(batch))
                if settings.second_view is not None:
                    encoded = deque(self.with_second_views(encoded, batch, settings.second_view))
                for index, placement in placements:
                    yield index, placement, encoded.popleft()
                done += len(placements)
                pace.done(done, total)


def checked_features(features: Tensor, proxy: Proxy, windows: int) -> Tensor:
    """The same. Raises FeedsegError where a proxy returns something else than (B, C, h, w) for B windows."""
    if features.dim() != 4 or len(features) != windows:
        raise FeedsegError(
            f"the proxy {proxy.name} returns {tuple(features.shape)}: expected were features ({windows}, C, h, w)"
        )
    return features


def check_attention(attention: HostAttention, host: str) -> None:
    """Raises FeedsegError where a host's attention does not fit the values that it is applied to."""
    weights, values = attention.weights, attention.values
    if weights is None:
        return
    seen = values.shape[1]
    patches = seen - attention.prefix
    heads = weights.shape[1] if weights.dim() == 4 else 1
    fits = weights.dim() in (3, 4) and weights.shape[-1] == seen and weights.shape[-2] in (patches, seen)
    if not fits or len(weights) != len(values) or values.shape[2] % heads:
        raise FeedsegError(
            f"the host {host} returns an attention {tuple(weights.shape)}: expected were None, (1, {patches}, {seen}) "
            f"for all heads, or (1, H, {patches}, {seen})"
        )


@dataclass(frozen=True, eq=False)
class EncodedWindow:
    """One window that can be asked for any words without running the tower again."""

    readout: Readout
    output: TowerOutput  # the last block's tokens alone
    proxied: Tensor | None = None  # the proxy's features, (1, F, h, w), for a host that uses one
    # whose logits and class token are averaged with this one's; all else is of this one alone
    second: EncodedWindow | None = None

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the patches."""
        grid = self.readout.attention.grid
        assert grid is not None
        return grid

    @cached_property
    @torch.inference_mode()
    def first(self) -> Tensor:
        """The host's own patch embeddings before normalisation, (1, N, E), fp32."""
        return self.readout.project(self.readout.attention.attended)

    @cached_property
    @torch.inference_mode()
    def uniform(self) -> Tensor:
        """What every patch would be if it attended to all values alike, before normalisation, fp32.

        (1, N, E), or (1, 1, E) where all patches agree.
        """
        attention = self.readout.attention
        rows = attention.patch_values.shape[1] if self.readout.depends_on_patch else 1
        return self.readout.project(attention.uniform.expand(-1, rows, -1))

    @property
    @torch.inference_mode()
    def features(self) -> Tensor:
        """What the patches look like: the proxy's features, or the tower's final ones; (F, h, w), unit length, fp32."""
        # without what the tower's block computes once and keeps: an encoded image does not hold it
        found = replace(self.output).final_tokens() if self.proxied is None else self.proxied
        return normalize(found[0].float(), dim=0)

    @property
    @torch.inference_mode()
    def class_token(self) -> Tensor:
        """The joint embedding of the window's class token, as the tower's own last block makes it: (E,), unit length.

        With a second view the mean of both views'.

        Raises:
            FeedsegError: the tower has none.
        """
        tower, last = self.output.tower, replace(self.output).last
        if not tower.prefix:
            raise FeedsegError("this model has no class token to blend in: leave out the refiner class-token")
        query, key, value = (last.projection(which) for which in ("query", "key", "value"))
        attended = scaled_dot_product_attention(query[:, :, :1], key, value).transpose(1, 2).flatten(2)
        residual = last.tokens[:, :1] if tower.reads_residual else None
        own = normalize(tower.project(attended, residual), dim=-1)[0, 0]
        return own if self.second is None else (own + self.second.class_token) / 2

    @torch.inference_mode()
    def embeddings(self, text: Tensor, feedback: Feedback | None) -> Tensor:
        """The patch embeddings for queries (C, E), with feedback unless it is None: (1, N, E), fp32, not normalised."""
        if feedback is None:
            return self.first
        first, uniform = normalize(self.first, dim=-1), normalize(self.uniform, dim=-1)
        return feedback.embed(self.readout.attention, first, uniform, text, self.readout.project)

    @torch.inference_mode()
    def affinity(self, text: Tensor, feedback: AffinityFeedback) -> Tensor:
        """F of the first pass, whole, to look at: how much every patch gathers from every other.

        (N, N), fp32; rows sum to one.
        """
        first, uniform = normalize(self.first, dim=-1), normalize(self.uniform, dim=-1)
        isolated = feedback.isolate(first, uniform, text)
        return feedback.affinity(self.readout.attention, isolated)(slice(None))[0]

    @torch.inference_mode()
    def logits(self, text: Tensor, feedback: Feedback | None) -> Tensor:
        """Cosines of patches and queries on the host's grid: (C, h, w), fp32; with a second view the mean of both."""
        embedded, expected = self.embeddings(text, feedback), (1, self.grid[0] * self.grid[1], text.shape[-1])
        if tuple(embedded.shape) != expected:
            maker = "the host" if feedback is None else f"the feedback {type(feedback).__name__}"
            raise FeedsegError(f"{maker} returns embeddings {tuple(embedded.shape)}: expected were {expected}")
        embeddings = normalize(embedded, dim=-1)
        own = (text.float() @ embeddings[0].T).unflatten(-1, self.grid)
        return own if self.second is None else averaged(own, self.second.logits(text, feedback))
