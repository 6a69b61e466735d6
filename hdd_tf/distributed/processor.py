"""What the processor can do, and what TensorFlow leaves unused of it."""

import os
import pathlib
import re

import tensorflow as tf

# The switch, which TensorFlow reads while it is imported.
_SWITCH = "TF_ENABLE_ONEDNN_OPTS"
# On x86 with Linux oneDNN is on where there is one of these: DefaultOneDnnPolicy of
# tensorflow/core/util/port.cc, in the names of Linux.
_ON_WITH = {
    "avx512_vnni",
    "avx512_bf16",
    "avx_vnni",
    "amx_tile",
    "amx_int8",
    "amx_bf16",
}


def processor_features(cpuinfo: str = "/proc/cpuinfo") -> set[str]:
    """Returns the features of the processor, as Linux names them.

    Args:
        cpuinfo: File that Linux describes the processor in. Without it nothing is
            known, and the set is empty.
    """
    try:
        text = pathlib.Path(cpuinfo).read_text("utf-8", "replace")
    except OSError:
        return set()
    # Of the first core: x86 and Arm have other words for it.
    found = re.search(r"(?m)^(?:flags|Features)\s*:(.*)$", text)
    return set(found[1].split()) if found else set()


def onednn_hint(cpuinfo: str = "/proc/cpuinfo") -> str:
    """Returns a line where TensorFlow leaves oneDNN off and it would help, or "".

    oneDNN has TensorFlow's fast convolutions. It is left to whoever starts the program:
    with it sums come in another order, and a seeded run would no longer give the set
    that it gave before.

    Args:
        cpuinfo: As for `processor_features`. Where nothing is known, nothing is said.
    """
    if os.environ.get(_SWITCH) or tf.config.list_physical_devices("GPU"):
        return ""
    features = processor_features(cpuinfo)
    # What AVX2 gains was measured; older processors were not tried.
    if "avx2" not in features or features & _ON_WITH:
        return ""
    return (
        "TensorFlow leaves its fast convolutions off on this processor: they come with "
        f"{_SWITCH}=1 in the environment, and last bits of results then differ."
    )
