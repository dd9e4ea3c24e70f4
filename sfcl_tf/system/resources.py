"""Where the mapped folders `datasets/` and `export/` lie."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
KINDS = ("datasets", "export")


def path(kind: str) -> Path:
    """Returns the folder of a kind of resource.

    A wheel carries the folders inside the package (`setup.py` maps them); a
    checkout or an editable install has them beside it.

    Args:
        kind: `"datasets"` or `"export"`.

    Raises:
        ValueError: For another kind.
        FileNotFoundError: If the installation lacks the folder.
    """
    if kind not in KINDS:
        raise ValueError(f"Expected a kind of {KINDS}. Received: {kind!r}.")
    for candidate in (_PACKAGE / kind, _PACKAGE.parent / kind):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(
        f"The {kind!r} folder is neither in {_PACKAGE} nor beside it: the "
        "installation is incomplete. Install sfcl_tf again."
    )
