"""Sphinx settings of the documentation; `make docs` builds it into build/docs.

The pages are the Markdown files of this folder, and docstrings under api/.
"""

import pathlib
import sys

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

ROOT = pathlib.Path(__file__).resolve().parents[1]
# The checkout's own hdd_tf, whatever is installed.
sys.path.insert(0, str(ROOT))

import hdd_tf  # noqa: E402
from hdd_tf.arguments.command_line import help_text  # noqa: E402

project = "hdd_tf"
author = "The hdd_tf authors"
project_copyright = "The hdd_tf authors, Apache-2.0"
version = release = hdd_tf.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "index"
html_theme = "furo"
html_title = f"hdd_tf {release}"

# Docstrings write code between single backticks.
default_role = "code"
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
# Fields are in the text of the class already.
napoleon_use_ivar = True
napoleon_custom_sections = ["Class attributes"]
myst_heading_anchors = 3
# Diagrams and command lines are literal blocks; console and text have no lexer.
highlight_language = "none"


def escape_bars(app, what, name, obj, options, lines: list[str]) -> None:
    """Keeps `|v|` outside of code a norm, which would be a substitution."""
    for row, line in enumerate(lines):
        if "|" in line and ">>>" not in line:
            parts = line.split("`")
            # Every second part is code.
            parts[::2] = [part.replace("|", r"\|") for part in parts[::2]]
            lines[row] = "`".join(parts)


class CommandHelp(Directive):
    """`.. command-help::` is what `hdd-tf --help` prints."""

    def run(self) -> list[nodes.Node]:
        """Returns the text as a literal block."""
        text = help_text()
        return [nodes.literal_block(text, text, language="none")]


def setup(app: Sphinx) -> None:
    """Registers the directive and what brings docstrings to reStructuredText."""
    # After Napoleon, whose priority is 500.
    app.connect("autodoc-process-docstring", escape_bars, priority=600)
    app.add_directive("command-help", CommandHelp)
