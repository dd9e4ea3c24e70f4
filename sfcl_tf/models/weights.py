"""Where pretrained weights are looked for. Nothing is downloaded unasked."""

import hashlib
import os
from pathlib import Path

from sfcl_tf.errors import ModelError

# File names and MD5 as in keras.applications.
KNOWN = {
    "efficientnet_b0": ("efficientnetb0_notop.h5", "50bc09e76180e00e4465e1a485ddc09d"),
    "efficientnet_b4": ("efficientnetb4_notop.h5", "ebc24e6d6c33eaebbd558eafbeedf1ba"),
    "xception": (
        "xception_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "b0042744bf5b25fce3cb969f33bebb97",
    ),
}
_KERAS_URL = "https://storage.googleapis.com/keras-applications/"
_XCEPTION_URL = "https://storage.googleapis.com/tensorflow/keras-applications/xception/"


def resolve_weights(choice: str, network: str, *, download: bool = False):
    """Finds the weights file that a choice names.

    `"imagenet"` is looked for in the folder `SFCL_WEIGHTS`, then in Keras's cache,
    and its MD5 is checked.

    Args:
        choice: `"imagenet"`, `"none"`, `"auto"` for ImageNet's where the file is
            there, or a path.
        network: Whose weights they are, for `"imagenet"` a key of `KNOWN`.
        download: Whether an absent ImageNet file may be fetched.

    Returns:
        A `Path`, or `None` for none.

    Raises:
        ModelError: If the file is absent or not the published one; the message
            names file, MD5 and place.
    """
    if choice == "none":
        return None
    if choice not in ("imagenet", "auto"):
        path = Path(choice).expanduser()
        if not path.is_file():
            raise ModelError(
                f"Expected a weights file for {network}. Received: {path}, which is "
                "not there. Give the path of an .h5 file, `imagenet` or `none`."
            )
        return path
    if network not in KNOWN:
        raise ModelError(
            f"Expected the path of an .h5 file, or `none`, as weights of {network}. "
            "Received: imagenet, on which it was never trained."
        )
    name, md5 = KNOWN[network]
    cache = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "models"
    folders = [cache]
    if os.environ.get("SFCL_WEIGHTS"):
        folders.insert(0, Path(os.environ["SFCL_WEIGHTS"]).expanduser())
    for folder in folders:
        path = folder / name
        if path.is_file():
            return _verified(path, md5)
    if download:
        return _download(network, name, md5)
    if choice == "auto":
        return None
    raise ModelError(
        f"Expected ImageNet weights for {network}: {name} (md5 {md5}). Looked in "
        f"{' and '.join(map(str, folders))}: not there. Put the file there "
        "(SFCL_WEIGHTS names the folder), or let `--download` fetch it, or start from "
        "random weights with `--spatial-weights none`."
    )


def _verified(path, md5):
    with path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
    if found.hexdigest() != md5:
        raise ModelError(
            f"Expected {path} to have md5 {md5}. Received: {found.hexdigest()}. The "
            "file is damaged or another one: remove it, and put the published one "
            "there or use `--download`."
        )
    return path


def _download(network, name, md5):
    import keras

    base = _XCEPTION_URL if network == "xception" else _KERAS_URL
    try:
        found = keras.utils.get_file(
            name, base + name, cache_subdir="models", file_hash=md5
        )
    except Exception as error:
        raise ModelError(
            f"Could not download {base + name}: {error}. Fetch it on a machine with "
            "network and put it into the folder that SFCL_WEIGHTS names."
        ) from error
    return Path(found)
