"""Elements of the page. Texts become text: nothing that a run says becomes markup.

The elements are those of the standard library's ElementTree, which escapes all text and
all attributes when it writes them.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from hdd_tf.errors import one_line

_BOLD = re.compile(r"\*\*(.+?)\*\*")
_CODE = re.compile(r"`([^`]*)`")
# Alignment of a column, and what its cells are for the style.
_KINDS = {"right": "number", "left": "words"}


def element(tag: str, *children: str | Element, **attributes: str) -> Element:
    """Makes an element.

    Args:
        tag: Name of the element.
        *children: Texts, of whatever characters, and elements.
        **attributes: Texts by name; `kind` stands for `class`.
    """
    made = Element(tag)
    for name, value in attributes.items():
        made.set("class" if name == "kind" else name, one_line(value))
    for child in children:
        add(made, child)
    return made


def add(parent: Element, child: str | Element) -> None:
    """Adds a text or an element at the end of an element."""
    if isinstance(child, Element):
        parent.append(child)
    elif len(parent):
        parent[-1].tail = (parent[-1].tail or "") + _printable(child)
    else:
        parent.text = (parent.text or "") + _printable(child)


def html(document: Element) -> str:
    """Returns a whole document as text."""
    made = ElementTree.tostring(document, encoding="unicode", method="html")
    return f"<!DOCTYPE html>\n{made}\n"


def of_markdown(tag: str, text: str, **attributes: str) -> Element:
    """Makes an element of a text of this program in Markdown, which may be bold."""
    made = element(tag, **attributes)
    for number, part in enumerate(_BOLD.split(" ".join(text.split()))):
        add(made, element("strong", part) if number % 2 else part)
    return made


def image(data: bytes, media: str, alt: str, **attributes: str) -> Element:
    """Makes a picture that the page itself holds.

    Args:
        data: Contents of its file.
        media: its type, such as `image/png`.
        alt: What it shows, for those who do not see it.
        **attributes: As in `element`.
    """
    made = element("img", alt=alt, **attributes)
    made.set("src", f"data:{media};base64,{base64.b64encode(data).decode('ascii')}")
    return made


def chart(data: bytes, media: str, alt: str, caption: str) -> Element:
    """Makes a figure of a black-on-white drawing with its caption."""
    drawn = image(data, media, alt, kind="chart")
    return element("figure", drawn, element("figcaption", caption))


def table(
    columns: Mapping[str, str],
    rows: Sequence[Sequence[str | Element]],
    name: str,
    long: Sequence[str] = (),
) -> Element:
    """Makes a table that can be scrolled where the screen is narrower.

    Args:
        columns: `left` or `right` by the title of each column.
        rows: Cells of each row, texts or elements.
        name: What the table is, for those who hear the page.
        long: Titles of columns of sentences, in which `**` makes bold.
    """
    kinds = ["long" if t in long else _KINDS[a] for t, a in columns.items()]
    head = element("tr")
    for title, kind in zip(columns, kinds, strict=True):
        head.append(element("th", title, scope="col", kind=kind))
    body = element("tbody")
    for row in rows:
        line = element("tr")
        for cell, kind in zip(row, kinds, strict=True):
            if kind == "long" and isinstance(cell, str):
                line.append(of_markdown("td", cell, kind=kind))
            else:
                line.append(element("td", cell, kind=kind))
        body.append(line)
    made = element("table", element("thead", head), body)
    # Who has no mouse scrolls what has the focus.
    return element(
        "div", made, kind="scroll", role="region", tabindex="0", **{"aria-label": name}
    )


def with_code(tag: str, text: str) -> Element:
    """Makes an element of a text in which back quotes stand around paths."""
    made = element(tag)
    for number, part in enumerate(_CODE.split(text)):
        add(made, element("code", part) if number % 2 else part)
    return made


def _printable(text: str) -> str:
    """Returns a text without control characters; ends of lines stay as spaces."""
    return "".join(
        c if c.isprintable() else " " if c.isspace() else ascii(c)[1:-1] for c in text
    )
