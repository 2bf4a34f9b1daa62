import numpy as np
from PIL import Image, ImageDraw

from feedseg.io.writers.yolo import WRITER
from feedseg.labelmap import LabelMap


def test_lines_drawn_by_pillow_are_the_labels() -> None:
    """Drawn sixteen times as large and sampled in the middle of each pixel, so that edges do not matter."""
    labels = np.zeros((12, 20), int)
    labels[1:9, 2:12] = 1
    labels[3:6, 4:8] = 2  # a hole in the first class, and of it one hole more
    labels[4, 5] = 0
    labels[10, 15:] = 1
    result = LabelMap(labels=labels, names=("background", "cat", "dog"), background=True)
    lines = WRITER.encode(result).decode().splitlines()
    assert [line.split()[0] for line in lines] == ["0", "0", "1"]
    drawn = np.zeros(labels.shape, int)
    for line in lines:
        number, *values = line.split()
        assert all(0 <= float(value) <= 1 for value in values)
        corners = np.array(values, float).reshape(-1, 2) * (20 * 16, 12 * 16)
        canvas = Image.new("L", (20 * 16, 12 * 16))
        ImageDraw.Draw(canvas).polygon([(float(x), float(y)) for x, y in corners], fill=1)
        inside = np.asarray(canvas)[8::16, 8::16] > 0
        assert not drawn[inside].any()
        drawn[inside] = int(number) + 1
    np.testing.assert_array_equal(drawn, labels)


def test_without_a_background_the_first_class_is_0() -> None:
    result = LabelMap(labels=np.array([[0, 1]]), names=("sky", "sea"))
    assert WRITER.encode(result).decode() == (
        "0 0.000000 0.000000 0.500000 0.000000 0.500000 1.000000 0.000000 1.000000\n"
        "1 0.500000 0.000000 1.000000 0.000000 1.000000 1.000000 0.500000 1.000000\n"
    )
    assert WRITER.encode(LabelMap(labels=np.array([[0]]), names=("background", "a"), background=True)) == b""
