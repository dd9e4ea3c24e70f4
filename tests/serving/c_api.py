"""Asks a SavedModel by TensorFlow's C API, which loads it as TensorFlow Serving does.

Run as a program of its own, in which Python's `tensorflow` is never imported: it reads
a question from standard input and writes the answer to standard output, both JSON.

```
{"path": DIR, "calls": [{"feeds": {TENSOR: {"shape": [..], "strings" | "bytes": ..}},
                         "fetches": {NAME: TENSOR}}]}
[{NAME: [..]}]
```

Tensors are named as in a `SignatureDef`, for Python's protobuf cannot read one without
`tensorflow`. Bytes travel as base64.
"""

import base64
import ctypes
import importlib.util
import json
import sys
from pathlib import Path

LIBRARY = "libtensorflow_cc.so.2"
"""What TensorFlow's wheels for Linux call it."""

FLOAT, UINT8, STRING = 1, 4, 7  # of the enumeration TF_DataType
STRING_SIZE = 24  # of the structure TF_TString


def library_path() -> Path | None:
    """Finds the library in the installed wheel; none where it has another name."""
    spec = importlib.util.find_spec("tensorflow")  # finds, and does not import
    folders = spec.submodule_search_locations if spec else []
    paths = (Path(folder) / LIBRARY for folder in folders or ())
    return next((path for path in paths if path.is_file()), None)


class Output(ctypes.Structure):
    """The structure TF_Output: one output of an operation."""

    _fields_ = (("operation", ctypes.c_void_p), ("index", ctypes.c_int))


class Session:
    """A SavedModel loaded with the tag `serve`.

    Args:
        path: Its directory.
    """

    def __init__(self, path: str):
        # Its symbols stay its own: shared with all, they get in the way of NumPy's.
        self._api = ctypes.CDLL(str(library_path()), ctypes.RTLD_LOCAL)
        for name, *kinds in (
            ("TF_NewStatus",),
            ("TF_Message", ctypes.c_void_p),
            ("TF_NewGraph",),
            ("TF_NewSessionOptions",),
            ("TF_GraphOperationByName", ctypes.c_void_p, ctypes.c_char_p),
            ("TF_TensorData", ctypes.c_void_p),
            ("TF_StringGetDataPointer", ctypes.c_void_p),
        ):
            getattr(self._api, name).restype = ctypes.c_void_p
            getattr(self._api, name).argtypes = kinds
        self._api.TF_AllocateTensor.restype = ctypes.c_void_p
        self._api.TF_LoadSessionFromSavedModel.restype = ctypes.c_void_p
        for name in ("TF_TensorByteSize", "TF_StringGetSize"):
            getattr(self._api, name).restype = ctypes.c_size_t
            getattr(self._api, name).argtypes = [ctypes.c_void_p]
        self._status = ctypes.c_void_p(self._api.TF_NewStatus())
        self._graph = ctypes.c_void_p(self._api.TF_NewGraph())
        tags = (ctypes.c_char_p * 1)(b"serve")
        self._session = ctypes.c_void_p(
            self._api.TF_LoadSessionFromSavedModel(
                ctypes.c_void_p(self._api.TF_NewSessionOptions()),
                None,
                path.encode(),
                tags,
                1,
                self._graph,
                None,
                self._status,
            )
        )
        self._check()

    def run(self, feeds: dict, fetches: dict) -> dict[str, list]:
        """Computes tensors.

        Args:
            feeds: What `_tensor` takes, by tensor.
            fetches: Tensors by the names that their values get.
        """
        count = len(fetches)
        values = (ctypes.c_void_p * count)()
        self._api.TF_SessionRun(
            self._session,
            None,
            self._outputs(feeds),
            (ctypes.c_void_p * len(feeds))(*map(self._tensor, feeds.values())),
            len(feeds),
            self._outputs(fetches.values()),
            values,
            count,
            None,
            0,
            None,
            self._status,
        )
        self._check()
        return dict(zip(fetches, map(self._values, values), strict=True))

    def _outputs(self, names):
        found = []
        for name in names:
            operation, _, index = name.partition(":")
            handle = self._api.TF_GraphOperationByName(self._graph, operation.encode())
            if not handle:
                raise ValueError(f"Expected a tensor of the graph. Received: {name}.")
            found.append(Output(handle, int(index)))
        return (Output * len(found))(*found)

    def _tensor(self, feed):
        """Makes a tensor of `shape` from `bytes` (uint8) or from `strings`."""
        shape = (ctypes.c_int64 * len(feed["shape"]))(*feed["shape"])
        if "bytes" in feed:
            raw = base64.b64decode(feed["bytes"])
            kind, size = UINT8, len(raw)
        else:
            strings = [base64.b64decode(text) for text in feed["strings"]]
            kind, size = STRING, STRING_SIZE * len(strings)
        tensor = ctypes.c_void_p(
            self._api.TF_AllocateTensor(kind, shape, len(shape), ctypes.c_size_t(size))
        )
        data = self._api.TF_TensorData(tensor)
        if kind == UINT8:
            ctypes.memmove(data, raw, size)
        else:
            for place, text in enumerate(strings):
                one = ctypes.c_void_p(data + STRING_SIZE * place)
                self._api.TF_StringInit(one)
                self._api.TF_StringCopy(one, text, ctypes.c_size_t(len(text)))
        return tensor.value

    def _values(self, tensor):
        data = self._api.TF_TensorData(tensor)
        size = self._api.TF_TensorByteSize(tensor)
        kind = self._api.TF_TensorType(ctypes.c_void_p(tensor))
        if kind == FLOAT:
            return list((ctypes.c_float * (size // 4)).from_address(data))
        if kind == STRING:
            places = range(data, data + size, STRING_SIZE)
            return [base64.b64encode(self._text(p)).decode() for p in places]
        raise ValueError(f"Expected float32 or strings. Received: the type {kind}.")

    def _text(self, place):
        size = self._api.TF_StringGetSize(place)
        return ctypes.string_at(self._api.TF_StringGetDataPointer(place), size)

    def _check(self):
        if self._api.TF_GetCode(self._status):
            message = ctypes.string_at(self._api.TF_Message(self._status))
            raise RuntimeError(message.decode("utf-8", "replace"))


def main():
    """Answers what standard input asks."""
    question = json.load(sys.stdin)
    session = Session(question["path"])
    answers = [session.run(**call) for call in question["calls"]]
    if "tensorflow" in sys.modules:
        raise RuntimeError("Expected no `tensorflow` of Python's. It was imported.")
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
