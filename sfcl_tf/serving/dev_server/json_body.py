"""The JSON of a request, bounded before it is parsed.

Python builds an object of some 60 bytes for each list of a text, and holds the
interpreter's lock meanwhile: 29 MB of empty lists would stop everything for seconds and
take gigabytes. So brackets are counted first, which costs a glance.
"""

import json
from typing import Any

import numpy as np

from sfcl_tf.serving.dev_server.errors import invalid

MOST_LISTS = 1 << 20
"""Lists and objects of a body: those of six crops of 400 px as lists of pixels."""

MOST_NESTED = 32
_PIECE = 1 << 20
_OPEN = np.isin(np.arange(256), list(b"[{")).astype(np.int8)
_STEP = _OPEN - np.isin(np.arange(256), list(b"]}")).astype(np.int8)


def parse(raw: bytes) -> dict[str, Any]:
    """Parses a body.

    Args:
        raw: UTF-8.

    Raises:
        RequestError: INVALID_ARGUMENT, if it is no JSON object, or has too many lists
            or too deep ones.
    """
    lists = depth = deepest = 0
    for start in range(0, len(raw), _PIECE):
        piece = np.frombuffer(raw, np.uint8, min(_PIECE, len(raw) - start), start)
        # Brackets in texts count, too: no input is such a text.
        levels = depth + np.cumsum(_STEP[piece], dtype=np.int32)
        lists += int(_OPEN[piece].sum(dtype=np.int64))
        depth, deepest = int(levels[-1]), max(deepest, int(levels.max()))
    if lists > MOST_LISTS:
        raise invalid(
            f"Expected at most {MOST_LISTS} lists in the body. Received: {lists}. Send "
            'an image as {"b64": ...}, or pixels by gRPC.'
        )
    if deepest > MOST_NESTED:
        raise invalid(
            f"Expected lists nested at most {MOST_NESTED} deep. Received: {deepest}."
        )
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise invalid("Expected JSON in the body. Received: other text.") from error
    if not isinstance(body, dict):
        raise invalid("Expected a JSON object in the body.")
    return body
