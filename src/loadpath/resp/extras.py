"""Import what comes with the `resp` extra, or say so."""

from loadpath.resp.errors import ExtraMissingError

try:
    from hiredis import PushNotification, Reader, pack_command
except ModuleNotFoundError as error:
    raise ExtraMissingError from error

__all__ = ["PushNotification", "Reader", "pack_command"]
