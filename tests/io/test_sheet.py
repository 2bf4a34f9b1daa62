import numpy as np
from PIL import Image

from feedseg.io.palette import far_apart
from feedseg.io.sheet import Entry, Panel, Sheet, draw_sheet, outlines, row_tops, tinted

COLOURS = np.concatenate([[(203, 203, 203)], far_apart(8)]).astype(np.uint8)


def test_colours_of_the_image_itself_do_not_show() -> None:
    """What is red and what is as light a grey are drawn alike."""
    red = np.full((4, 6, 3), (200, 30, 40), np.uint8)
    grey = np.repeat(np.array(Image.fromarray(red).convert("L"))[..., None], 3, axis=2)
    labels = np.repeat(np.array([[0, 0, 1, 1, 2, 2]]), 4, axis=0)
    drawn = [np.array(tinted(image, labels, COLOURS)) for image in (red, grey)]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert np.ptp(drawn[0][0, 0]) == 0  # the background has no colour
    assert len(np.unique(drawn[0][0, [1, 3, 5]], axis=0)) == 3


def sheet_of(notes: list[list[Entry]], footnote: str = "the end") -> Sheet:
    panel = Panel(Image.new("RGB", (120, 50), (10, 200, 30)), notes)
    return Sheet("title", ["text"], [Entry("a", (255, 0, 0))], [("one", "x"), ("two", "y")], [[panel, panel]], footnote)


def test_sheets_grow_with_what_is_written() -> None:
    short = draw_sheet(sheet_of([[Entry("note")]]))
    assert short.width == 2 * 36 + 2 * 120 + 20
    assert draw_sheet(sheet_of([[Entry("note")], [Entry("another")]])).height > short.height
    assert draw_sheet(sheet_of([[Entry("many words that do not fit the width")]])).height > short.height
    assert draw_sheet(sheet_of([[Entry("note")]], "as many words " * 9)).height > short.height


def test_nothing_is_written_over_the_images_or_past_the_edge() -> None:
    swatches = [Entry(f"class {number}", (0, 0, 255)) for number in range(9)]
    page = np.array(draw_sheet(sheet_of([swatches, [Entry("words of a note " * 4)]])))
    green = (page == (10, 200, 30)).all(axis=-1)
    assert green.sum() == 2 * 120 * 50  # both images are whole
    assert (page[:, -20:] == 255).all()
    assert (page[-20:] == 255).all()
    assert (page == (0, 0, 255)).all(axis=-1).any()


def test_every_image_lies_where_its_row_begins() -> None:
    sheet = sheet_of([[Entry("note")]])
    page = np.array(draw_sheet(sheet))
    rows = np.flatnonzero((page == (10, 200, 30)).all(axis=-1).any(axis=1))
    top, bottom = row_tops(sheet)
    assert (rows[0], rows[-1]) == (top, top + 49)
    assert bottom > rows[-1]


def test_outlines_are_where_the_upper_or_left_neighbour_differs() -> None:
    labels = np.array([[0, 0, 1], [0, 2, 1]])
    assert outlines(labels).tolist() == [[False, False, True], [False, True, True]]
