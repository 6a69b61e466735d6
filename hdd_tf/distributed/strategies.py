"""The distribution strategy of a run: the devices that compute."""

import tensorflow as tf

from hdd_tf.distributed.cluster import Cluster, read_cluster, wait_until_all_listen
from hdd_tf.errors import InputError
from hdd_tf.signals import signals_kill


def build_strategy(name: str, num_virtual_devices: int) -> tf.distribute.Strategy:
    """Builds the distribution strategy of a run.

    Call this function once in a process, before anything else asks TensorFlow for a
    device. If `TF_CONFIG` names several workers, they share the run, and the function
    waits for all of them.

    Args:
        name: `auto` (mirrored if there are several GPUs or logical devices),
            `one_device` or `mirrored`.
        num_virtual_devices: Number of logical devices to split the CPU into, to test
            several replicas without several GPUs; 0 or 1 does not split it.

    Returns:
        The strategy. All strategies give the same images.

    Raises:
        InputError: the CPU cannot be split any more in this process, or `TF_CONFIG` is
            invalid, not supported with these arguments, or its workers cannot connect.
    """
    # TensorFloat-32 of Ampere and later GPUs rounds the factors of matrix products to
    # 10 bits of mantissa. `precision.py` switches it on where that was asked for.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    if cluster := read_cluster():
        return _across_machines(cluster, name, num_virtual_devices)
    if num_virtual_devices > 1:
        _split_cpu(num_virtual_devices)
    gpus = [] if num_virtual_devices > 1 else tf.config.list_logical_devices("GPU")
    devices = [d.name for d in gpus or tf.config.list_logical_devices("CPU")]
    if name == "mirrored" or (name == "auto" and len(devices) > 1):
        return mirror_over(devices)
    return tf.distribute.OneDeviceStrategy(devices[0])


def _across_machines(
    cluster: Cluster, name: str, num_virtual_devices: int
) -> tf.distribute.Strategy:
    """Returns a strategy over all GPUs, or the CPU, of every worker."""
    if name != "auto" or num_virtual_devices > 1:
        raise InputError(
            "TF_CONFIG names several workers, which share all their devices: leave "
            "--strategy and --num_virtual_devices as they are, or unset TF_CONFIG."
        )
    wait_until_all_listen(cluster)
    try:
        # Meanwhile TensorFlow holds Python's lock, so no handler would run, and it
        # installs its own handler of SIGTERM. `signals_kill` restores the former ones.
        with signals_kill():
            return tf.distribute.MultiWorkerMirroredStrategy()
    except (tf.errors.OpError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"the workers of TF_CONFIG cannot be brought together ({reason}): see that "
            "each has an address of its own and all are started."
        ) from error


def mirror_over(devices: list[str]) -> tf.distribute.Strategy:
    """Returns a mirrored strategy over devices such as `GPU:0` or `CPU:1`."""
    if "CPU" in devices[0]:
        # Logical CPU devices share one memory, so their sum needs no collectives, whose
        # groups would be fixed for the rest of the process.
        reduction = tf.distribute.ReductionToOneDevice()
        return tf.distribute.MirroredStrategy(devices, reduction)
    return tf.distribute.MirroredStrategy(devices)


def _split_cpu(count: int) -> None:
    cpu = tf.config.list_physical_devices("CPU")[0]
    configured = tf.config.get_logical_device_configuration(cpu)
    if configured is None or len(configured) != count:
        try:
            tf.config.set_logical_device_configuration(
                cpu, [tf.config.LogicalDeviceConfiguration()] * count
            )
        except RuntimeError as error:
            raise InputError(
                f"--num_virtual_devices={count} comes too late: TensorFlow already "
                "uses the CPU in this process; start a fresh one."
            ) from error
