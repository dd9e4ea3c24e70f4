"""What a client is told when its request cannot be answered."""

import re

import grpc

# What an assertion in the graph says stands among what TensorFlow adds.
_EXPECTED = re.compile(r"Expected [^\]\n]+")
_BY_NUMBER = {code.value[0]: code for code in grpc.StatusCode}
_HTTP = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}

_MOST = 1000
BUG = "The server failed. Its own messages say more."
"""What a client is told of an error that nobody foresaw."""


class RequestError(Exception):
    """A request that is refused.

    Args:
        code: gRPC's status.
        message: What was expected, what came.
    """

    def __init__(self, code: grpc.StatusCode, message: str):
        # It travels in a header, and may quote what a client sent.
        super().__init__(message if len(message) <= _MOST else f"{message[:_MOST]} ...")
        self.code = code

    @property
    def http_status(self) -> int:
        """The HTTP status that TensorFlow Serving gives for the same."""
        return _HTTP.get(self.code, 500)


def invalid(message: str) -> RequestError:
    """Returns the error of a request that no server could answer."""
    return RequestError(grpc.StatusCode.INVALID_ARGUMENT, message)


def not_found(message: str) -> RequestError:
    """Returns the error of a request for what is not served."""
    return RequestError(grpc.StatusCode.NOT_FOUND, message)


def from_tensorflow(error) -> RequestError:
    """Returns what a `tf.errors.OpError` means to a client: its code, its reason."""
    match = _EXPECTED.search(error.message)
    code = _BY_NUMBER.get(error.error_code, grpc.StatusCode.INTERNAL)
    return RequestError(
        code, match[0] if match else "The model could not compute this request."
    )
