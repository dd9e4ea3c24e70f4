"""Where each record lies in its shard, so that any one can be read by itself.

```
shard: | length 8 | crc 4 | record ... | crc 4 | length 8 | crc 4 | record ...
       ^ offset 0                               ^ offset 1
```

A split has one index, `index.npz` beside its manifest: the shards' names, how many
records each has, and how many bytes each record takes, TFRecord's frame included.
Preparation writes it. Of records that were prepared before there were indices, or were
changed since, it is made anew from the shards when it is first needed.
"""

import dataclasses
import io
import os
import struct
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from sfcl_tf.records.manifest import Manifest
from sfcl_tf.system.errors import DataError
from sfcl_tf.system.output import NotWrittenError, atomic_write
from sfcl_tf.system.storage import explain_access_errors, is_remote, size

FILE = "index.npz"
FRAME = 16
"""Bytes that TFRecord puts around a record: its length and two checksums."""
_HEADER = 12  # those before it


@dataclasses.dataclass(frozen=True, eq=False)
class RecordIndex:
    """The records of a split, shard by shard, in the manifest's order.

    Attributes:
        paths: Of the shards.
        labels: `(shards,)` of 1 = fake, 0 = real.
        shard: `(records,)` int32: which shard each is in.
        offset: `(records,)` int64: where it begins there, in bytes.
        size: `(records,)` int64: the bytes it takes there, its frame included.
    """

    paths: tuple[str, ...]
    labels: np.ndarray
    shard: np.ndarray
    offset: np.ndarray
    size: np.ndarray

    def __len__(self):
        return len(self.shard)

    def locate(self, records) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns shard, offset and size of some records, as `read_record` wants them.

        Args:
            records: `(N,)` integers.
        """
        return self.shard[records], self.offset[records], self.size[records]

    @classmethod
    def of(cls, manifest: Manifest, split: str) -> "RecordIndex":
        """Reads a split's index; what it lacks is taken from the shards, and kept.

        Raises:
            DataError: If a shard is absent or damaged.
        """
        videos = manifest.split(split)
        known = _read(manifest.folder / split / FILE)
        sizes, new = [], {}
        for video in videos:
            lengths = known.get(video["shard"])
            if lengths is None or not _fits(manifest.folder, video, lengths):
                lengths = new[video["shard"]] = _scan(manifest.folder / video["shard"])
            if len(lengths) != video["records"]:
                raise DataError(
                    f"Expected {video['records']} records in "
                    f"{manifest.folder / video['shard']}. Received: {len(lengths)}. "
                    "Remove that file, and `sfcl prepare` makes it anew."
                )
            sizes.append(lengths)
        if new:
            update_index(manifest.folder, split, new)
        counts = [len(each) for each in sizes]
        return cls(
            tuple(str(manifest.folder / video["shard"]) for video in videos),
            np.array([video["label"] for video in videos], np.int32),
            np.repeat(np.arange(len(videos), dtype=np.int32), counts),
            _concat([np.cumsum(each) - each for each in sizes]),
            _concat(sizes),
        )


def update_index(folder: Path, split: str, sizes: Mapping[str, Iterable[int]]) -> None:
    """Adds what is known of a split's shards to its index, if that can be written.

    Args:
        folder: The records' folder.
        split: Which split.
        sizes: Bytes of each record, by the shard's path below the folder.
    """
    if not sizes:
        return
    path = folder / split / FILE
    new = {name: np.fromiter(each, np.int64) for name, each in sizes.items()}
    merged = dict(sorted((_read(path) | new).items()))  # the same bytes in any order
    try:
        with atomic_write(path) as temporary, temporary.open("wb") as file:
            np.savez(
                file,
                names=np.array(list(merged), str),
                counts=np.array([len(each) for each in merged.values()], np.int64),
                sizes=_concat(list(merged.values())),
            )
    except NotWrittenError:
        return  # records on a medium that is not written to: scanned each time


def _read(path) -> dict[str, np.ndarray]:
    """Returns the bytes of each record by shard; empty where there is no index."""
    try:
        with explain_access_errors(path):
            if not path.is_file():
                return {}
            content = io.BytesIO(path.read_bytes())
        with np.load(content, allow_pickle=False) as archive:
            names, counts, sizes = (archive[k] for k in ("names", "counts", "sizes"))
        if counts.sum() != len(sizes) or len(names) != len(counts):
            return {}
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
        return {}  # damaged: made anew
    ends = np.cumsum(counts)
    starts = ends - counts
    return {
        str(name): sizes[start:end]
        for name, start, end in zip(names, starts, ends, strict=True)
    }


def _fits(folder, video, sizes) -> bool:
    """Tells whether a shard is still what was indexed, by its length."""
    path = folder / video["shard"]
    if is_remote(path):  # asking for each would take minutes; preparation has asked
        length = video.get("shard_bytes")
    else:
        try:
            length = size(path)
        except OSError as error:
            raise _absent(path, error.strerror) from error
    return length is None or length == sizes.sum()


def _scan(path) -> np.ndarray:
    """Reads the bytes that each record of a shard takes from its headers.

    Raises:
        DataError: If the shard is absent, or ends within a record.
    """
    try:
        with explain_access_errors(path), path.open("rb") as file:
            length = file.seek(0, os.SEEK_END)
            sizes, offset = [], 0
            while offset < length:
                file.seek(offset)
                header = file.read(_HEADER)
                if len(header) < _HEADER:
                    raise _damaged(path)
                sizes.append(struct.unpack("<Q", header[:8])[0] + FRAME)
                offset += sizes[-1]
    except OSError as error:
        raise _absent(path, error.strerror or str(error)) from error
    if offset != length:
        raise _damaged(path)
    return np.array(sizes, np.int64)


def _concat(parts) -> np.ndarray:
    return np.concatenate([np.zeros(0, np.int64), *parts]).astype(np.int64)


def _absent(path, reason) -> DataError:
    return DataError(
        f"Expected the shard {path}. Received: {reason}. `sfcl prepare` makes it anew."
    )


def _damaged(path) -> DataError:
    return DataError(
        f"Expected whole records in {path}. Received: a file that ends within one. "
        "Remove it, and `sfcl prepare` makes it anew."
    )
