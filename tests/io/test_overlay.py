from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw

from feedseg.io import overlay as drawing
from feedseg.io.overlay import class_areas, overlay, palette

GREY = np.full((3,), 0x8C, np.uint8)
# Not the package's simulation, but the older one of Viénot, Brettel and Mollon (1999), for linear RGB.
EYES = {
    "normal": np.eye(3),
    "protan": np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]]),
    "deutan": np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]]),
    "tritan": np.array([[1, 0.14461, -0.14461], [0, 0.85924, 0.14076], [0, 0.85924, 0.14076]]),
}
OKABE_ITO = ["000000", "E69F00", "56B4E9", "009E73", "F0E442", "0072B2", "D55E00", "CC79A7"]


def nearest_pair(colours: np.ndarray, eye: np.ndarray) -> float:
    """The smallest CIE 1976 colour difference between any two sRGB colours, as the eye sees them."""
    values = np.asarray(colours) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ eye.T, 0, 1)
    xyz = linear @ np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]).T
    xyz /= np.array([0.9505, 1, 1.089])
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116).T
    lab = np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)
    distances = np.linalg.norm(lab[:, None] - lab, axis=-1)
    return float(distances[np.triu_indices(len(lab), 1)].min())


@pytest.mark.parametrize("eye", EYES)
def test_the_first_colours_are_far_apart_to_every_eye(eye: str) -> None:
    # 2.3 is just noticeable. The reference for colour-blind-safe palettes comes to 10 to the worst of these eyes, the
    # first eight of the "Tableau" palette, which is not made for them, to 5.
    assert nearest_pair(palette(8, background=False), EYES[eye]) > 15
    assert nearest_pair(palette(20, background=False), EYES[eye]) > (16 if eye == "normal" else 5)


def test_the_first_eight_beat_okabe_and_ito() -> None:
    reference = np.array([tuple(bytes.fromhex(colour)) for colour in OKABE_ITO])
    ours, theirs = (min(nearest_pair(p, eye) for eye in EYES.values()) for p in (palette(8, False), reference))
    assert ours > theirs > 10


@pytest.mark.parametrize("background", [False, True])
def test_palettes_are_prefixes_of_one_another(background: bool) -> None:
    longest = palette(300, background)
    assert (longest.shape, longest.dtype) == ((300, 3), np.uint8)
    assert len(np.unique(longest, axis=0)) == 300
    for classes in (0, 1, 2, 9, 11, 12, 21, 150):
        np.testing.assert_array_equal(palette(classes, background), longest[:classes])


def test_the_background_is_grey_and_moves_the_others_by_one() -> None:
    np.testing.assert_array_equal(palette(30, True)[0], GREY)
    np.testing.assert_array_equal(palette(30, True)[1:], palette(29, False))
    chroma = np.ptp(palette(256, False).astype(int), axis=1)
    assert chroma.min() > 40, "a foreground colour is nearly grey"


def test_the_largest_palette() -> None:
    colours = palette(1 << 16, True)
    assert (len(colours), len(np.unique(colours, axis=0))) == (1 << 16, 1 + 1024)


@pytest.mark.parametrize("classes", [5, 300])
def test_class_areas(classes: int) -> None:
    labels = np.random.default_rng(0).integers(0, classes - 1, (37, 53)).astype(np.uint16)
    assert class_areas(labels, classes).tolist() == [int((labels == index).sum()) for index in range(classes)]


def flooded(labels: np.ndarray) -> np.ndarray:
    """Every pixel's region by Pillow's flood fill, named by its first pixel. For labels below 3."""
    image = Image.fromarray(labels.astype(np.int32))
    for y, x in np.ndindex(*labels.shape):
        if np.asarray(image)[y, x] < 3:
            ImageDraw.floodfill(image, (x, y), 3 + y * labels.shape[1] + x)
    return np.asarray(image) - 3


def winding(size: int) -> np.ndarray:
    """Two regions one pixel wide that wind through the picture, the hardest to find in one piece."""
    labels = np.zeros((size, size), int)
    labels[::2] = labels[1::4, -1] = labels[3::4, 0] = 1
    return labels


def maps() -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    noise = [rng.integers(0, 3, shape) for shape in [(1, 1), (1, 9), (9, 1), (14, 11), (30, 30)]]
    blocks = [rng.integers(0, 3, (5, 4)).repeat(7, axis=0).repeat(6, axis=1), np.zeros((20, 33), int)]
    diamond = np.add.outer(np.abs(np.arange(-20, 21)), np.abs(np.arange(-25, 26))) < 20
    return [*noise, *blocks, diamond.astype(int), winding(25)]


@pytest.mark.parametrize("labels", maps(), ids=lambda m: f"{m.shape[0]}x{m.shape[1]}")
def test_regions_are_those_of_a_flood_fill_and_depths_nearly_the_distances(labels: np.ndarray) -> None:
    regions, depths = drawing._regions(labels)
    expected = flooded(labels)
    np.testing.assert_array_equal(regions, expected)
    ringed = np.pad(expected, 1, constant_values=-1)
    for (y, x), depth in np.ndenumerate(depths):
        distance = np.linalg.norm(np.argwhere(ringed != expected[y, x]) - (y + 1, x + 1), axis=1).min()
        assert depth + 1 == pytest.approx(distance, rel=0.1, abs=1)


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


def box_of(picture: np.ndarray, colour: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of all pixels of exactly one colour."""
    ys, xs = np.nonzero((picture == colour).all(axis=-1))
    return int(xs.min()), int(ys.min()), int(xs.max()), int(ys.max())


def test_the_background_keeps_little_of_its_colour() -> None:
    picture = np.full((700, 700, 3), (200, 100, 50), np.uint8)
    red, green, blue = np.asarray(overlay(picture, np.zeros((700, 700), np.uint8), ["background"], True))[50, 50]
    assert 200 > red > green > blue > red - 75


@pytest.mark.parametrize(("size", "drawn_size"), [(100, 700), (900, 900), (1900, 1600)])
def test_labels_lie_on_what_they_label(size: int, drawn_size: int) -> None:
    labels = np.zeros((size, size), np.uint8)
    labels[size // 5 :, size * 3 // 5 :] = 1
    picture = np.where(labels, 255, 0).astype(np.uint8)[..., None].repeat(3, axis=-1)
    image = np.asarray(overlay(picture, labels, ["background", "thing"], True))
    for y, x, inside in [(0.19, 0.8, False), (0.21, 0.8, True), (0.9, 0.59, False), (0.9, 0.61, True)]:
        seen = image[round(y * drawn_size), round(x * drawn_size)]
        expected = 0.55 * palette(2, True)[1] + 0.45 * 255 if inside else 0.35 * np.full(3, 72)
        np.testing.assert_allclose(seen, expected, atol=3)


@pytest.mark.parametrize("grey", [0, 128, 255])
@pytest.mark.parametrize("size", [700, 1500])
def test_outlines_show_on_every_photograph(grey: int, size: int) -> None:
    labels = np.zeros((size, size), np.uint8)
    labels[:, size // 2 :] = 1
    row = drawn(labels, ["left", "right"], grey=grey)[size // 5].astype(int)
    line = row[size // 2 - 4 : size // 2 + 5].mean(axis=1)
    beside = row[[size // 2 - 30, size // 2 + 30]].mean(axis=1)
    assert max(line.max() - beside.max(), beside.min() - line.min()) > 60
    assert line.max() - line.min() > 100
    far = np.r_[0 : size // 2 - 5, size // 2 + 6 : size]
    assert len(np.unique(row[far], axis=0)) == 2, "nothing but the two tints elsewhere"


def test_outlines_do_not_hide_a_restless_map() -> None:
    labels = np.random.default_rng(3).integers(0, 2, (700, 700))
    seen = drawn(labels, ["a", "b"], grey=0)[:700].mean(axis=(0, 1))
    np.testing.assert_allclose(seen, 0.55 * palette(2, False).mean(axis=0), atol=3)


def test_a_name_stands_well_inside_its_region_even_if_the_middle_is_not() -> None:
    labels = np.zeros((800, 800), np.uint8)
    labels[100:700, 100:700] = 1
    labels[100:550, 220:700] = 0  # an L, whose centre of mass lies outside
    image = drawn(labels, ["background", "thing"], True)[:800]
    left, top, right, bottom = box_of(image, palette(2, True)[1])
    assert labels[top : bottom + 1, left : right + 1].all()
    assert 600 < (top + bottom) / 2 < 650
    assert not (image == GREY).all(axis=-1).any(), "the background is not named"


def test_every_part_of_a_class_is_named_but_not_what_is_too_small(written: Written) -> None:
    labels = np.zeros((700, 1000), np.uint8)
    labels[50:200, 50:300] = labels[450:650, 600:900] = 1
    labels[300:308, 50:900] = 2
    drawn(labels, ["background", "part", "thread"], True)
    assert [text for text, _ in written].count("part") == 2 + 1
    assert [text for text, _ in written].count("thread") == 0 + 1


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
        "2 others not found",
    ]
    colours = palette(7, False)
    swatches = [box_of(image[700:], colours[index])[:2] for index in (4, 1, 3, 2, 0)]
    assert swatches == sorted(swatches), "down the columns"


def test_one_other_and_none(written: Written) -> None:
    drawn(np.zeros((64, 64), np.uint8), ["a", "b"])
    drawn(np.zeros((64, 64), np.uint8), ["a"])
    assert [text for text, _ in written] == ["a", "a", "100.0%", "1 other not found", "a", "a", "100.0%"]


NAMES = ["background", "cat", "a name that is far longer than any picture is wide " * 3, *map(str, range(168))]


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
    monkeypatch.setattr(drawing, "_FONTS", ("no-such-font.ttf",))
    labels = np.zeros((100, 100), np.uint8)
    labels[50:] = 1
    drawn(labels, ["猫", "big\n dog"])
    assert [text for text, _ in written] == ["#0", "big dog", "#0", "50.0%", "big dog", "50.0%"]


@pytest.mark.skipif(drawing._system_font("DejaVuSans.ttf", 20) is None, reason="the system has no DejaVu")
def test_characters_of_a_system_font_are_written(written: Written) -> None:
    drawn(np.zeros((100, 100), np.uint8), ["кошка"])
    assert [text for text, _ in written] == ["кошка", "кошка", "100.0%"]


def test_the_input_stays_as_it_is_however_it_lies_in_memory() -> None:
    rng = np.random.default_rng(2)
    picture = rng.integers(0, 256, (1400, 1300, 3)).astype(np.uint8)
    labels = np.zeros((1400, 1300), np.uint8)
    labels[300:, 200:900] = 1
    picture.flags.writeable = labels.flags.writeable = False
    picture, labels = picture[::2, ::-2], labels[::2, ::-2]
    strided, packed = overlay(picture, labels, "ab", True), overlay(picture.copy(), labels.copy(), "ab", True)
    assert strided.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(strided), np.asarray(packed))
