"""Errors as problem documents: what happened, which field, and what to do next.

Source: RFC 9457 (problem details), RFC 9110 section 15 (status codes).
"""

from collections.abc import Sequence
from http import HTTPStatus
from math import ceil
from typing import Literal

import msgspec

from loadpath.core.errors import InDoubtError, LoadpathError, RejectedError
from loadpath.systems.timeline.record.postgres import IdTakenError

Place = Literal["body", "header", "path", "query"]
Headers = Sequence[tuple[bytes, bytes]]

MEDIA_TYPE = b"application/problem+json"
_TYPES = "urn:problem-type:loadpath:"


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Say what went wrong.

    Attributes:
        type: Which kind, for programs; `about:blank` when the status says it all.
        title: Which kind, for people.
        status: The HTTP status.
        detail: What happened this time, and the next step.
        field: What to correct.
        place: Where that field is.
    """

    type: str
    title: str
    status: int
    detail: str
    field: str | None = None
    place: Place | None = msgspec.field(default=None, name="in")


class ProblemError(LoadpathError, RuntimeError):
    """Answer a request with a problem document.

    Attributes:
        problem: The document.
        headers: Sent along.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        field: str | None = None,
        place: Place | None = None,
        kind: str | None = None,
        headers: Headers = (),
    ) -> None:
        super().__init__(detail)
        phrase = HTTPStatus(status).phrase
        self.problem = Problem(
            type=_TYPES + kind if kind else "about:blank",
            title=kind.replace("-", " ").capitalize() if kind else phrase,
            status=status,
            detail=detail,
            field=field,
            place=place,
        )
        self.headers = headers


def problem_of(error: LoadpathError) -> ProblemError | None:
    """Return how to answer when work was not done or is in doubt, None for any other error."""
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, InDoubtError):
        return ProblemError(
            503,
            "The record was sent the request and did not answer: it may have happened or not. "
            "Send it again; with the same Idempotency-Key nothing is doubled.",
            kind="in-doubt",
            headers=_retry_after(1.0),
        )
    if isinstance(error, RejectedError):
        return ProblemError(
            503,
            "Nothing was changed: the server is too busy or cannot reach its record. "
            "Try again later.",
            kind="not-tried",
            headers=_retry_after(error.retry_after or 1.0),
        )
    if isinstance(error, IdTakenError):
        return ProblemError(
            503, f"Nothing was changed: {error}.", kind="not-tried", headers=_retry_after(1.0)
        )
    return None


def _retry_after(seconds: float) -> Headers:
    return ((b"retry-after", str(max(1, ceil(seconds))).encode()),)
