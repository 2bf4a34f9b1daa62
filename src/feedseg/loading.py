"""Making a segmenter from names: weights, host, proxy, feedback, device."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from feedseg.arguments import checked_settings, chosen_feedback
from feedseg.errors import FeedsegError, brief, checked_count
from feedseg.segmenter import Segmenter
from feedseg.settings import SPEEDS, WHOLE_IMAGE, Settings
from feedseg.vision.devices import choose_device, choose_dtype
from feedseg.vision.encode import WindowEncoder
from feedseg.vision.feedback import AUTO
from feedseg.vision.feedback.base import Feedback
from feedseg.vision.hosts import HOSTS
from feedseg.vision.hosts.base import Host
from feedseg.vision.model import Model, open_model
from feedseg.vision.proxies.base import Features, Proxy
from feedseg.vision.proxies.coarse import coarsened
from feedseg.vision.proxies.load import load_proxy
from feedseg.weights.catalog import CARDS, DEFAULT_MODEL, repository_of

if TYPE_CHECKING:
    from feedseg.vision.towers.base import VisionTower

ACCELERATOR_BATCH = 16  # windows
MOST_BATCH = 4096  # windows


def load_segmenter(
    model: str | Path | Model | None = None,
    *,
    host: str | Host | type[Host] = "proxyclip",
    proxy: str | Path | Features | Proxy | None = None,
    feedback: str | bool | Feedback | type[Feedback] = AUTO,
    settings: Settings | None = None,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    class_token: bool | None = None,
    residual: bool | None = None,
    batch_size: int | None = None,
    speed: str = "protocol",
) -> Segmenter:
    """Load the weights and move them to the device.

    Args:
        model: a name of the catalog, a hub id, either with `@revision` if you like, a local folder, or a loaded
            model, which is then moved to this device and type; None for the catalog's default.
        host: a registered name ("proxyclip", "naclip", "gem", …; docs/hosts.md has all), a host of your own as
            an object or class, or its name as "package.module:Name".
        proxy: for a host that uses one: a name of the catalog, a hub id, a local folder, "self" for the tower's own
            final patch tokens, "package.module:Name", or a function from RGB windows in [0, 1], (B, 3, height, width),
            to features (B, C, h, w). None for what the tower or the catalog suggests.
        feedback: "auto", the paper's for towers like CLIP and calibrated for others; "paper", with its constants for
            this tower and proxy; "calibrated", which takes its scales from the image; "none"; "package.module:Name"; or
            an object. True is "paper", False "none".
        settings: sizes and windows; None for the host's own protocol, or what suits a tower that is not like CLIP.
        device: "cpu", "cuda", "mps", …; None for the best there is.
        dtype: "fp32", "fp16" or "bf16"; None for fp16 on CUDA and fp32 elsewhere.
        class_token: False leaves the class token out of the host's attention; None: as host and tower have it.
        residual: whether the last block's residual and feed-forward are kept; None: as published.
        batch_size: windows that go through the tower together on an accelerator; None for 16. A CPU takes one at a
            time: it gains nothing by more, and products over a batch are rounded differently.
        speed: "protocol", "fast" or "fastest": how much is left out, see `at_speed`.

    Raises:
        FeedsegError: a name that is unknown, weights that cannot be found or used, a device that is not there.
    """
    if not isinstance(model, (str, Path, Model, type(None))):
        raise FeedsegError(f"a model is a name, a folder or a loaded model, not {type(model).__name__}")
    checked_settings(settings)
    check_speed(speed)
    chosen = HOSTS.load(host)
    if proxy is not None and not chosen.uses_proxy:
        able = " and ".join(name for name in HOSTS.names() if HOSTS.load(name).uses_proxy)
        raise FeedsegError(f"the host {chosen.name} uses no proxy; {able} do")
    if batch_size is not None:
        checked_count(batch_size, "the batch size", most=MOST_BATCH)
    where = choose_device(device)
    number = choose_dtype(dtype, where)
    name = DEFAULT_MODEL if model is None else model
    source = name if isinstance(name, Model) else repository_of(name, "tower")
    encoder = None if proxy is None else load_proxy(proxy)  # first, so that a wrong name costs no download
    loaded = source if isinstance(source, Model) else open_model(source)
    card = CARDS.get(_called(name))
    if card and card.is_bundled:  # where the package is installed says nothing to others
        loaded = replace(loaded, source=card.name)
    tower = loaded.tower
    if chosen.uses_proxy:
        encoder = encoder or load_proxy((card and card.proxy) or tower.default_proxy)
        encoder.to(where, number)
    loaded.to(where, number)
    windows = WindowEncoder(tower, chosen, encoder, class_token, residual)
    segmenter = Segmenter(
        model=loaded,
        encoder=windows,
        feedback=chosen_feedback(feedback, windows),
        settings=settings or own_settings(name, tower) or chosen.settings,
        batch_size=1 if where.type == "cpu" else batch_size or ACCELERATOR_BATCH,
    )
    return at_speed(segmenter, speed)


def check_speed(speed: object) -> None:
    """Raises FeedsegError where there is no such speed."""
    if not isinstance(speed, str) or speed not in SPEEDS:
        raise FeedsegError(f"a speed is {', '.join(SPEEDS[:-1])} or {SPEEDS[-1]}, not {brief(speed)}")


def at_speed(segmenter: Segmenter, speed: str) -> Segmenter:
    """The segmenter with less left to do; it shares the weights.

    Args:
        segmenter: a loaded one.
        speed: "protocol": as it is; "fast": no part of an image twice, see `Settings.fast`; "fastest": also a proxy of
            much finer patches than the tower's on a coarser grid, see `feedseg.vision.proxies.coarse`, beside which
            the tower alone still sees parts of the size of its host's windows, see `feedseg.vision.parts`.

    Raises:
        FeedsegError: there is no such speed.
    """
    check_speed(speed)
    if speed == "protocol":
        return segmenter
    encoder, settings = segmenter.encoder, segmenter.settings
    if speed == "fastest" and encoder.proxy is not None:
        coarse = coarsened(encoder.proxy, encoder.tower.patch_size)
        if coarse is not encoder.proxy:  # beside a proxy, a tower's overlapping parts cost little
            encoder = replace(encoder, proxy=coarse, tower_part=settings.window and settings.window_sides)
    return replace(segmenter, encoder=encoder, settings=settings.fast())


def own_settings(model: str | Path | Model, tower: VisionTower) -> Settings | None:
    """How a model looks at images whatever its host: as its card says, or whole where it was not trained on squares.

    Args:
        model: what it is called, or the model.
        tower: its tower.

    Returns:
        None for one whose host decides.
    """
    card = CARDS.get(_called(model))
    return (card and card.settings) or (None if tower.square_windows else WHOLE_IMAGE)


def _called(model: str | Path | Model) -> str:
    """What a model is called; a loaded one keeps its name."""
    return model.source if isinstance(model, Model) else str(model)
