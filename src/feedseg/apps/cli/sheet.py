"""Until every room imports `feedseg.io.sheet`; it goes when the rooms are merged."""

from feedseg.io.sheet import GREY, Colour, Entry, Panel, Sheet, draw_sheet, outlines, tinted

__all__ = ["GREY", "Colour", "Entry", "Panel", "Sheet", "draw_sheet", "outlines", "tinted"]
