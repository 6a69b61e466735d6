"""Names of any script in pictures: no box, no question mark, no missing glyph."""

import unicodedata

import matplotlib
import numpy as np
import pytest
from PIL import Image, ImageDraw

from hdd_tf.artifacts.drawing import fonts
from hdd_tf.artifacts.drawing.confusion_picture import confusion_picture
from hdd_tf.artifacts.drawing.drawn_text import draw_line, text_width
from hdd_tf.evaluation.scorers.class_scores import ClassCounts

# In matplotlib's fonts, and not in the first that is asked.
ELSEWHERE = "\N{LATIN SMALL LETTER D WITH PALATAL HOOK}"


@pytest.fixture
def bundled(monkeypatch):
    """Only the fonts that come with matplotlib, as on a machine without any."""
    from matplotlib import font_manager

    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [])
    for cached in (fonts.font_files, fonts.font_of):
        cached.cache_clear()
    yield
    for cached in (fonts.font_files, fonts.font_of):
        cached.cache_clear()


@pytest.mark.parametrize("name", [
    "žluťoučký kůň", "Ελληνικά", "Кошка", "العربية", "עברית", "ქართული", ELSEWHERE,
])  # fmt: skip
def test_names_keep_their_letters_where_a_font_has_them(bundled, name):
    assert fonts.spelt(name) == name
    # The same letters written in two characters are the same name.
    assert fonts.spelt(unicodedata.normalize("NFD", name)) == name


@pytest.mark.parametrize(("name", "drawn"), [
    ("猫", r"\u732b"), ("cat 猫", r"cat \u732b"), ("한", r"\ud55c"),
    ("\U00020000", r"\U00020000"), ("a\x1b[2J", r"a\x1b[2J"), ("a\nb\tc", "a b c"),
])  # fmt: skip
def test_what_no_font_has_is_spelt(bundled, name, drawn):
    assert fonts.spelt(name) == drawn


def test_each_part_is_drawn_with_a_font_that_has_it(bundled):
    (_, first), (part, other), (_, last) = fonts.runs(f"a{ELSEWHERE}ž")
    assert part == ELSEWHERE and first == last != other
    pixels = []
    for text in ("aa", f"a{ELSEWHERE}"):
        picture = Image.new("RGB", (text_width(text) + 4, 16), (255, 255, 255))
        draw_line(ImageDraw.Draw(picture), 2, 8, text)
        pixels.append(np.asarray(picture)[:, 8:])
        assert (pixels[-1] < 128).any()
    # No glyph of that font stands for all that are missing.
    assert pixels[0].shape != pixels[1].shape or (pixels[0] != pixels[1]).any()


def test_matplotlib_is_given_the_fonts(bundled, recwarn):
    names = [f"a{ELSEWHERE}", "猫", "$x$"]
    score = {"values": [50.0]}
    score |= ClassCounts.of(np.arange(3), np.array([0, 2, 2]), 3).to_json()
    before = list(matplotlib.rcParams["font.family"])
    with fonts.drawn_names(names) as texts:
        assert texts == [names[0], r"\u732b", r"\$x\$"]
        assert len(matplotlib.rcParams["font.family"]) == 2
    assert list(matplotlib.rcParams["font.family"]) == before
    drawn = confusion_picture(score, names, "title")
    assert drawn is not None and drawn.startswith(b"\x89PNG")
    assert not [w for w in recwarn if "missing from font" in str(w.message)]
    assert confusion_picture({"values": [50.0]}, names, "title") is None
