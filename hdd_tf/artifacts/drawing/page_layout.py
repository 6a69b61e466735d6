"""How the images of classes lie on the pages of a picture."""

from collections.abc import Sequence
from typing import NamedTuple, Self

from hdd_tf.artifacts.drawing.drawn_text import LINE

# The longest side of a page in pixels. 100 classes of 50 images of 32x32 fit without
# enlargement, and 1,000 classes of one image, side by side.
_MAX_SIDE = 3500
# Bounds on the enlargement of small grids, in pixels of a cell and of the longer side.
_COMFORTABLE_CELL = 96
_COMFORTABLE_SIDE = 1200
GAP = 2  # Pixels between images.
MOST_TITLE_LINES = 4


class PageLayout(NamedTuple):
    """How the classes of one picture lie on its pages.

    Attributes:
        factor: Enlargement of the images.
        columns: Images of each class that are drawn.
        block: Classes below each other; blocks of them stand side by side.
        blocks: Largest number of blocks of a page.
        margin: Pixels of the names.
    """

    factor: int
    columns: int
    block: int
    blocks: int
    margin: int

    @classmethod
    def of(cls, shape: Sequence[int], margin: int, titled: bool) -> Self:
        """Lays out images of a shape `[rows, columns, h, w, ...]`."""
        rows, columns, height, width = shape[:4]
        factor = _enlargement(rows, columns, height, width)
        if margin:  # Rows that are lower than a line of text would hide their names.
            factor = max(factor, -(-(LINE - GAP) // height))
        strip = LINE * MOST_TITLE_LINES * titled
        columns = min(columns, _fitting(width * factor, margin))
        block = min(rows, _fitting(height * factor, strip))
        wide = margin + columns * (width * factor + GAP) + GAP
        needed = -(-rows // block)
        blocks = min(needed, max(1, _MAX_SIDE // wide))
        # As many classes in each block, so that none is nearly empty.
        block = -(-rows // (blocks * -(-needed // blocks)))
        return cls(factor, columns, block, blocks, margin)

    @property
    def capacity(self) -> int:
        """Number of classes of a page."""
        return self.block * self.blocks


def _fitting(cell_side: int, margin: int) -> int:
    """Returns the number of cells that fit side by side, at least one."""
    return max(1, (_MAX_SIDE - margin - GAP) // (cell_side + GAP))


def _enlargement(rows: int, columns: int, height: int, width: int) -> int:
    """Returns the integer factor that makes small images visible."""
    longer_side = max(rows * height, columns * width)
    return max(
        1,
        min(_COMFORTABLE_CELL // max(height, width), _COMFORTABLE_SIDE // longer_side),
    )
