"""The models that have a short name: where their weights are, under which licence, default settings. Data only."""

from __future__ import annotations

import os
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from feedseg.errors import FeedsegError
from feedseg.settings import Settings


@dataclass(frozen=True)
class Card:
    """A model of the catalog. `parameters` counts what the repository's model has, in millions."""

    name: str
    kind: str  # "tower" or "proxy"
    title: str
    repository: str
    licence: str
    parameters: float
    settings: Settings | None = None  # instead of the host's own
    proxy: str | None = None  # for proxyclip, instead of the usual one

    @property
    def is_bundled(self) -> bool:
        """Whether the weights come with the package."""
        return not self.repository

    @property
    def folder(self) -> Path:
        """Where the files of a bundled model are."""
        return Path(__file__).parents[1] / "models" / self.name

    @property
    def megabytes(self) -> int:
        """What a bundled model's files take, in MB; about what the others' weights do, which the hub holds in fp32."""
        if self.is_bundled:
            return round(sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file()) / 1e6)
        return round(self.parameters * 4)


_OPENAI = "MIT (OpenAI)"
_LAION = "MIT (LAION)"
_META_NC = "CC-BY-NC-4.0 (Meta)"
_META = "Apache-2.0 (Meta)"
_GOOGLE = "Apache-2.0 (Google)"
_DINOV3 = "DINOv3 License (Meta), gated"

CARDS: dict[str, Card] = {
    card.name: card
    for card in (
        Card(
            "photo",
            "tower",
            "DINOv2 ViT-S/14 with words by MiniLM: photographs, any word, in the package",
            "",
            "Apache-2.0, alignment: see its card",
            44.8,
        ),
        Card(
            "mini",
            "tower",
            "A toy CLIP for drawn scenes, in the package",
            "",
            "Apache-2.0 (Feedseg)",
            1.1,
            settings=Settings(short_side=112, window=None),
            proxy="self",
        ),
        Card("vit-b-32", "tower", "CLIP ViT-B/32, OpenAI", "openai/clip-vit-base-patch32", _OPENAI, 151.3),
        Card("vit-b-16", "tower", "CLIP ViT-B/16, OpenAI", "openai/clip-vit-base-patch16", _OPENAI, 149.6),
        Card("vit-l-14", "tower", "CLIP ViT-L/14, OpenAI", "openai/clip-vit-large-patch14", _OPENAI, 427.6),
        Card("vit-l-14-336", "tower", "CLIP ViT-L/14@336, OpenAI", "openai/clip-vit-large-patch14-336", _OPENAI, 427.9),
        Card(
            "vit-b-16-laion", "tower", "CLIP ViT-B/16, LAION-2B", "laion/CLIP-ViT-B-16-laion2B-s34B-b88K", _LAION, 149.6
        ),
        Card(
            "vit-l-14-laion", "tower", "CLIP ViT-L/14, LAION-2B", "laion/CLIP-ViT-L-14-laion2B-s32B-b82K", _LAION, 427.6
        ),
        Card("vit-h-14", "tower", "CLIP ViT-H/14, LAION-2B", "laion/CLIP-ViT-H-14-laion2B-s32B-b79K", _LAION, 986.1),
        Card("metaclip-b-16", "tower", "MetaCLIP ViT-B/16, 2.5B", "facebook/metaclip-b16-fullcc2.5b", _META_NC, 149.6),
        Card("metaclip-l-14", "tower", "MetaCLIP ViT-L/14, 2.5B", "facebook/metaclip-l14-fullcc2.5b", _META_NC, 427.6),
        Card("metaclip-h-14", "tower", "MetaCLIP ViT-H/14, 2.5B", "facebook/metaclip-h14-fullcc2.5b", _META_NC, 986.1),
        Card("siglip-b-16", "tower", "SigLIP ViT-B/16, WebLI", "google/siglip-base-patch16-224", _GOOGLE, 203.2),
        Card("siglip2-b-16", "tower", "SigLIP 2 ViT-B/16", "google/siglip2-base-patch16-224", _GOOGLE, 375.2),
        Card(
            "siglip2-b-naflex",
            "tower",
            "SigLIP 2 ViT-B/16, any resolution",
            "google/siglip2-base-patch16-naflex",
            _GOOGLE,
            375.2,
        ),
        Card(
            "metaclip2-b-16",
            "tower",
            "MetaCLIP 2 ViT-B/16, any language",
            "facebook/metaclip-2-worldwide-b16",
            _META_NC,
            586.0,
        ),
        Card("dino-b8", "proxy", "DINO ViT-B/8", "facebook/dino-vitb8", _META, 85.8),
        Card("dino-b16", "proxy", "DINO ViT-B/16", "facebook/dino-vitb16", _META, 85.8),
        Card("dino-s8", "proxy", "DINO ViT-S/8", "facebook/dino-vits8", _META, 21.7),
        Card("dinov2-b14", "proxy", "DINOv2 ViT-B/14", "facebook/dinov2-base", _META, 86.6),
        Card(
            "dinov2-b14-reg",
            "proxy",
            "DINOv2 ViT-B/14 with registers",
            "facebook/dinov2-with-registers-base",
            _META,
            86.6,
        ),
        Card("dinov3-b16", "proxy", "DINOv3 ViT-B/16", "facebook/dinov3-vitb16-pretrain-lvd1689m", _DINOV3, 85.7),
        Card("mae-b16", "proxy", "MAE ViT-B/16", "facebook/vit-mae-base", _META_NC, 111.9),
        Card("sam-b", "proxy", "SAM ViT-B", "facebook/sam-vit-base", _META, 93.7),
    )
}


def names(kind: str) -> list[str]:
    """The names of all cards of a kind, in the catalog's order."""
    return [card.name for card in CARDS.values() if card.kind == kind]


def repository_of(source: str | Path, kind: str) -> str | Path:
    """Where a name of the catalog is, its hub repository (`@revision` kept) or a folder; anything else as it is.

    Raises:
        FeedsegError: the name is of the other kind, or there is only one much like it.
    """
    name, at, revision = str(source).partition("@")
    card = CARDS.get(name)
    if card is None:
        near = get_close_matches(name, names(kind), n=3, cutoff=0.7)
        # os.path, since Path's own fails for a text that can be no path
        if near and "/" not in name and not os.path.exists(source):  # noqa: PTH110
            raise FeedsegError(
                f"there is no {name!r}; did you mean {' or '.join(near)}? `feedseg models` lists the names"
            )
        return source
    if card.kind != kind:
        what = "a proxy without text; as the model" if kind == "tower" else "a text-aligned tower; as a proxy"
        raise FeedsegError(f"{name} is {what} take one of {', '.join(names(kind))}")
    if card.is_bundled:
        if at:
            raise FeedsegError(f"{name} comes with the package and has no revisions: leave out {at}{revision}")
        return card.folder
    return f"{card.repository}{at}{revision}"


DEFAULT_MODEL = "photo"  # where nothing is chosen: it is in the package
PAPER_MODEL = "vit-b-16"  # for the benchmarks, as the papers have it
DEFAULT_PROXY = "dino-b8"  # beside a CLIP tower
