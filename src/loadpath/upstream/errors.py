"""What can go wrong with a call through an upstream, whichever endpoints it was tried at.

Unavailable: nothing was sent anywhere, trying again is safe. In doubt: an endpoint may have acted,
and no answer came. Failed: an answer came and broke off. A class with `Timeout` in its name is a
`TimeoutError` as well.
"""

from loadpath.core.errors import InDoubtError, LoadpathError, RejectedError


class ResolveError(LoadpathError, ValueError):
    """Report where a set of endpoints could not be read from, and why."""


class ExtraMissingError(LoadpathError, ImportError):
    """Report that loadpath was installed without the packages that a part needs.

    Attributes:
        extra: What to install: `pip install 'loadpath[<extra>]'`.
    """

    def __init__(self, part: str, extra: str) -> None:
        super().__init__(f"{part} needs its extra: pip install 'loadpath[{extra}]'")
        self.extra = extra


class UpstreamError(LoadpathError):
    """Report a call that failed.

    Attributes:
        upstream: Name of the upstream.
        endpoint: Address that was tried last, None when none was.
        attempts: How often the call was tried.
    """

    upstream: str = ""
    endpoint: str | None = None
    attempts: int = 0


class UpstreamUnavailableError(UpstreamError, RejectedError, ConnectionError):
    """Report that no endpoint could be asked: nothing was sent."""


class UpstreamUnavailableTimeoutError(UpstreamUnavailableError, TimeoutError):
    """Report that no endpoint could be asked in time: nothing was sent."""


class UpstreamInDoubtError(UpstreamError, InDoubtError, ConnectionError):
    """Report a call that was sent and not answered: it may or may not have happened."""


class UpstreamInDoubtTimeoutError(UpstreamInDoubtError, TimeoutError):
    """Report a call that was sent and not answered in time: it may or may not have happened."""


class UpstreamFailedError(UpstreamError, ConnectionError):
    """Report an answer that broke off: its head had come."""


class UpstreamFailedTimeoutError(UpstreamFailedError, TimeoutError):
    """Report an answer that did not come whole in time: its head had come."""


def call_error(
    error: Exception, *, upstream: str, endpoint: str | None, attempts: int, sent: bool
) -> UpstreamError:
    """Return what the caller of a failed call is told.

    Args:
        error: What the last attempt raised.
        upstream: Name of the upstream.
        endpoint: Address that was tried last.
        attempts: How often the call was tried.
        sent: Whether an endpoint may have acted on any attempt.
    """
    where = "" if endpoint is None else f", last at {endpoint}"
    tries = "not tried" if not attempts else f"tried {attempts} times" if attempts > 1 else "tried"
    message = f"{upstream}: {tries}{where}: {error}"
    timed = isinstance(error, TimeoutError)
    made: UpstreamError
    if sent or not isinstance(error, RejectedError):
        made = (UpstreamInDoubtTimeoutError if timed else UpstreamInDoubtError)(message)
    else:
        kind = UpstreamUnavailableTimeoutError if timed else UpstreamUnavailableError
        made = kind(message, retry_after=error.retry_after)
    return _named(made, upstream, endpoint, attempts)


def body_error(
    error: Exception, *, upstream: str, endpoint: str | None, attempts: int
) -> UpstreamError:
    """Return what the reader of an answer that broke off is told."""
    timed = isinstance(error, TimeoutError)
    kind = UpstreamFailedTimeoutError if timed else UpstreamFailedError
    return _named(kind(f"{upstream}: {error}"), upstream, endpoint, attempts)


def _named(
    error: UpstreamError, upstream: str, endpoint: str | None, attempts: int
) -> UpstreamError:
    error.upstream = upstream
    error.endpoint = endpoint
    error.attempts = attempts
    return error
