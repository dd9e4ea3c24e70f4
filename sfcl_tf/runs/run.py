"""A run's directory, on this machine or on `s3://`."""

import contextlib
import functools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sfcl_tf.config import Config, read_config
from sfcl_tf.runs import files, schemas
from sfcl_tf.runs.format import read_environment, require_format
from sfcl_tf.system.errors import ModelError, SfclError, UsageError
from sfcl_tf.system.output import alone
from sfcl_tf.system.storage import (
    explain_access_errors,
    is_remote,
    local_copy,
    parse_location,
    require_writable,
)


class Run:
    """What lies in a run's directory.

    `Run(location)` is enough for a folder of this machine; what lies on `s3://` is
    brought to one by `Run.open`.

    Args:
        location: Where the run lies: a path, or `s3://BUCKET/PREFIX`.
        folder: The local folder that holds it, where that is another one.
        save: Brings `location` up to date with the folder.
    """

    def __init__(
        self,
        location: str | Path,
        folder: Path | None = None,
        save: Callable[[], None] = lambda: None,
    ):
        if not isinstance(location, str | Path) and not is_remote(location):
            raise UsageError(f"Expected the path of a run. Received: {location!r}.")
        self.location = (
            parse_location(location) if isinstance(location, str) else location
        )
        self._folder = folder
        self.save = save

    def __repr__(self):
        return f"Run({str(self.location)!r})"

    @property
    def folder(self) -> Path:
        """The local folder that holds it.

        Raises:
            UsageError: If it lies elsewhere and was not opened.
        """
        if self._folder is not None:
            return self._folder
        if is_remote(self.location):
            raise UsageError(
                f"Expected a run at hand. Received: {self.location}. Use it inside "
                "`with Run.open(location) as run:`, which copies it here and back."
            )
        return self.location

    @property
    def name(self) -> str:
        """The last part of its location."""
        return self.location.name

    @classmethod
    @contextlib.contextmanager
    def open(cls, location: "str | Path | Run") -> Iterator["Run"]:
        """Gives a run that is there; what changes in its folder is kept at the end.

        Args:
            location: Where it lies; a run that is open already stands for itself.

        Raises:
            ModelError: If there is no run, or one of another version.
            DataError: If its store cannot be reached.
        """
        run = location if isinstance(location, Run) else cls(location)
        if run._folder is not None:
            yield run
            return
        location = run.location
        with explain_access_errors(location):
            exists = (location / files.CONFIG).is_file()
        if not exists:
            raise ModelError(
                f"Expected a run's directory. Received: {location}, which has no "
                "config.toml. Runs are made by `sfcl train` below ./runs."
            )
        with local_copy(location, fetch=True) as (folder, save):
            require_format(folder)
            yield cls(location, folder, save)

    @classmethod
    @contextlib.contextmanager
    def create(cls, runs: str | Path, name: str) -> Iterator["Run"]:
        """Gives a new run, in a folder of its own.

        If an error of use ends the block before there is a checkpoint, the folder is
        removed again: its name is free.

        Args:
            runs: The folder for all runs, or its URL.
            name: Of this one.

        Raises:
            UsageError: If the name is none, is taken, or cannot be written at.
        """
        location = new_location(runs, name)
        _require_new(location)
        with local_copy(location) as (folder, save):
            run = cls(location, folder, save)
            try:
                yield run
            except SfclError:
                if not run.is_begun:
                    shutil.rmtree(folder)
                raise
            finally:
                names = {each.name for each in folder.glob("*")} - {files.LOCK}
                if folder.is_dir() and not names:
                    shutil.rmtree(folder)

    @contextlib.contextmanager
    def trained_alone(self) -> Iterator[None]:
        """Keeps other trainings of this machine out of its folder.

        Raises:
            UsageError: If one is at work there.
        """
        with alone(
            self.path(files.LOCK),
            f"train {self.location}",
            "is training it. Wait for it, or end it: --resume goes on where it stopped",
        ):
            yield

    @classmethod
    def newest(cls, runs: str | Path) -> "Run | None":
        """Returns the run of a folder that was finished last; `None` without one."""
        folders = [path.parent for path in Path(runs).glob(f"*/{files.MODEL}")]
        folders = [folder for folder in folders if (folder / files.CONFIG).is_file()]
        if not folders:
            return None
        return cls(max(folders, key=lambda each: (each / files.MODEL).stat().st_mtime))

    def path(self, name: str) -> Path:
        """Returns the local path of one of its files; see `sfcl_tf.runs.files`."""
        return self.folder / name

    def has(self, name: str) -> bool:
        """Tells whether one of its files is there."""
        return self.path(name).is_file()

    @property
    def is_begun(self) -> bool:
        """Whether there is a checkpoint from which training can go on."""
        return self.has(f"{files.CHECKPOINTS}/{files.STATE}")

    @property
    def config(self) -> Config:
        """What it was made with.

        Raises:
            UsageError: If that cannot be read.
        """
        return read_config(self.path(files.CONFIG))

    @property
    def environment(self) -> dict[str, Any]:
        """What `env.json` says; empty where it is absent or damaged."""
        return read_environment(self.folder)

    @property
    def results(self) -> dict[str, Any]:
        """Figures of its own test split; empty where it was not evaluated.

        Raises:
            DataError: If they are damaged.
        """
        path = self.path(files.RESULTS)
        return schemas.RESULTS.read(path) if schemas.RESULTS.is_at(path) else {}

    @property
    def history(self) -> list[dict[str, Any]]:
        """A row an epoch; none before the first.

        Raises:
            DataError: If they are damaged.
        """
        path = self.path(files.METRICS)
        history = schemas.HISTORY
        return history.read_lines(path) if history.is_at(path) else []

    @functools.cached_property
    def model(self):
        """The `keras.Model` with the selected weights, loaded in safe mode.

        Raises:
            ModelError: If it is not there, not one of this package, or not of the
                size that the configuration tells.
        """
        from sfcl_tf.models import load_model

        model = load_model(self.path(files.MODEL))
        for tensor in model.inputs:
            if tensor.name == "image":
                require_size(self.folder, self.config, tensor.shape[1])
        return model


def require_size(folder: Path, config: Config, size: int) -> None:
    """Raises where a run's model takes images of another size than its settings say.

    Args:
        folder: The run's.
        config: What it is configured for.
        size: The side of the model's images in pixels.

    Raises:
        ModelError: If they differ.
    """
    if size != config.model.image_size:
        raise ModelError(
            f"Expected {folder / files.CONFIG} to be that of {files.MODEL} beside it. "
            f"Received: images of {config.model.image_size} pixels in the one, of "
            f"{size} in the other. Restore the settings that it was trained with."
        )


def new_location(runs: str | Path, name: str):
    """Returns where a run of a name is to lie.

    Raises:
        UsageError: If the name would lead elsewhere.
    """
    if name != os.path.basename(name) or name in ("", ".", ".."):  # noqa: PTH119
        raise UsageError(
            f"Expected --name to be a plain name. Received: {name!r}. Give the folder "
            "by --runs."
        )
    return (parse_location(runs) if isinstance(runs, str) else runs) / name


def _require_new(path):
    if is_remote(path):
        with explain_access_errors(path):
            exists = path.exists()
        if exists:
            raise _exists_error(path, " and is a run")
        require_writable(path)
        return
    try:
        path.mkdir(parents=True)
        probe = path / ".writable"
        probe.touch()
        probe.unlink()
    except FileExistsError as error:
        raise _exists_error(path, " and is a run" if path.is_dir() else "") from error
    except OSError as error:
        raise UsageError(
            f"Expected a folder in which runs can be written. Received: {path} "
            f"({error.strerror}). Give another one by --runs or SFCL_RUNS."
        ) from error


def _exists_error(path, what):
    return UsageError(
        f"Expected a new run. Received: {path}, which exists{what}. Choose another "
        f"--name, go on with it by --resume {path}, or remove it."
    )
