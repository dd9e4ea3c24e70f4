"""Errors a user can act on; each carries the exit code of the command line."""


class SfclError(Exception):
    """Base of all expected errors: the message says what to do next."""

    exit_code = 1


class UsageError(SfclError):
    """A wrong argument, option or configuration value."""

    exit_code = 2


class DataError(SfclError):
    """Data that is missing, empty or unreadable."""

    exit_code = 3


class ModelError(SfclError):
    """A model, checkpoint or weights file that is missing or does not fit."""

    exit_code = 4
