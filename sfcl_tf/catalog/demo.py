"""A small data set in FaceForensics++'s layout, made without a download."""

import concurrent.futures
import dataclasses
import functools
import json
import multiprocessing
from collections.abc import Callable, Iterable
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.reformatter import VideoReformatter

from sfcl_tf.catalog.demo_film import film, make_person, photograph
from sfcl_tf.catalog.demo_forgery import METHODS, forge
from sfcl_tf.system import resources
from sfcl_tf.system.errors import DataError, UsageError
from sfcl_tf.system.output import write_text
from sfcl_tf.system.processes import end_if_unguarded, unguarded

__all__ = ["METHODS", "DemoSettings", "make_demo"]

FOLDER = "FaceForensics++"
RECORD = "demo.json"
# Raised by whoever changes a pixel, so that old and new clips never mix.
VERSION = 1
_MASK_CRF = 10


@dataclasses.dataclass(frozen=True)
class DemoSettings:
    """What the demo data set contains.

    A pair of identities gives 2 real clips and, per method, 2 forged ones.

    Attributes:
        train_pairs: Identity pairs from the official training split.
        val_pairs: Identity pairs from the official validation split.
        test_pairs: Identity pairs from the official test split.
        frames: Frames per clip.
        size: Side of the square frames in pixels, a multiple of 8. Faces are about
            a third of it; below 240 they are too small for dlib, which wants 80.
        fps: Frames per second.
        crfs: H.264 rate factors, one copy of each clip per factor.
        seed: Seed of everything that is drawn.

    Raises:
        UsageError: If a value is out of range.
    """

    train_pairs: int = 6
    val_pairs: int = 2
    test_pairs: int = 3
    frames: int = 24
    size: int = 400
    fps: int = 25
    crfs: tuple[int, ...] = (23, 40)
    seed: int = 0

    def __post_init__(self):
        object.__setattr__(self, "crfs", tuple(self.crfs))
        least = dict.fromkeys(("train_pairs", "val_pairs", "test_pairs", "seed"), 0)
        for name, low in (least | {"frames": 1, "fps": 1, "size": 8}).items():
            if getattr(self, name) < low:
                raise UsageError(
                    f"Expected `{name}` of at least {low}. "
                    f"Received: {name}={getattr(self, name)}."
                )
        if self.size % 8:
            raise UsageError(
                f"Expected `size` to be a multiple of 8. Received: size={self.size}."
            )
        if not self.crfs or not all(0 <= crf <= 51 for crf in self.crfs):
            raise UsageError(
                f"Expected `crfs` in 0..51, at least one. Received: crfs={self.crfs}."
            )


def make_demo(
    root: Path,
    settings: DemoSettings | None = None,
    *,
    workers: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Makes the demo data set, or what is missing of it.

    The clips depend on the settings alone, not on `workers`. With several workers,
    a script must call this under `if __name__ == "__main__":`, for the processes
    are spawned.

    Args:
        root: Folder of data sets.
        settings: What to make. Defaults to `DemoSettings()`.
        workers: Processes.
        on_progress: Called as `on_progress(done, total)` per pair of identities.

    Returns:
        `root/FaceForensics++`, in the official layout.

    Raises:
        DataError: If the folder holds something else, or if scikit-image is missing.
        UsageError: If a split has fewer pairs than the settings ask for.
    """
    settings = settings or DemoSettings()
    folder = Path(root) / FOLDER
    if _is_complete(folder, settings):
        return folder
    pairs = _pairs(settings)
    photograph()
    # The record has its own name until all is there, and keeps a run with other
    # settings from adding to an unfinished one.
    unfinished = _unfinished(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(unfinished, json.dumps(_record(settings), indent=2) + "\n")
    work = functools.partial(_make_pair, folder, settings)
    for done, _ in enumerate(_map(work, pairs, workers), 1):
        if on_progress:
            on_progress(done, len(pairs))
    unfinished.replace(folder / RECORD)
    return folder


def _record(settings: DemoSettings) -> dict:
    values = dataclasses.asdict(settings)
    return {"version": VERSION, "settings": values | {"crfs": list(settings.crfs)}}


def _unfinished(folder: Path) -> Path:
    return folder / f"{RECORD}.part"


def _is_complete(folder: Path, settings: DemoSettings) -> bool:
    """Returns whether all is made; raises `DataError` if it is something else."""
    if not folder.is_dir() or not any(folder.iterdir()):
        return False
    advice = f"Remove {folder} or choose another root."
    for path in (folder / RECORD, _unfinished(folder)):
        if not path.is_file():
            continue
        try:
            received = json.loads(path.read_text())
        except ValueError as error:
            raise DataError(
                f"Expected JSON in {path}. Received: {error}. {advice}"
            ) from error
        if received != _record(settings):
            raise DataError(
                f"Expected a demo data set of {_record(settings)}. "
                f"Received in {path}: {received}. {advice}"
            )
        return path.name == RECORD
    raise DataError(
        f"Expected {folder} to be empty or a demo data set with a {RECORD}. "
        f"Received: a folder with other files. {advice}"
    )


def _pairs(settings: DemoSettings) -> list[tuple[str, str]]:
    """Returns the first pairs of each official split."""
    splits = resources.path("datasets") / "splits" / "faceforensics"
    pairs = []
    for split in ("train", "val", "test"):
        count = getattr(settings, f"{split}_pairs")
        listed = json.loads((splits / f"{split}.json").read_text())
        if count > len(listed):
            raise UsageError(
                f"Expected `{split}_pairs` of at most {len(listed)}. Received: {count}."
            )
        pairs += [(a, b) for a, b in listed[:count]]
    return pairs


def _map(work: Callable, items: list, workers: int) -> Iterable:
    """Yields the results in any order."""
    if workers <= 1:
        yield from map(work, items)
        return
    end_if_unguarded()
    with concurrent.futures.ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=cv2.setNumThreads,
        initargs=(1,),
    ) as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            for future in concurrent.futures.as_completed(futures):
                yield future.result()
        except concurrent.futures.BrokenExecutor as error:
            raise unguarded("the end of one of them") from error
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _make_pair(folder: Path, settings: DemoSettings, pair: tuple[str, str]) -> None:
    """Makes the missing clips of two identities, real and forged."""

    def rng(*key):
        return np.random.default_rng([settings.seed, *map(int, key)])

    def videos(*parts):
        return {
            crf: folder.joinpath(*parts, f"c{crf}", "videos") for crf in settings.crfs
        }

    def save(frames, name, directories):
        for crf, directory in directories.items():
            _write(directory / f"{name}.mp4", frames, crf, settings.fps)

    clips = {}
    for name in pair:
        person = make_person(rng(name, 0))
        clips[name] = film(
            person, rng(name, 1), settings.frames, settings.size, settings.fps
        )
        save(clips[name].frames, name, videos("original_sequences", "youtube"))
    for number, method in enumerate(METHODS):
        parts = "manipulated_sequences", method
        masks_folder = folder.joinpath(*parts, "masks", "videos")
        for target, source in (pair, pair[::-1]):
            name = f"{target}_{source}"
            directories = [*videos(*parts).values(), masks_folder]
            if all((directory / f"{name}.mp4").exists() for directory in directories):
                continue
            frames, masks = forge(
                method, clips[target], clips[source], rng(target, 2, source, number)
            )
            save(frames, name, videos(*parts))
            masks = np.repeat(masks[..., None], 3, -1)
            save(masks, name, {_MASK_CRF: masks_folder})


def _write(path: Path, frames: np.ndarray, crf: int, fps: int) -> None:
    """Encodes RGB frames as the original does: H.264, yuv444p, from RGB.

    Args:
        path: File to write; one that exists is kept.
        frames: `(T, S, S, 3)` uint8 RGB.
        crf: H.264 rate factor.
        fps: Frames per second.
    """
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    # One thread: x264's bytes depend on the number.
    options = {"crf": str(crf), "preset": "faster", "threads": "1"}
    # One for all frames: `VideoFrame.reformat` sets up the conversion every time.
    reformatter = VideoReformatter()
    with av.open(str(part), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps, options=options)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv444p"
        for image in frames:
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame = reformatter.reformat(frame, format="yuv444p")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    part.replace(path)
