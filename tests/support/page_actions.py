"""What people do on the page of `feedseg app`, in a browser that playwright drives."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

WORDS = "striped, dotted, bricks"
STAGE = "document.querySelector('#fs-result .fs-stage')"
ANSWER = "document.querySelector('#fs-result [data-answer]')?.dataset.answer ?? ''"


def answered(page: Any, act: Callable[[], object]) -> str:
    """What the page says after an act that gives an answer."""
    before = answer_of(page)
    act()
    page.wait_for_function(f"({ANSWER}) !== {before!r}")
    page.wait_for_function(f"{STAGE}.querySelector('.fs-after').naturalWidth > 0")
    return page.inner_text("#fs-told")


def answer_of(page: Any) -> str:
    return page.evaluate(ANSWER)


def chosen(page: Any, number: int) -> str:
    return answered(page, lambda: page.locator("#fs-choice button").nth(number).click())


def typed(page: Any, words: str) -> None:
    page.locator("#fs-words textarea, #fs-words input").fill(words)
    page.keyboard.press("Enter")


def upload(page: Any, path: Path) -> None:
    page.locator("#fs-photo input[type=file]").first.set_input_files(path)


def uploaded(page: Any, path: Path) -> None:
    """Upload a photo and see that it has come; again where the page was busy, as a person would."""
    from playwright.sync_api import TimeoutError as NotThere

    for _ in range(3):
        upload(page, path)
        with suppress(NotThere):
            page.get_by_text("Now type words").wait_for(timeout=20_000)
            return
    raise AssertionError("the page takes no photo")


def legend(page: Any) -> dict[str, list[str]]:
    """The legend's rows: area with feedback, without, confidence, by the class's name."""
    rows = page.locator("#fs-legend tbody tr").all()
    cells = [[cell.strip() for cell in row.locator("td").all_inner_texts()] for row in rows]
    return {cell[0]: cell[2:] for cell in cells}


def use_mini(page: Any) -> None:
    """Choose the toy model, of which the tests know what it says."""
    page.locator("#fs-advanced button").first.click()
    page.get_by_label("Model", exact=True).click()
    page.get_by_role("option", name=re.compile("^mini:")).click()


def mini_answer(page: Any, path: Path, words: str = WORDS) -> None:
    """The toy model's answer to an uploaded photo."""
    use_mini(page)
    uploaded(page, path)
    answered(page, lambda: typed(page, words))


def places(page: Any, x: float, y: float) -> tuple[float, float]:
    """A place of the photo, in pixels of the window."""
    page.locator(".fs-stage").scroll_into_view_if_needed()
    box = page.locator(".fs-stage").bounding_box()
    return box["x"] + x * box["width"], box["y"] + y * box["height"]
