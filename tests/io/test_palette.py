import numpy as np
import pytest

from feedseg.io.palette import palette

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
