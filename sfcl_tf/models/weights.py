"""Where pretrained weights are looked for. Nothing is downloaded unasked."""

import hashlib
import os
from pathlib import Path

from sfcl_tf.models.registry import IMAGENET
from sfcl_tf.system.errors import ModelError

KNOWN = {name: (entry.file, entry.digest) for name, entry in IMAGENET.items()}
"""Name and digest of the file with a network's ImageNet weights."""


def resolve_weights(choice: str, network: str, *, download: bool = False):
    """Finds the weights file that a choice names.

    `"imagenet"` is looked for in the folder `SFCL_WEIGHTS`, then in Keras's cache,
    and its digest is checked.

    Args:
        choice: `"imagenet"`, `"none"`, `"auto"` for ImageNet's where the file is
            there, or a path.
        network: Whose weights they are, for `"imagenet"` a key of `KNOWN`.
        download: Whether an absent ImageNet file may be fetched.

    Returns:
        A `Path`, or `None` for none.

    Raises:
        ModelError: If the file is absent or not the published one; the message
            names file, digest and place.
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
    name, digest = KNOWN[network]
    cache = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "models"
    folders = [cache]
    if os.environ.get("SFCL_WEIGHTS"):
        folders.insert(0, Path(os.environ["SFCL_WEIGHTS"]).expanduser())
    for folder in folders:
        path = folder / name
        if path.is_file():
            return _verified(path, digest)
    if download:
        return _download(network)
    if choice == "auto":
        return None
    raise ModelError(
        f"Expected ImageNet weights for {network}: {name} ({_kind(digest)} {digest}). "
        "Looked in "
        f"{' and '.join(map(str, folders))}: not there. Put the file there "
        "(SFCL_WEIGHTS names the folder), or let `--download` fetch it, or start from "
        "random weights with `--spatial-weights none`."
    )


def _kind(digest):
    return "sha256" if len(digest) == 64 else "md5"


def _verified(path, digest):
    kind = _kind(digest)
    with path.open("rb") as file:
        actual = hashlib.file_digest(
            file, lambda: hashlib.new(kind, usedforsecurity=False)
        )
    if actual.hexdigest() != digest:
        raise ModelError(
            f"Expected {path} to have {kind} {digest}. Received: {actual.hexdigest()}. "
            "The file is damaged or another one: remove it, and put the published one "
            "there or use `--download`."
        )
    return path


def _download(network):
    import keras

    published = IMAGENET[network]
    url = published.url + published.file
    try:
        path = keras.utils.get_file(
            published.file, url, cache_subdir="models", file_hash=published.digest
        )
    except Exception as error:
        raise ModelError(
            f"Could not download {url}: {error}. Fetch it on a machine with "
            "network and put it into the folder that SFCL_WEIGHTS names."
        ) from error
    return Path(path)
