"""The encodings of a distilled set, by name."""

from hdd_tf.artifacts.encodings.base import Encoding
from hdd_tf.artifacts.encodings.dd_ranking import DdRanking
from hdd_tf.artifacts.encodings.float32 import Float32
from hdd_tf.artifacts.encodings.npz import Npz
from hdd_tf.artifacts.encodings.png import Png
from hdd_tf.artifacts.encodings.png_folder import PngFolder
from hdd_tf.errors import InputError

ENCODINGS: dict[str, Encoding] = {
    encoding.name: encoding
    for encoding in (Float32(), Png(), PngFolder(), Npz(), DdRanking())
}


def encoding_of_name(name: str, *others: str) -> Encoding:
    """Returns an encoding.

    Args:
        name: Its name.
        *others: What else may be given in its place, for the message.

    Raises:
        InputError: no encoding has this name.
    """
    if not isinstance(name, str) or name not in ENCODINGS:
        raise InputError(
            f"there is no encoding {name!r}: take one of "
            f"{', '.join([*ENCODINGS, *others])}"
        )
    return ENCODINGS[name]
