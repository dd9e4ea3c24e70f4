"""On which devices a model is trained."""

import tensorflow as tf

from sfcl_tf.errors import UsageError


def make_strategy(devices: int = 0, batch_size: int = 0) -> tf.distribute.Strategy:
    """Returns the strategy for a number of replicas on this machine.

    Args:
        devices: Replicas wanted. 0 takes every GPU, or the CPU if there is none.
            More than there are GPUs splits the CPU into logical devices, which must
            happen before TensorFlow has used it.
        batch_size: Global batch that the replicas are to share; 0 checks nothing.

    Returns:
        The default strategy for one replica, else a `MirroredStrategy`.

    Raises:
        UsageError: If the logical devices cannot be made, or the batch does not
            divide by the number of replicas.
    """
    if devices < 0:
        raise UsageError(f"Expected devices of at least 0. Received: {devices}.")
    gpus = tf.config.list_physical_devices("GPU")
    if devices == 0:
        devices = max(len(gpus), 1)
    if batch_size % devices:
        raise UsageError(
            f"Expected a global batch that {devices} devices can share. Received: "
            f"train.batch_size={batch_size}. Set a multiple of {devices}."
        )
    if devices == 1:
        return tf.distribute.get_strategy()
    if devices <= len(gpus):
        names = [f"GPU:{index}" for index in range(devices)]
    else:
        _split_cpu(devices)
        names = [f"CPU:{index}" for index in range(devices)]
    return tf.distribute.MirroredStrategy(names)


def _split_cpu(devices):
    cpu = tf.config.list_physical_devices("CPU")[0]
    parts = [tf.config.LogicalDeviceConfiguration()] * devices
    try:
        tf.config.set_logical_device_configuration(cpu, parts)
    except RuntimeError as error:
        raise UsageError(
            f"Expected TensorFlow unused before {devices} logical CPUs are made. "
            f"Received: {error} Start a new process with --devices {devices}."
        ) from error
