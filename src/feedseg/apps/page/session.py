"""What one person's page remembers between two events, and what each event gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path
from typing import Any

from feedseg.apps.page import downloads
from feedseg.apps.page.desk import Answer, Desk
from feedseg.apps.page.equivalent import command_line, python
from feedseg.apps.page.heat import inspected
from feedseg.apps.page.photo import Photo
from feedseg.apps.page.view import coloured, listed, seconds, times, viewed
from feedseg.apps.page.wanted import Wanted
from feedseg.errors import FeedsegError
from feedseg.io.palette import parse_colour


@dataclass(frozen=True)
class Session:
    """A photo, what was asked of it last, and the colours that were chosen. No pixels: those are on the desk."""

    photo: Photo | None = None
    encoding: tuple[str, ...] = ()  # model, host, proxy and speed that it was opened with
    opened: float = 0.0  # seconds
    first: float | None = None  # seconds of the first answer
    wanted: Wanted | None = None  # what is shown
    colours: Mapping[str, str] = field(default_factory=dict)
    answers: int = 0


@dataclass(frozen=True)
class Shown:
    """What an answer changes on the page."""

    session: Session
    said: str
    view: dict[str, Any]
    legend: dict[str, Any]
    command: str
    program: str


def opened(desk: Desk, session: Session, photo: Photo, wanted: Wanted) -> tuple[Session, str]:
    """The session with a photo that waits for words, and what is said of it. Raises FeedsegError."""
    took = desk.open(photo, wanted)
    new = Session(photo, _encoding(wanted), took, colours=session.colours, answers=session.answers)
    return new, said(f"Photo opened in {seconds(took)}. Now type words.")


def answered(desk: Desk, session: Session, photo: Photo, wanted: Wanted) -> Shown:
    """The classes of a photo. Raises FeedsegError."""
    answer = desk.answer(photo, wanted)
    same = session.photo == photo and session.encoding == _encoding(wanted) and answer.timing.was_kept
    took = session.opened if same else answer.timing.opened
    first = session.first if same else None
    text = times(took, answer.timing.total if first is not None else answer.timing.answered, first)
    new = Session(
        photo,
        _encoding(wanted),
        took,
        took + answer.timing.answered if first is None else first,
        wanted,
        session.colours,
        session.answers + 1,
    )
    return _shown(new, said(text, answer.notes), answer)


def recoloured(desk: Desk, session: Session, name: str, colour: str) -> Shown:
    """The same answer with another colour for a class. Raises FeedsegError where two classes would have the same."""
    photo, wanted = _asked(session)
    parse_colour(colour)
    answer = desk.answer(photo, wanted)
    colours = {**session.colours, name: colour}
    coloured(answer.after, colours)  # its complaint, before it is kept
    new = replace(session, colours=colours, answers=session.answers + 1)
    return _shown(new, said(f"{name} is {colour} now."), answer)


def explained(desk: Desk, session: Session, at: tuple[float, float]) -> str:
    """What the patch at a place attends to, as HTML. Raises FeedsegError."""
    photo, wanted = _asked(session)
    return inspected(*desk.explain(photo, wanted, at))


def files(desk: Desk, session: Session, formats: list[str], place: Path) -> list[Path]:
    """The result's files in the formats, and an archive of them. Raises FeedsegError."""
    photo, wanted = _asked(session)
    result = desk.result(photo, wanted, scores=downloads.needs_scores(formats))
    return downloads.written(photo, result, formats, session.colours, place)


def said(text: str, notes: tuple[str, ...] = (), *, wrong: bool = False) -> str:
    """A line for the place above the result, as HTML; screen readers tell it."""
    more = "".join(f'<span class="fs-note">Note: {escape(note)}</span>' for note in notes)
    kind, role = (" fs-wrong", "alert") if wrong else ("", "status")
    return f'<p class="fs-said{kind}" role="{role}">{escape(text)}{more}</p>'


def _shown(session: Session, text: str, answer: Answer) -> Shown:
    photo, wanted = _asked(session)
    colours = {name: colour for name, colour in session.colours.items() if name in answer.after.names}
    here = Answer(
        coloured(answer.after, colours),
        answer.before and coloured(answer.before, colours),
        answer.timing,
        answer.notes,
    )
    return Shown(
        session,
        text,
        viewed(here) | {"answer": session.answers, "photo": str(photo.path)},
        listed(here),
        command_line(photo.name, wanted, colours),
        python(photo.name, wanted, colours),
    )


def _asked(session: Session) -> tuple[Photo, Wanted]:
    if session.photo is None or session.wanted is None:
        raise FeedsegError("there is no result yet: give a photo and words")
    return session.photo, session.wanted


def _encoding(wanted: Wanted) -> tuple[str, ...]:
    return wanted.model, wanted.host, wanted.proxy, wanted.speed
