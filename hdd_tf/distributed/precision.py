"""The precisions that networks compute in, and what the devices can do of them.

- `float32`: everything.
- `tf32`: TensorFloat-32 of NVIDIA's Ampere and later cards, which rounds the factors
  of convolutions and dense layers to 10 bits of mantissa; a switch of the process.
- `bfloat16`: factors and products of convolutions have 8 bits of mantissa. What follows
  a convolution, norms among it, is float32, and so are features and logits.
"""

import contextlib
from collections.abc import Iterator

import tensorflow as tf

from hdd_tf.distributed.processor import processor_features
from hdd_tf.errors import InputError

# The first compute capability of NVIDIA's cards with TensorFloat-32 and bfloat16.
_AMPERE = (8, 0)
# Units of processors that multiply bfloat16, as Linux names them.
_UNITS = {"avx512_bf16", "amx_bf16", "avx_ne_convert", "bf16"}


def policy_of(precision: str) -> str:
    """Returns the name of Keras' dtype policy for a network's hidden layers."""
    return "mixed_bfloat16" if precision == "bfloat16" else "float32"


def resolve(flag: str, precision: str) -> str:
    """Returns the precision that a setting means on the devices of this process.

    Args:
        flag: Name of the setting, for the message.
        precision: `auto`, `float32`, `tf32` or `bfloat16`.

    Returns:
        For `auto`: `tf32` if every GPU has it, else `float32`.

    Raises:
        InputError: `precision` is `tf32`, which the devices do not have.
    """
    if precision not in ("auto", "tf32"):
        return precision
    gpus = tf.config.list_physical_devices("GPU")
    has_tf32 = bool(gpus) and all(_capability(gpu) >= _AMPERE for gpu in gpus)
    if precision == "tf32" and not has_tf32:
        raise InputError(
            f"--{flag}=tf32 needs NVIDIA GPUs of compute capability 8.0 or higher, "
            f"and there are none here: give --{flag}=float32, or bfloat16"
        )
    return "tf32" if has_tf32 else "float32"


@contextlib.contextmanager
def computing_in(precision: str) -> Iterator[None]:
    """Sets the process' switch of TensorFloat-32, and restores it afterwards.

    Args:
        precision: As `resolve` returns it.
    """
    settings = tf.config.experimental
    before = settings.tensor_float_32_execution_enabled()
    settings.enable_tensor_float_32_execution(precision == "tf32")
    try:
        yield
    finally:
        settings.enable_tensor_float_32_execution(before)


def slowness(precision: str, cpuinfo: str = "/proc/cpuinfo") -> str:
    """Returns a line that says a precision is slow on these devices, or "".

    Args:
        precision: As `resolve` returns it.
        cpuinfo: As for `processor_features`. Where nothing is known, nothing is said.
    """
    if precision != "bfloat16":
        return ""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        slow = any(_capability(gpu) < _AMPERE for gpu in gpus)
        what = "a GPU here"
    else:
        features = processor_features(cpuinfo)
        slow = bool(features) and not features & _UNITS
        what = "this processor"
    if not slow:
        return ""
    return f"{what} has no units for bfloat16, which is slower there than float32."


def _capability(gpu: tf.config.PhysicalDevice) -> tuple[int, int]:
    details = tf.config.experimental.get_device_details(gpu)
    major, minor = details.get("compute_capability", (0, 0))
    return int(major), int(minor)
