"""On which devices a model is trained."""

import re

import tensorflow as tf

from sfcl_tf.system.errors import UsageError
from sfcl_tf.training.cluster import Cluster


def make_strategy(
    devices: str | int = "",
    batch_size: int = 0,
    cluster: Cluster | None = None,
    timeout: float = 300.0,
) -> tf.distribute.Strategy:
    """Returns the strategy for the replicas wanted.

    Args:
        devices: Replicas on this machine. Empty: every GPU, or the CPU if there is
            none. A number: GPUs, or where there are fewer logical CPUs. `gpu`,
            `gpu:N`, `cpu` and `cpu:N` insist on their kind. Logical CPUs must be
            made before TensorFlow has used the CPU.
        batch_size: Global batch that the replicas are to share; 0 checks nothing.
        cluster: Other machines that take part, of as many devices each.
        timeout: Seconds to wait for them.

    Returns:
        The default strategy for one replica, a `MirroredStrategy` for more of one
        machine, a `MultiWorkerMirroredStrategy` for a cluster.

    Raises:
        UsageError: If the devices are not there, the batch does not divide by the
            number of replicas, or another machine cannot be reached.
    """
    kind, count = _wanted(str(devices))
    cluster = cluster or Cluster()
    workers = len(cluster)
    if batch_size % (count * workers):
        raise UsageError(
            f"Expected a global batch that {count * workers} devices can share. "
            f"Received: train.batch_size={batch_size}. Set a multiple of "
            f"{count * workers}."
        )
    if kind == "CPU":
        tf.config.set_visible_devices([], "GPU")
        if count > 1:
            _split_cpu(count)
    else:
        tf.config.set_visible_devices(
            tf.config.list_physical_devices("GPU")[:count], "GPU"
        )
    if workers > 1:
        cluster.gather(timeout)
        try:
            return tf.distribute.MultiWorkerMirroredStrategy()
        except tf.errors.OpError as error:
            raise UsageError(
                "Expected the workers of TF_CONFIG to find each other. Received: "
                f"{error.message.splitlines()[0]} Start all of them together."
            ) from error
    if count == 1:
        return tf.distribute.get_strategy()
    return tf.distribute.MirroredStrategy([f"{kind}:{n}" for n in range(count)])


def _wanted(devices) -> tuple[str, int]:
    """Kind and number of the devices that a text names."""
    gpus = len(tf.config.list_physical_devices("GPU"))
    match = re.fullmatch(r"(?:(gpu|cpu)(?::|$))?(\d*)", devices.strip().lower())
    kind, number = match.groups() if match else (None, "0")
    if number == "0" or (match and devices.endswith(":")):
        raise UsageError(
            "Expected --devices such as 2, gpu, gpu:2 or cpu:2. Received: "
            f"{devices}. Leave it out for every GPU there is, else the CPU."
        )
    count = int(number) if number else max(gpus, 1) if kind != "cpu" else 1
    if kind == "gpu" and count > gpus:
        raise UsageError(
            f"Expected {count} GPU{'s' * (count > 1)} for --devices {devices}. "
            f"Received: {gpus} that TensorFlow can use. `sfcl doctor` shows what it "
            'sees; pip install "sfcl_tf[gpu]" brings CUDA. Or train on the CPU: leave '
            "--devices out."
        )
    return ("GPU" if kind != "cpu" and count <= gpus else "CPU"), count


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
