"""The page in a real browser: what people do with it, by mouse, by keyboard, on a phone, several at a time.

With FEEDSEG_PICTURES=FOLDER the screenshots are kept there: `python docs/pictures/page.py` makes those of the guide.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from feedseg import Segmentation
from feedseg.io.legend import percent
from page_actions import (
    ANSWER,
    STAGE,
    WORDS,
    answer_of,
    answered,
    chosen,
    legend,
    mini_answer,
    places,
    typed,
    upload,
    uploaded,
    use_mini,
)

pytest.importorskip("gradio", reason="the extra app is not installed")
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")

PATIENCE = 60_000  # ms
CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
Opened = Callable[..., Any]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a page of the bundled models is served, by the command."""
    log = tmp_path_factory.mktemp("page") / "log"
    command = [sys.executable, "-m", "feedseg", "app", "--port", "0", "--device", "cpu"]
    with log.open("w") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
    assert process.stdout is not None
    found = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
    assert found, log.read_text()
    yield found[0]
    process.send_signal(signal.SIGTERM)
    process.wait(30)
    assert "Traceback" not in log.read_text(), log.read_text()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *CAMERA])
        yield started
        started.close()


@pytest.fixture
def opened(browser: Any, address: str) -> Iterator[Opened]:
    """`opened(width, height, …)`: the page in a session of its own; whatever leaves this machine fails the test."""
    contexts: list[Any] = []
    foreign: list[str] = []
    broken: list[str] = []

    def open_page(width: int = 1200, height: int = 900, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": height}, accept_downloads=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("request", lambda sent: foreign.append(sent.url) if is_foreign(sent.url, address) else None)
        page.on("pageerror", lambda error: broken.append(str(error)))
        page.goto(address)
        page.locator("#fs-choice button").first.wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not foreign
    assert not broken


def is_foreign(url: str, address: str) -> bool:
    return not url.startswith((address, address.replace("http", "ws"), "data:", "blob:"))


@pytest.fixture
def picture(tmp_path: Path) -> Callable[[Any, str], None]:
    """`picture(page, name)`: a screenshot of what the window shows."""
    folder = Path(os.environ.get("FEEDSEG_PICTURES", tmp_path))

    def take(page: Any, name: str) -> None:
        page.wait_for_timeout(600)  # for what scrolls and fades
        page.screenshot(path=folder / f"{name}.png")

    return take


def test_an_example_is_answered_and_new_words_from_what_is_kept(opened: Opened, picture: Any) -> None:
    page = opened(1200, 1180)
    assert "First answer in" in chosen(page, 2)
    assert {"person", "helmet"} <= legend(page).keys()
    text = answered(page, lambda: typed(page, "astronaut, flag; banner, space shuttle, wall"))
    assert re.search(r"These words in [\d.]+ s, from the photo that is kept; the first answer took [\d.]+ s", text)
    assert "astronaut" in legend(page)
    assert "helmet" not in legend(page)
    picture(page, "page-wide")


def test_an_upload_is_answered_as_the_library_does(
    opened: Opened, drawn: list[Path], library: Callable[..., Segmentation]
) -> None:
    page = opened()
    mini_answer(page, drawn[0])
    after, before = library(drawn[0]), library(drawn[0], feedback="none")
    expected = {
        name: [percent(after.area_fractions[name]), percent(before.area_fractions[name])] for name in legend(page)
    }
    assert {name: cells[:2] for name, cells in legend(page).items()} == expected
    assert {name for name, pixels in after.pixels.items() if pixels} <= expected.keys()


def test_the_pointer_and_a_click_tell_of_the_place(
    opened: Opened, drawn: list[Path], library: Callable[..., Segmentation], picture: Any
) -> None:
    page = opened()
    mini_answer(page, drawn[0])
    after, before = library(drawn[0]), library(drawn[0], feedback="none")
    height, width = after.labels.shape
    page.wait_for_timeout(300)
    for x, y in ((0.11, 0.2), (0.3, 0.7), (0.83, 0.41)):
        page.mouse.move(*places(page, x, y))
        tip = page.locator(".fs-tip").inner_text()
        row, column = int(y * height), int(x * width)
        near = (slice(row - 1, row + 2), slice(column - 1, column + 2))  # the screen's pixels are not the photo's
        assert tip.split()[0] in {after.names[label] for label in after.labels[near].flat}
        assert tip.splitlines()[-1].split()[-3] in {before.names[label] for label in before.labels[near].flat}
    page.mouse.click(*places(page, 0.3, 0.7))
    page.locator("#fs-patch img").nth(1).wait_for()
    text = page.inner_text("#fs-patch")
    at = re.search(r"The patch at (\d+), (\d+)", text)
    assert at
    assert abs(int(at[1]) - 0.3 * width) <= 2
    assert abs(int(at[2]) - 0.7 * height) <= 2
    assert "Before: the host, proxyclip" in text
    assert "After: feedback" in text


def test_what_a_patch_attends_to_is_shown_beside_the_photo(opened: Opened, picture: Any) -> None:
    page = opened(1200, 1150, color_scheme="dark")
    chosen(page, 1)
    page.mouse.click(*places(page, 0.3, 0.4))
    page.locator("#fs-patch img").nth(1).wait_for()
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert max(map(int, re.findall(r"\d+", background)[:3])) < 64
    picture(page, "page-dark")


def test_the_slider_moves_by_mouse_and_by_keyboard(opened: Opened, drawn: list[Path]) -> None:
    page = opened()
    mini_answer(page, drawn[1])

    def shown() -> float:
        clip = page.evaluate(f"{STAGE}.querySelector('.fs-before').style.clipPath")
        return 100 - float(re.findall(r"[\d.]+", clip)[1])

    assert shown() == 50
    page.locator(".fs-split").focus()
    page.keyboard.press("ArrowRight")
    assert shown() == 51
    page.keyboard.press("Home")
    assert shown() == 0
    page.keyboard.press("End")
    assert shown() == 100
    page.mouse.move(*places(page, 0.999, 0.5))
    page.mouse.down()
    page.mouse.move(*places(page, 0.6, 0.5))
    page.mouse.move(*places(page, 0.25, 0.5))
    page.mouse.up()
    assert shown() == pytest.approx(25, abs=1)
    assert page.inner_text("#fs-patch") == ""  # a drag is no click
    answered(page, page.get_by_label("none", exact=True).first.check)
    for part in (".fs-slide", ".fs-handle", ".fs-before"):  # there is nothing to compare with
        assert not page.locator(part).is_visible()


def test_all_of_it_by_keyboard(opened: Opened, drawn: list[Path]) -> None:
    page = opened()
    use_mini(page)
    uploaded(page, drawn[2])
    page.evaluate("document.activeElement.blur()")

    def tab_to(selector: str, most: int = 60) -> None:
        for _ in range(most):
            page.keyboard.press("Tab")
            if page.evaluate(f"document.activeElement.matches({selector!r})"):
                return
        pytest.fail(f"the keyboard does not reach {selector}")

    tab_to("#fs-words textarea, #fs-words input")
    page.keyboard.type(WORDS)
    answered(page, lambda: page.keyboard.press("Enter"))
    tab_to(".fs-stage")
    for _ in range(5):
        page.keyboard.press("ArrowLeft")
    for _ in range(40):  # keys that come before the labels have, tell nothing
        if page.locator(".fs-tip").is_visible():
            break
        page.wait_for_timeout(500)
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowLeft")
    page.locator(".fs-tip").wait_for(state="visible")
    page.keyboard.press("Enter")
    page.locator("#fs-patch img").nth(1).wait_for()
    assert re.search(r"The patch at 12[78],", page.inner_text("#fs-patch"))  # 0.4 of 320
    tab_to(".fs-split")
    tab_to("#fs-legend input[type=color]")
    tab_to("#fs-download button")


def test_files_are_downloaded_in_the_colours_that_were_chosen(
    opened: Opened, drawn: list[Path], library: Callable[..., Segmentation]
) -> None:
    page = opened()
    mini_answer(page, drawn[0])
    set_colour = (
        """(input) => { input.value = '#123456'; input.dispatchEvent(new Event('change', {bubbles: true})); }"""
    )
    answered(page, page.get_by_label("fast", exact=True).check)  # the same labels: mini looks at the whole photo
    answered(page, lambda: page.get_by_label("Colour of striped").evaluate(set_colour))
    page.locator("#fs-download button").first.click()
    page.locator("#fs-formats").get_by_label("masks").check()
    page.locator("#fs-make").click()
    page.locator("#fs-files a").first.wait_for()
    with page.expect_download() as download:
        page.locator("#fs-files a", has_text=re.compile("B")).first.click()
    with zipfile.ZipFile(download.value.path()) as packed:
        names = packed.namelist()
        image = Image.open(BytesIO(packed.read("drawn-0.labels.png")))
    np.testing.assert_array_equal(np.asarray(image), library(drawn[0]).labels)
    palette = np.array(image.getpalette()).reshape(-1, 3)
    assert palette[library(drawn[0]).names.index("striped")].tolist() == [0x12, 0x34, 0x56]
    assert any(name.endswith(".mask.png") for name in names)
    page.locator("#fs-same button").first.click()
    command = page.locator("#fs-command .cm-content").inner_text()
    assert command.startswith("feedseg segment drawn-0.png --labels 'striped, dotted, bricks' --model mini")
    assert " --speed fast " in command
    assert "--colours striped=#123456" in command.replace("'", "")


def test_errors_are_said_above_the_result(opened: Opened, drawn: list[Path], tmp_path: Path, picture: Any) -> None:
    page = opened()
    alert = page.locator("#fs-told [role=alert]")
    page.locator("#fs-run").click()
    alert.wait_for()
    assert "give a photo first" in alert.inner_text()
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG no image")
    typed(page, "cat")
    upload(page, broken)
    page.get_by_text("broken.png").first.wait_for()
    assert "Traceback" not in page.inner_text("body")
    assert str(tmp_path) not in page.inner_text("body")
    assert answer_of(page) == ""


def test_a_photo_is_taken_with_the_camera(opened: Opened) -> None:
    page = opened(permissions=["camera"])
    use_mini(page)
    page.get_by_label("Capture from camera").click()
    page.get_by_text("Click to Access Webcam").click()
    page.wait_for_function("document.querySelector('#fs-photo video')?.videoWidth > 0")
    page.get_by_label("capture photo").click()
    page.get_by_text("Now type words").wait_for()
    answered(page, lambda: typed(page, WORDS))
    assert legend(page)


def test_two_people_do_not_mix(opened: Opened, drawn: list[Path]) -> None:
    first, second = opened(), opened()
    for page, path in ((first, drawn[0]), (second, drawn[1])):
        use_mini(page)
        upload(page, path)
        page.get_by_text("Now type words").wait_for()
    before = answer_of(first), answer_of(second)
    typed(first, "striped, dotted")
    typed(second, "bricks, dotted")
    for page, answer in ((first, before[0]), (second, before[1])):
        page.wait_for_function(f"({ANSWER}) !== {answer!r}")
    assert "striped" in first.inner_text("#fs-legend")
    assert "bricks" not in first.inner_text("#fs-legend")
    assert "bricks" in second.inner_text("#fs-legend")
    assert "striped" not in second.inner_text("#fs-legend")
    for page in (first, second):
        page.locator("#fs-same button").first.click()
    assert "drawn-0.png" in first.locator("#fs-command .cm-content").inner_text()
    assert "drawn-1.png" in second.locator("#fs-command .cm-content").inner_text()
    for page, other in ((first, "bricks"), (second, "striped")):
        page.mouse.click(*places(page, 0.3, 0.5))
        page.locator("#fs-patch img").nth(1).wait_for()
        assert other not in page.inner_text("#fs-patch")


def test_a_phone_shows_it_without_scrolling_sideways(opened: Opened, picture: Any) -> None:
    page = opened(420, 900, has_touch=True, is_mobile=True)
    chosen(page, 0)
    page.locator("#fs-advanced button").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 420
    assert page.locator(".fs-stage").bounding_box()["width"] > 350
    page.locator("#fs-advanced button").first.click()
    page.locator("#fs-told").scroll_into_view_if_needed()
    picture(page, "page-phone")


def test_typing_asks_for_nothing(opened: Opened) -> None:
    page = opened()
    chosen(page, 3)
    page.wait_for_timeout(500)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url))
    page.locator("#fs-words textarea, #fs-words input").press_sequentially("moon, lamp", delay=20)
    page.mouse.move(*places(page, 0.5, 0.5))
    page.mouse.move(*places(page, 0.6, 0.3))
    assert page.locator(".fs-tip").is_visible()
    page.wait_for_timeout(300)
    assert not [url for url in sent if not url.startswith("data:") and "heartbeat" not in url]
