r"""Fonts that have the characters of a name, and how a name is spelt without one.

Class names are of any script, and no font has all characters. DejaVu Sans, which comes
with matplotlib, is asked first, then every font of the machine. A character that none
of them has is spelt as its code, `\u732b`: a box or a question mark would make two
names look the same.
"""

import contextlib
import functools
import os
import unicodedata
from collections.abc import Iterable, Iterator
from typing import NamedTuple

# Other faces of a family; and fonts whose glyphs are boxes, or those of formulas.
_LEFT_OUT = ("bold", "ital", "obli", "lastresort", "stixnonuni", "stixsiz")
_BASE = "DejaVuSans.ttf"


class _Font(NamedTuple):
    """A font file.

    Attributes:
        path: The file.
        family: Name of the font's family.
        characters: Code points that the font has glyphs of.
    """

    path: str
    family: str
    characters: frozenset[int]


def spelt(text: str) -> str:
    r"""Returns a text as it can be drawn: NFC, without characters that no font has.

    Args:
        text: A name of any script.

    Returns:
        The text, one line. Characters without a glyph are spelt `\uXXXX`.
    """
    text = " ".join(unicodedata.normalize("NFC", text).split())
    return "".join(
        c if c.isprintable() and font_of(c) else c.encode("unicode_escape").decode()
        for c in text
    )


def runs(text: str) -> list[tuple[str, str]]:
    """Returns a spelt text as parts that one font can draw.

    Args:
        text: What `spelt` returned.

    Returns:
        Pairs of a part and the path of its font.
    """
    found: list[tuple[str, str]] = []
    for character in text:
        path = font_of(character) or _base().path
        # Marks and spaces stay with what is before them, where its font has them.
        joins = character == " " or unicodedata.category(character).startswith("M")
        if found and joins and ord(character) in _font(found[-1][1]).characters:
            path = found[-1][1]
        if found and found[-1][1] == path:
            found[-1] = found[-1][0] + character, path
        else:
            found.append((character, path))
    return found


@contextlib.contextmanager
def drawn_names(names: Iterable[str]) -> Iterator[list[str]]:
    """Sets matplotlib's fonts for a block that draws names.

    Args:
        names: Names of any script.

    Yields:
        The names as `spelt` gives them, without what matplotlib takes for mathematics.
    """
    import matplotlib
    from matplotlib import font_manager

    texts = [spelt(name) for name in names]
    families = [_base().family]
    for path in dict.fromkeys(path for text in texts for _, path in runs(text)):
        family = _font(path).family
        if family not in families:
            font_manager.fontManager.addfont(path)
            families.append(family)
    with matplotlib.rc_context({"font.family": families}):
        yield [text.replace("$", r"\$") for text in texts]


@functools.cache
def font_of(character: str) -> str | None:
    """Returns the path of a font that has a character; None where no font has it."""
    code = ord(character)
    if code in _base().characters:
        return _base().path
    families = {_base().family}
    for path in font_files():
        font = _font(path)
        # matplotlib asks for a family, and takes one face of it.
        if font.family not in families and code in font.characters:
            return path
        families.add(font.family)
    return None


@functools.cache
def font_files() -> tuple[str, ...]:
    """Returns the font files of matplotlib and of the machine, upright ones alone."""
    from matplotlib import font_manager

    own = os.path.dirname(_base().path)
    paths = {
        *(os.path.join(own, name) for name in os.listdir(own)),
        *font_manager.findSystemFonts(),
    }
    named = {path: os.path.basename(path).lower() for path in paths}
    upright = [
        path
        for path, name in named.items()
        if not any(style in name for style in _LEFT_OUT)
    ]
    return tuple(sorted(upright, key=lambda path: (named[path], path)))


@functools.cache
def _base() -> _Font:
    import matplotlib

    return _font(os.path.join(matplotlib.get_data_path(), "fonts", "ttf", _BASE))


@functools.cache
def _font(path: str) -> _Font:
    """Reads a font; one that cannot be drawn with has no characters."""
    from matplotlib.ft2font import FT2Font
    from PIL import ImageFont

    try:
        # Fonts of bitmaps, as those of coloured signs are, have no such size.
        ImageFont.truetype(path, 11)
        font = FT2Font(path)
        return _Font(path, font.family_name, frozenset(font.get_charmap()))
    except (OSError, RuntimeError, ValueError):
        return _Font(path, "", frozenset())
