from collections.abc import Callable

import numpy as np
import pytest
from PIL import ImageDraw

from feedseg.io import fonts
from feedseg.io.overlay import overlay
from feedseg.io.palette import class_colours

GREY = np.full((3,), 0x8C, np.uint8)
THING = ["background", "thing"]

Written = list[tuple[str, tuple[float, float, float, float]]]


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Written:
    """Every text that is written, and the box it takes."""
    texts: Written = []
    original: Callable[..., None] = ImageDraw.ImageDraw.text

    def text(self: ImageDraw.ImageDraw, xy, text, fill, font, anchor) -> None:
        texts.append((text, self.textbbox(xy, text, font, anchor)))
        original(self, xy, text, fill, font, anchor)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", text)
    return texts


def drawn(labels: np.ndarray, names: list[str], background: bool = False, grey: int = 120) -> np.ndarray:
    return np.asarray(overlay(np.full((*labels.shape, 3), grey, np.uint8), labels, names, background))


def box_of(image: np.ndarray, colour: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of all pixels of exactly one colour."""
    ys, xs = np.nonzero((image == colour).all(axis=-1))
    return int(xs.min()), int(ys.min()), int(xs.max()), int(ys.max())


def test_the_background_keeps_little_of_its_colour() -> None:
    image = np.full((700, 700, 3), (200, 100, 50), np.uint8)
    red, green, blue = np.asarray(overlay(image, np.zeros((700, 700), np.uint8), ["background"], True))[50, 50]
    assert 200 > red > green > blue > red - 75


@pytest.mark.parametrize(("size", "drawn_size"), [(100, 700), (900, 900), (1900, 1600)])
def test_labels_lie_on_what_they_label(size: int, drawn_size: int) -> None:
    labels = np.zeros((size, size), np.uint8)
    labels[size // 5 :, size * 3 // 5 :] = 1
    photograph = np.where(labels, 255, 0).astype(np.uint8)[..., None].repeat(3, axis=-1)
    image = np.asarray(overlay(photograph, labels, THING, True))
    for y, x, inside in [(0.19, 0.8, False), (0.21, 0.8, True), (0.9, 0.59, False), (0.9, 0.61, True)]:
        seen = image[round(y * drawn_size), round(x * drawn_size)]
        expected = 0.55 * class_colours(THING, True)[1] + 0.45 * 255 if inside else 0.35 * np.full(3, 72)
        np.testing.assert_allclose(seen, expected, atol=3)


@pytest.mark.parametrize("grey", [0, 128, 255])
@pytest.mark.parametrize("size", [700, 1500])
def test_outlines_show_on_every_photograph(grey: int, size: int) -> None:
    labels = np.zeros((size, size), np.uint8)
    labels[:, size // 2 :] = 1
    row = drawn(labels, ["dog", "sky"], grey=grey)[size // 5].astype(int)
    line = row[size // 2 - 4 : size // 2 + 5].mean(axis=1)
    beside = row[[size // 2 - 30, size // 2 + 30]].mean(axis=1)
    assert max(line.max() - beside.max(), beside.min() - line.min()) > 60
    assert line.max() - line.min() > 100
    far = np.r_[0 : size // 2 - 5, size // 2 + 6 : size]
    assert len(np.unique(row[far], axis=0)) == 2, "nothing but the two tints elsewhere"


def test_outlines_do_not_hide_a_restless_map() -> None:
    labels = np.random.default_rng(3).integers(0, 2, (700, 700))
    seen = drawn(labels, ["dog", "sky"], grey=0)[:700].mean(axis=(0, 1))
    np.testing.assert_allclose(seen, 0.55 * class_colours(["dog", "sky"], False).mean(axis=0), atol=3)


def test_a_name_stands_well_inside_its_region_even_if_the_middle_is_not() -> None:
    labels = np.zeros((800, 800), np.uint8)
    labels[100:700, 100:700] = 1
    labels[100:550, 220:700] = 0  # an L, whose centre of mass lies outside
    image = drawn(labels, THING, True)[:800]
    left, top, right, bottom = box_of(image, class_colours(THING, True)[1])
    assert labels[top : bottom + 1, left : right + 1].all()
    assert 600 < (top + bottom) / 2 < 650
    assert not (image == GREY).all(axis=-1).any(), "the background is not named"


def inside(written: Written, size: tuple[int, int]) -> list[tuple[str, tuple[float, float, float, float]]]:
    """What is written on the image, and not in the legend below."""
    return [(text, box) for text, box in written if box[3] <= size[0] and box[2] <= size[1]]


def test_every_part_of_a_class_is_named_but_not_what_is_too_small(written: Written) -> None:
    labels = np.zeros((700, 1000), np.uint8)
    labels[50:200, 50:300] = labels[450:650, 600:900] = 1
    labels[300:304, 50:100] = 2
    drawn(labels, ["background", "part", "thread"], True)
    texts = [text for text, _ in inside(written, (700, 1000))]
    assert texts == ["part", "part"]


@pytest.mark.parametrize("size", [20, 32, 45])
def test_a_small_object_is_named_beside_and_not_on_itself(written: Written, size: int) -> None:
    labels = np.zeros((700, 1000), np.uint8)
    labels[300 : 300 + size, 400 : 400 + size] = 1
    image = drawn(labels, ["background", "buoy"], True)
    ((text, (left, top, right, bottom)),) = inside(written, (700, 1000))
    assert text == "buoy"
    assert left > 400 + size or right < 400 or top > 300 + size or bottom < 300, "the name is on it"
    assert max(300 - bottom, top - 300 - size, 400 - right, left - 400 - size) < 30, "the name is far away"
    covered = (np.abs(image[300 : 300 + size, 400 : 400 + size].astype(int) - image[310, 402]) > 20).any(axis=-1)
    assert covered[2:-2, 2:-2].mean() < 0.25, "the line's end hides it"
    anchor = image[300 + size // 2 - 4 : 300 + size // 2 + 5, 400 + size // 2 - 4 : 400 + size // 2 + 5]
    assert (anchor > 250).all(axis=-1).any(), "a line leads to it"


def test_a_name_hides_little_of_any_region(written: Written) -> None:
    """Regions of every size, and no name on more than a fifth of one."""
    rng = np.random.default_rng(4)
    labels = np.zeros((900, 1200), np.uint8)
    for number in range(1, 30):
        high, wide = rng.integers(15, 200, 2)
        top, left = rng.integers(0, 900 - high), rng.integers(0, 1200 - wide)
        labels[top : top + high, left : left + wide] = number
    names = ["background", *(f"thing {number}" for number in range(1, 30))]
    drawn(labels, names, True)
    boxes = inside(written, (900, 1200))
    assert len(boxes) > 12
    for text, (left, top, right, bottom) in boxes:
        hidden = labels[int(top) : int(bottom), int(left) : int(right)]
        own = (labels == names.index(text)).sum()
        assert (hidden == names.index(text)).sum() <= 0.25 * own, text


def test_only_so_many_names_stand_beside(written: Written) -> None:
    labels = np.zeros((900, 1200), np.uint8)
    for number in range(1, 61):
        y, x = 20 + number // 10 * 130, 40 + number % 10 * 115
        labels[y : y + 20, x : x + 20] = number
    drawn(labels, ["background", *map(str, range(1, 61))], True)
    assert 0 < len(inside(written, (900, 1200))) <= 12


def test_names_do_not_cover_one_another(written: Written) -> None:
    labels = np.arange(2 * 24).reshape(2, 24).repeat(300, axis=0).repeat(40, axis=1).astype(np.uint8)
    drawn(labels, [f"a rather long name {index}" for index in range(48)])
    boxes = [box for _, box in written if box[3] < 600]
    assert len(boxes) > 4
    for index, (left, top, right, bottom) in enumerate(boxes):
        for x0, y0, x1, y1 in boxes[:index]:
            assert left >= x1 or x0 >= right or top >= y1 or y0 >= bottom


def test_the_legend_lists_what_occurs_by_share(written: Written) -> None:
    labels = np.full((100, 100), 4, np.uint16)  # drawn at 700 x 700
    labels[:30] = 1
    labels[30:40] = 3
    labels[40, :4] = 2
    labels[40, 4:7] = 0
    image = drawn(labels, ["dot", "cat", "dash", "dog", "sky", "sea", "bus"])
    legend = [text for text, (_, top, _, _) in written if top > 700]
    assert legend == [
        "sky",
        "59.9%",
        "cat",
        "30.0%",
        "dog",
        "10.0%",
        "dash",
        "<0.1%",
        "dot",
        "<0.1%",
        "not found: ",
        "sea",
        ", ",
        "bus",
    ]
    names = ["dot", "cat", "dash", "dog", "sky", "sea", "bus"]
    colours = class_colours(names, False)
    swatches = [box_of(image[700:], colours[index])[:2] for index in (4, 1, 3, 2, 0)]
    assert swatches == sorted(swatches), "down the columns"


def test_nothing_is_said_where_all_was_found(written: Written) -> None:
    drawn(np.zeros((64, 64), np.uint8), ["a"])
    assert [text for text, _ in written] == ["a", "a", "100.0%"]


@pytest.mark.parametrize("shape", [(500, 800), (900, 300)])
@pytest.mark.parametrize("missing", [1, 2, 7, 30, 170, 900])
def test_what_was_not_found_is_named_or_counted(shape: tuple[int, int], missing: int, written: Written) -> None:
    names = ["here", *(f"class {number}" for number in range(missing))]
    drawn(np.zeros(shape, np.uint16), names)
    note = "".join(text for text, _ in written[3:])
    assert note.startswith("not found: class 0")
    named = note.count("class")
    assert note.endswith(f"and {missing - named} more" if named < missing else f"class {missing - 1}")
    assert named >= min(missing, 6)


def test_classes_that_are_alike_have_patterns_in_the_picture_and_in_the_legend() -> None:
    labels = np.zeros((700, 700), np.uint8)
    labels[:, 500:] = 1
    image = np.full((700, 700, 3), 120, np.uint8)
    colours = np.array([[200, 40, 40], [203, 40, 40]], np.uint8)
    drawn = np.asarray(overlay(image, labels, ["red", "crimson"], False, colours))
    restless = np.ptp(drawn[20:300].astype(int), axis=0).max(axis=-1)
    assert restless[20:480].max() < 3
    assert np.median(restless[520:680]) > 60
    rows, columns = np.nonzero((drawn[700:] == colours[1]).all(axis=-1))
    swatch = drawn[700 + rows.min() : 700 + rows.max() + 1, columns.min() : columns.max() + 1]
    assert 0.3 < (swatch == colours[1]).all(axis=-1).mean() < 0.9


def test_a_background_needs_no_pattern_and_takes_none_away() -> None:
    labels = np.zeros((700, 700), np.uint8)
    labels[200:] = 1
    colours = np.array([[140, 140, 140], [140, 140, 140]], np.uint8)
    image = np.full((700, 700, 3), 120, np.uint8)
    drawn = np.asarray(overlay(image, labels, ["background", "grey"], True, colours)).astype(int)
    assert np.ptp(drawn[500:650, 20:600], axis=0).max() < 3


def test_without_a_legend_and_smaller() -> None:
    image, labels = np.zeros((900, 1200, 3), np.uint8), np.zeros((900, 1200), np.uint8)
    assert overlay(image, labels, ["a", "b"], legend=False).size == (1200, 900)
    assert overlay(image, labels, ["a"], legend=False, longest=640).size == (640, 480)
    assert overlay(image[:300, :500], labels[:300, :500], ["a"], legend=False, longest=640).size == (500, 300)
    assert overlay(image[:30, :40], labels[:30, :40], ["a"], legend=False, longest=640).size == (640, 480)


NAMES = ["background", "cat", "a name that is far longer than any image is wide " * 3, *map(str, range(168))]


@pytest.mark.parametrize(
    ("size", "drawn_size"),  # heights and widths
    [
        *(((1, 1), (640, 640)), ((8, 8), (640, 640)), ((375, 500), (750, 1000)), ((640, 300), (640, 300))),
        *(((900, 1), (900, 1)), ((1, 900), (1, 900)), ((3000, 90), (1600, 48)), ((90, 3000), (48, 1600))),
        ((1100, 1650), (1067, 1600)),
    ],
)
def test_every_size_is_drawn_and_nothing_sticks_out(
    size: tuple[int, int], drawn_size: tuple[int, int], written: Written
) -> None:
    rows, columns = (np.arange(n) * 5 // n for n in size)
    sheet = drawn((rows[:, None] * 5 + columns).astype(np.uint8), NAMES)
    high, wide = drawn_size
    if high > 2 * wide:
        assert sheet.shape[0] == high
        assert sheet.shape[1] > wide
    else:
        assert sheet.shape[1] == wide
        assert (sheet[high:][-8:] == 255).all()
    for text, (left, top, right, bottom) in written:
        assert 0 <= left < right <= sheet.shape[1], text
        assert 0 <= top < bottom <= sheet.shape[0], text
        assert bottom <= high or top >= high or left >= wide, text


def test_many_classes_and_long_names_fit_into_columns(written: Written) -> None:
    labels = np.arange(171).repeat(40).reshape(60, 114).astype(np.uint8)
    names = [f"class number {index} which has a name of some length" for index in range(171)]
    sheet = drawn(labels, names)
    assert sheet.shape[1] == 114 * 6
    named = [box for text, box in written if box[1] > 360 and not text.endswith("%")]
    assert len(named) == 171
    assert len({round(box[0] / 10) for box in named}) == 2, "two columns"


def test_characters_without_a_font_become_the_index(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "SYSTEM_FONTS", ("no-such-font.ttf",))
    labels = np.zeros((100, 100), np.uint8)
    labels[50:] = 1
    drawn(labels, ["猫", "big\n dog"])
    assert [text for text, _ in written] == ["#0", "big dog", "#0", "50.0%", "big dog", "50.0%"]


@pytest.mark.skipif(fonts.system_font("DejaVuSans.ttf", 20) is None, reason="the system has no DejaVu")
def test_characters_of_a_system_font_are_written(written: Written) -> None:
    drawn(np.zeros((100, 100), np.uint8), ["кошка"])
    assert [text for text, _ in written] == ["кошка", "кошка", "100.0%"]


def test_the_input_stays_as_it_is_however_it_lies_in_memory() -> None:
    rng = np.random.default_rng(2)
    image = rng.integers(0, 256, (1400, 1300, 3)).astype(np.uint8)
    labels = np.zeros((1400, 1300), np.uint8)
    labels[300:, 200:900] = 1
    image.flags.writeable = labels.flags.writeable = False
    image, labels = image[::2, ::-2], labels[::2, ::-2]
    strided, packed = overlay(image, labels, "ab", True), overlay(image.copy(), labels.copy(), "ab", True)
    assert strided.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(strided), np.asarray(packed))
