"""Text in pictures that Pillow draws: names of any script, and titles in lines."""

import collections
import functools
import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hdd_tf.artifacts.drawing.fonts import runs, spelt

_POINTS = 11
# Pixels of a line of text, with its gap.
LINE = 14
# Characters of a name, and of a name of which some are spelt as their codes.
_LONGEST, _LONGEST_SPELT = 16, 32


def short_names(names: Sequence[str]) -> list[str]:
    """Returns names as pictures have room for them.

    Args:
        names: Names of any script.

    Returns:
        The names as they can be drawn (`fonts.spelt`). Long ones are cut: at the end,
        or in the middle, where two different names would look the same.
    """
    cut = [_cut(name, _LONGEST - 1, 0) for name in names]
    same = {text for text, count in collections.Counter(cut).items() if count > 1}
    half = _LONGEST // 2
    return [
        _cut(name, half - 1, half) if text in same else text
        for name, text in zip(names, cut, strict=True)
    ]


def text_width(text: str) -> int:
    """Returns the width of a spelt text in pixels."""
    return math.ceil(sum(_font(path).getlength(part) for part, path in runs(text)))


def draw_line(draw: ImageDraw.ImageDraw, left: int, middle: int, text: str) -> None:
    """Draws a spelt text in black.

    Args:
        draw: Of the picture to draw into.
        left: Where it begins, in pixels.
        middle: Its middle from above, in pixels.
        text: The text, one line.
    """
    place = float(left)
    for part, path in runs(text):
        font = _font(path)
        draw.text((place, middle), part, fill=(0, 0, 0), font=font, anchor="lm")
        place += font.getlength(part)


def title_strip(title: str, width: int) -> np.ndarray:
    """Returns a title as a white picture, broken at spaces where it is too long.

    Args:
        title: The title, with names of any script.
        width: Width of the strip in pixels; a longer word is cut off.

    Returns:
        `[lines * LINE, width, 3]` uint8.
    """
    lines: list[str] = []
    for word in spelt(title).split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer) <= width - 4:
            lines[-1] = longer
        else:
            lines.append(word)
    picture = Image.new("RGB", (width, LINE * len(lines)), (255, 255, 255))
    draw = ImageDraw.Draw(picture)
    for number, line in enumerate(lines):
        draw_line(draw, 2, number * LINE + LINE // 2, line)
    return np.asarray(picture)


def _cut(name: str, head: int, tail: int) -> str:
    """Returns a name as it is drawn, or its first and last characters."""
    name = " ".join(name.split())
    whole = spelt(name)
    if len(name) <= _LONGEST and len(whole) <= _LONGEST_SPELT:
        return whole
    while head + tail > 1 and (
        len(spelt(name[:head])) + len(spelt(name[len(name) - tail :])) > _LONGEST_SPELT
    ):
        head, tail = head - (head >= tail), tail - (tail > head)
    return f"{spelt(name[:head])}~{spelt(name[len(name) - tail :])}"


@functools.cache
def _font(path: str) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, _POINTS)
