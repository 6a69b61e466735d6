"""What every call into the Python interface has: settings of Keras, words of Python."""

import functools
import inspect
import re
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from hdd_tf.arguments.flag_names import suggestion
from hdd_tf.config import rows
from hdd_tf.data.image_rows import failed_reads_named
from hdd_tf.errors import InputError, one_line
from hdd_tf.keras_settings import own_settings

_Given = ParamSpec("_Given")
_Returned = TypeVar("_Returned")

# A command that a message quotes, with its flags: it stays as it is.
_COMMAND = (
    r"(?:hdd-tf|python -m [\w.]+|tfds build)(?: [^-\s][^\s:;()]*){0,2}(?: --?[^\s;)]+)+"
)
# `--norm=batch`, without the full stop or comma of the sentence; `--noanalysis`.
_VALUE = r"\S*?(?=[.,:;)]*(?:\s|$))"
_FLAG = rf"(?<![\w-])--(?P<no>no)?(?P<name>[a-z]\w*)(?:=(?P<value>{_VALUE}))?"
# Of words, that a program writes them in quotation marks.
_WORD = re.compile(
    r"(?!(?:true|false|none|nan|inf)$)[a-z_]\w*|-?\d+-\d+", re.IGNORECASE
)
# Flags of the command for sets of other programs, and the arguments of that meaning.
_OF_SETS = {
    "set": "source",
    **{name: name for name in ("set_scale", "set_labels", "set_cells", "set_number")},
}


def python_call(
    function: Callable[_Given, _Returned],
) -> Callable[_Given, _Returned]:
    """Makes a function one of the Python interface.

    While it runs, Keras has the settings of hdd_tf, and afterwards the caller's again.
    What it refuses is said in the words of Python. An argument that it does not take is
    an `InputError`, which proposes the most similar one.

    Args:
        function: The function or method.
    """
    parameters = inspect.signature(function).parameters
    is_open = any(each.kind is each.VAR_KEYWORD for each in parameters.values())

    @functools.wraps(function)
    def call(*args: _Given.args, **kwargs: _Given.kwargs) -> _Returned:
        unknown = [name for name in kwargs if name not in parameters]
        if unknown and not is_open:
            raise InputError(
                f"{function.__name__}() has no argument {unknown[0]}"
                f"{_suggestion(unknown[0], [n for n in parameters if n != 'self'])}"
            )
        try:
            with own_settings(), failed_reads_named():
                return function(*args, **kwargs)
        except InputError as error:
            error.args = (one_line(in_python(str(error))),)
            raise

    return call


def in_python(message: str) -> str:
    """Returns a message that speaks of flags in the words of Python.

    Args:
        message: Text with flags such as `--norm=batch`, `--noprogress` or `--ipc`.

    Returns:
        The text with `norm='batch'`, `progress=False` and `ipc`. What is no flag of a
        setting is left, and so are the commands that it quotes.
    """
    return re.sub(f"{_COMMAND}|{_FLAG}", _in_python, message)


def _in_python(match: re.Match[str]) -> str:
    name, value = match["name"], match["value"]
    if not name:
        return match[0]
    if f"no{name}" in rows():
        name = f"no{name}"
    elif match["no"] and name in rows():
        return f"{name}=False"
    if name not in rows() and name not in _OF_SETS:
        return match[0]
    argument = _OF_SETS.get(name, name)
    if value is None:
        return argument
    # Choices stand one after the other.
    values = [
        repr(each) if _WORD.fullmatch(each) or name == "set" else each
        for each in value.split("|")
    ]
    return f"{argument}={'|'.join(values)}"


def _suggestion(name: str, known: list[str]) -> str:
    meant = suggestion(name, known)
    return f"; did you mean {meant}?" if meant else f": it has {', '.join(known)}"
