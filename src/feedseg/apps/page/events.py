"""What happens on the page: each event is one call of `feedseg.apps.page.session`, and every error one line."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any

import gradio as gr

from feedseg.apps.page import examples
from feedseg.apps.page import session as sessions
from feedseg.apps.page.desk import Desk
from feedseg.apps.page.layout import KEPT, Parts, layout
from feedseg.apps.page.photo import Photo
from feedseg.apps.page.session import Session, Shown, said
from feedseg.apps.page.wanted import Wanted
from feedseg.engine.outcomes import explain
from feedseg.errors import FeedsegError
from feedseg.evaluation.photographs import PHOTOGRAPHS

# One computation at a time, whoever asks; others wait in the queue. It is no interface for programs: the service is.
COMPUTES: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "desk", "api_visibility": "private"}
# What comes from the browser is taken as it is and checked here, so that what is wrong with it is said in our words.
RAW: dict[str, Any] = {**COMPUTES, "preprocess": False}
Updates = dict[Any, Any]


def page(desk: Desk, place: Path) -> gr.Blocks:
    """The page.

    Args:
        desk: what computes.
        place: a folder for copies of the examples and for downloads.
    """
    with gr.Blocks(title="Feedseg", analytics_enabled=False, fill_width=True, delete_cache=(KEPT // 6, KEPT)) as blocks:
        wire(layout(desk.offered), desk, place)
    blocks.queue(max_size=desk.limits.queue)
    return blocks


def wire(parts: Parts, desk: Desk, place: Path) -> None:
    """Connect the events of the page's components with what they do."""
    asking = [parts.state, parts.photo, parts.words, *parts.controls.all]
    answer = [
        parts.state,
        parts.told,
        parts.viewer,
        parts.patch,
        parts.legend,
        parts.command,
        parts.program,
        parts.made,
    ]
    quiet: dict[str, Any] = {"show_progress": "minimal", "show_progress_on": [parts.told]}

    def shown(found: Shown) -> Updates:
        return {
            parts.state: found.session,
            parts.told: found.said,
            parts.viewer: found.view,
            parts.legend: found.legend,
            parts.command: found.command,
            parts.program: found.program,
            parts.made: gr.update(value=None, visible=False),
        }

    def ask(session: Session, photo: Any, words: Any, *values: Any) -> Updates:
        given, wanted = given_photo(photo), wanted_of(words, values)
        if given is None:
            raise FeedsegError("give a photo first: drop one, take one, or choose an example")
        return shown(sessions.answered(desk, session, given, wanted)) | {parts.patch: ""}

    def ask_again(session: Session, photo: Any, words: Any, *values: Any) -> Updates:
        """After a control has changed: nothing happens before there is a photo with words."""
        return ask(session, photo, words, *values) if photo and str(words or "").strip() else {}

    def open_photo(session: Session, photo: Any, words: Any, *values: Any) -> Updates:
        given = given_photo(photo)
        if given is None:  # it was taken away
            return {parts.told: said("Give a photo and words, or choose an example.")}
        if str(words or "").strip():
            return ask_again(session, photo, words, *values)
        new, text = sessions.opened(desk, session, given, wanted_of(words, values))
        return {parts.state: new, parts.told: text, parts.viewer: None, parts.legend: None, parts.patch: ""}

    def choose(event: gr.EventData) -> Updates:
        index = event._data["index"]
        photograph = PHOTOGRAPHS[index]
        return {
            parts.photo: str(examples.copied(photograph, place)),
            parts.words: ", ".join(photograph.words),
            parts.told: said("Opening the example …"),
        }

    def recolour(session: Session, event: gr.EventData) -> Updates:
        found = sessions.recoloured(desk, session, str(event._data["name"]), str(event._data["colour"]))
        return shown(found)

    def pick(session: Session, event: gr.EventData) -> Updates:
        at = float(event._data["x"]), float(event._data["y"])
        return {parts.patch: sessions.explained(desk, session, at)}

    def make(session: Session, formats: Any) -> Updates:
        made = sessions.files(desk, session, [str(name) for name in formats or ()], place)
        return {parts.made: gr.update(value=[str(path) for path in made], visible=True), parts.failed: ""}

    told = lines(parts.told)
    for event in (parts.run.click, parts.words.submit):
        event(told(ask), asking, answer, **RAW, **quiet)
    for event in parts.controls.changes:
        event(told(ask_again), asking, answer, **RAW, **quiet, trigger_mode="always_last")
    parts.photo.input(told(open_photo), asking, answer, **RAW, **quiet)
    parts.choice.choose(told(choose), None, [parts.photo, parts.words, parts.told], **COMPUTES, **quiet).success(
        told(ask), asking, answer, **RAW, **quiet
    )
    parts.legend.recolour(told(recolour), [parts.state], answer, **COMPUTES, **quiet)
    parts.viewer.pick(
        lines(parts.patch)(pick),
        [parts.state],
        [parts.patch],
        **COMPUTES,
        show_progress="minimal",
        trigger_mode="always_last",
    )
    parts.make.click(
        lines(parts.failed)(make), [parts.state, parts.formats], [parts.made, parts.failed], **RAW,
        show_progress="minimal",
    )  # fmt: skip


def lines(place: gr.HTML) -> Callable[[Callable[..., Updates]], Callable[..., Updates]]:
    """Makes handlers whose errors are one line in a place of the page, and change nothing else."""

    def with_lines(handler: Callable[..., Updates]) -> Callable[..., Updates]:
        def handle(*values: Any) -> Updates:
            try:
                return handler(*values) or {place: gr.skip()}
            except Exception as error:  # a defect too: the page goes on
                return {place: said(explain(error), wrong=True)}

        handle.__annotations__ = handler.__annotations__  # by which Gradio gives an event's data
        handle.__signature__ = signature(handler)  # pyright: ignore[reportFunctionMemberAccess]
        handle.__name__ = handler.__name__
        return handle

    return with_lines


def given_photo(value: Any) -> Photo | None:
    """The photo as the browser tells of it; Gradio has checked that it is one of its own uploads."""
    path = value.get("path") if isinstance(value, dict) else None
    return Photo.of(path, value.get("orig_name")) if path else None


def wanted_of(words: Any, values: tuple[Any, ...]) -> Wanted:
    """What is asked for, in the order of the controls; checked when it is used."""
    model, host, proxy, speed, feedback, background, threshold, refiners = values
    return Wanted(
        str(words or ""),
        str(model),
        str(host),
        str(proxy),
        str(speed),
        str(feedback),
        str(background or ""),
        threshold,
        tuple(map(str, refiners or ())),
    )
