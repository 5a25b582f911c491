"""Import what comes with the `local` extra, or say so."""

from loadpath.local.errors import ExtraMissingError

try:
    import psutil
except ModuleNotFoundError as error:
    raise ExtraMissingError from error

__all__ = ["psutil"]
