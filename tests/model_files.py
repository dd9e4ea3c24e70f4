"""A small `.keras` file, and what a stranger may have made of it."""

import contextlib
import copy
import io
import json
import os
import random
import sys
import tempfile
import zipfile

CONFIG, WEIGHTS = "config.json", "model.weights.h5"

ELSEWHERE = (
    ("os", "system"),
    ("builtins", "eval"),
    ("subprocess", "Popen"),
    ("keras.utils", "get_file"),
    ("keras.layers", "Lambda"),
    ("keras.layers", "TFSMLayer"),
    ("keras.layers", "TorchModuleWrapper"),
    ("keras.layers", "StringLookup"),
    ("keras.layers", "TextVectorization"),
    ("keras.src.layers.core.lambda_layer", "Lambda"),
    ("keras.saving", "load_model"),
    ("keras.applications", "Xception"),
    ("no.such.module", "Layer"),
    ("sfcl_tf.cli", "main"),
)
"""Modules and names that a file may not lead to."""

_VALUES = (None, True, -1, 0, 10**6, 10**30, 1e308, "", "relu", "x" * 99, [], {}, [[]])
_EVENTS = {
    "os.mkdir",
    "os.remove",
    "os.system",
    "pickle.find_class",
    "socket.connect",
    "subprocess.Popen",
}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def members(path):
    """Returns what an archive holds, by name."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path, contents, compression=zipfile.ZIP_STORED):
    """Writes an archive."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return path


def changed(path, source, change):
    """Writes a model whose configuration `change` has had in its hands."""
    contents = members(source)
    config = json.loads(contents[CONFIG])
    change(config)
    return write(path, contents | {CONFIG: json.dumps(config)})


def layer(config, name):
    """Returns a layer's entry of a configuration."""
    return next(x for x in config["config"]["layers"] if x["name"] == name)


class Mutations:
    """Copies of a model's file, each damaged or turned in another way."""

    def __init__(self, source, rng: random.Random):
        self._raw, self._contents = source.read_bytes(), members(source)
        self._config = json.loads(self._contents[CONFIG])
        self._rng = rng
        self._kinds = (self._bits, self._weights, *[self._json] * 4, self._nested)

    def write(self, path, number):
        """Writes one of them."""
        made = self._kinds[number % len(self._kinds)]()
        if isinstance(made, bytes):
            path.write_bytes(made)
        else:
            write(path, self._contents | made)
        return path

    def _flipped(self, raw):
        raw = bytearray(raw)
        for _ in range(self._rng.choice((1, 1, 4, 32))):
            raw[self._rng.randrange(len(raw))] ^= 1 << self._rng.randrange(8)
        return bytes(raw[: self._rng.choice((None, None, None, len(raw) // 2))])

    def _bits(self):
        return self._flipped(self._raw)

    def _weights(self):
        return {WEIGHTS: self._flipped(self._contents[WEIGHTS])}

    def _nested(self):
        depth = self._rng.choice((40, 100, 5000, 200_000))
        left, right = self._rng.choice((("[", "]"), ('{"a":', "}")))
        text = json.dumps(self._config)[:-1]
        return {CONFIG: f'{text}, "b": {left * depth}1{right * depth}}}'}

    def _json(self):
        config = copy.deepcopy(self._config)
        for _ in range(self._rng.choice((1, 1, 2, 5))):
            self._change(*self._rng.choice([*_places(config)]))
        return {CONFIG: json.dumps(config)}

    def _change(self, parent, key):
        kind = self._rng.randrange(5)
        if kind == 0:
            del parent[key]
        elif kind == 1 and isinstance(parent[key], int | float):
            parent[key] *= self._rng.choice((-1, 2, 1000, 10**9))
        elif kind == 2 and isinstance(parent, dict):
            module, name = self._rng.choice(ELSEWHERE)
            parent |= {"module": module, "class_name": name, "registered_name": None}
        elif kind == 3 and isinstance(parent, dict):
            module, name = self._rng.choice(ELSEWHERE)
            entry = {"module": module, "class_name": "function", "config": name}
            parent[key] = entry | {"registered_name": name}
        else:
            parent[key] = copy.deepcopy(self._rng.choice(_VALUES))


def _places(value):
    """Yields each value of a configuration as its container and its key."""
    waiting = [value]
    while waiting:
        container = waiting.pop()
        keys = container if isinstance(container, dict) else range(len(container))
        for key in keys:
            yield container, key
            if isinstance(container[key], dict | list):
                waiting.append(container[key])


class Watch:
    """Sees what is written, run or asked while it is on.

    Attributes:
        seen: What was.
    """

    def __init__(self):
        self.seen, self._on = [], False
        sys.addaudithook(self._hook)  # stays for good

    @contextlib.contextmanager
    def __call__(self):
        # Python may compile a module of Keras meanwhile.
        before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
        self._on = True
        try:
            yield self.seen
        finally:
            self._on = False
            sys.dont_write_bytecode = before

    def _hook(self, event, arguments):
        if not self._on:
            return
        opened = event == "open" and (arguments[2] or 0) & _WRITES
        # AutoGraph writes what it makes of Keras's own functions, and removes it.
        own = str(arguments[0]) == tempfile.gettempdir() or "__autograph" in str(
            arguments[0]
        )
        if (opened and not own) or event in _EVENTS:
            self.seen.append((event, str(arguments)[:200]))


def hdf5(fill):
    """Returns the bytes of an HDF5 file that `fill` puts something into."""
    import h5py

    raw = io.BytesIO()
    with h5py.File(raw, "w") as file:
        fill(file)
    return raw.getvalue()
