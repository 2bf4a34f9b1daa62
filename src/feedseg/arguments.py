"""What a call may ask for, in the forms in which people write it, and what that becomes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

from feedseg.decode.refiners import REFINERS
from feedseg.errors import FeedsegError, brief
from feedseg.io.images import RgbImage, read_image
from feedseg.settings import Settings
from feedseg.vision.feedback import AUTO, FEEDBACKS, NO_FEEDBACK
from feedseg.vocabulary import Vocabulary

if TYPE_CHECKING:
    from feedseg.decode.refiners.base import PatchRefiner, Refiner
    from feedseg.vision.encode import WindowEncoder
    from feedseg.vision.feedback.base import Feedback

Words = Vocabulary | str | Sequence[str | Sequence[str]]


class CallOptions(TypedDict, total=False):
    """Keyword arguments of a segmenter's calls, each instead of what the segmenter was loaded with.

    feedback: "auto" for what suits the tower, "paper", "calibrated", another registered name, "calibrated:2" for two
        passes, "package.module:Name", an object, or "none".
    settings: sizes and windows.
    refiners: names, "region-vote:MODEL", "package.module:Name" or objects, which change the scores one after the other.
    scores: whether results hold the probability of every class at the resolution of the patches.
    """

    feedback: str | bool | Feedback | type[Feedback] | None
    settings: Settings | None
    refiners: Iterable[str | Refiner | type[Refiner]]
    scores: bool


class Request(NamedTuple):
    """An image and what it is asked for."""

    image: RgbImage
    vocabulary: Vocabulary

    @classmethod
    def of(cls, item: Any, common: Vocabulary | None, resolved: Callable[[Words], Vocabulary]) -> Request:
        """From an image, with the words that are common to all, or from a pair of an image and its own words.

        Args:
            item: an image, or a pair.
            common: the words of an image without its own.
            resolved: makes the vocabulary of an image's own words.
        """
        pair: tuple[Any, Any] = item if isinstance(item, tuple) and len(item) == 2 else (item, common)
        image, words = pair
        if words is None:
            raise FeedsegError("an image without words: give words for all, or pairs of an image and its words")
        return cls(read_image(image), words if words is common else resolved(words))


@dataclass(frozen=True)
class Plan:
    """What a call asks for, with objects instead of their names."""

    feedback: Feedback | None
    settings: Settings
    refiners: tuple[Refiner, ...] = ()
    scores: bool = False

    @property
    def patch_refiners(self) -> tuple[PatchRefiner, ...]:
        """Those that come before the windows are stitched."""
        from feedseg.decode.refiners.base import PatchRefiner

        return tuple(refiner for refiner in self.refiners if isinstance(refiner, PatchRefiner))

    def changed(
        self,
        encoder: WindowEncoder,
        feedback: str | bool | Feedback | type[Feedback] | None = None,
        settings: Settings | None = None,
        refiners: Iterable[str | Refiner | type[Refiner]] = (),
        scores: bool = False,
    ) -> Plan:
        """The same with what a call wants otherwise; None is as it was.

        Raises:
            FeedsegError: there is no feedback or refiner of a name, or settings are none.
        """
        if not isinstance(scores, bool):
            raise FeedsegError(f"scores is True or False, not {brief(scores)}")
        chosen = self.feedback if feedback is None else chosen_feedback(feedback, encoder)
        return Plan(chosen, checked_settings(settings) or self.settings, chosen_refiners(refiners), scores)


def checked_settings(wanted: Settings | None) -> Settings | None:
    """The same. Raises FeedsegError where it is something else than settings or None."""
    if wanted is not None and not isinstance(wanted, Settings):
        raise FeedsegError(f"settings are a Settings object, not {type(wanted).__name__}")
    return wanted


def chosen_feedback(wanted: str | bool | Feedback | type[Feedback], encoder: WindowEncoder) -> Feedback | None:
    """A feedback from its name, an object, or True and False; by name with its paper's constants for the model.

    Behind a name and a colon may be something for it, as in "calibrated:2" and "auto:settled".

    Raises:
        FeedsegError: there is no such feedback.
    """
    if isinstance(wanted, bool):
        wanted = "paper" if wanted else NO_FEEDBACK
    if not isinstance(wanted, str):
        return FEEDBACKS.load(wanted)
    name, colon, text = wanted.partition(":")
    if name == AUTO:
        name = encoder.tower.default_feedback
    if wanted == NO_FEEDBACK or (name == NO_FEEDBACK and not colon):
        return None
    known = name in FEEDBACKS.names()
    if not colon and not known:
        raise FeedsegError(f"{FEEDBACKS.unknown(wanted)}, {AUTO} or {NO_FEEDBACK}")
    if name == NO_FEEDBACK:
        raise FeedsegError(f"the feedback {NO_FEEDBACK} takes nothing behind its name: leave out :{text[:60]}")
    found = FEEDBACKS.load(name if known else wanted)
    found = found.fitted(encoder.tower.width, encoder.proxy.family if encoder.proxy else "")
    return found.configured(text) if colon and known else found


def chosen_refiners(wanted: Iterable[str | Refiner | type[Refiner]]) -> tuple[Refiner, ...]:
    """Refiners from their names or objects. Raises FeedsegError where there is none of the name."""
    if isinstance(wanted, str) or not isinstance(wanted, Iterable):
        raise FeedsegError(f"refiners are a list of names or objects, not {brief(wanted)}")
    return tuple(map(_chosen_refiner, wanted))


def _chosen_refiner(wanted: str | Refiner | type[Refiner]) -> Refiner:
    """One of them; behind a registered name and a colon may be something for it, as in "region-vote:sam-b"."""
    if isinstance(wanted, str):
        name, colon, text = wanted.partition(":")
        if colon and name in REFINERS.names():
            return REFINERS.load(name).configured(text)
    return REFINERS.load(wanted)


def described_part(part: Any) -> dict[str, Any] | None:
    """A feedback or refiner, as JSON has it: its class and its constants."""
    if part is None:
        return None
    named = {
        key: f"{value.__module__}:{value.__qualname__}" if callable(value) else value
        for key, value in asdict(part).items()
    }
    return {"kind": type(part).__name__, **named}


def described(encoder: WindowEncoder, plan: Plan) -> dict[str, object]:
    """Every setting that the numbers depend on, as JSON has it."""
    settings, host = plan.settings, encoder.host
    return {
        "host": host.name,
        **({"host_constants": asdict(host)} if fields(host) else {}),
        "feedback": described_part(plan.feedback),
        **({"refiners": [described_part(refiner) for refiner in plan.refiners]} if plan.refiners else {}),
        "class_token": encoder.sees_class_token,
        "residual": encoder.keeps_residual,
        **({} if encoder.tower_part is None else {"tower_part": encoder.tower_part}),
        **{name: value for name, value in vars(settings).items() if name != "second_view" or value is not None},
        "stride": None if settings.window is None else settings.stride,
        "device": str(encoder.tower.device),
        "dtype": str(encoder.tower.dtype).removeprefix("torch."),
    }
