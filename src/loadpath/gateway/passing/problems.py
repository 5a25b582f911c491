"""What goes wrong, as answers: RFC 9457 problem documents with the right status. Pure.

No route is 404 and no 500; a method that no route takes is 405 with `Allow`. Nothing sent is 503
with `Retry-After`; sent and not answered is 502, and 504 when time ran out; limited is 429.

Source: RFC 9457; RFC 9110 section 15.5 and 15.6.
"""

from http import HTTPStatus
from math import ceil

import msgspec

from loadpath.core.errors import InDoubtError, LoadpathError, RejectedError
from loadpath.gateway.exchange import AnswerHead, Field, Reply
from loadpath.http.errors import ProtocolError
from loadpath.resilience.ratelimit.gcra import RateLimited
from loadpath.upstream.errors import UpstreamError, UpstreamUnavailableError

RETRY_AFTER = 1.0
"""Wait that clients are asked for when nobody knows better (s)."""

_TYPE = (b"Content-Type", b"application/problem+json")


class GatewayError(LoadpathError, RuntimeError):
    """Refuse a request of a client.

    Attributes:
        status: Status of the answer.
        fields: Fields of the answer.
    """

    def __init__(self, status: int, message: str, *, fields: tuple[Field, ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.fields = fields


def problem(
    status: int, detail: str, *, request_id: str = "", fields: tuple[Field, ...] = ()
) -> Reply:
    """Return a problem as an answer.

    Args:
        status: Status code.
        detail: What went wrong with this request.
        request_id: Its id, for whoever asks us about it.
        fields: Further fields of the answer.
    """
    document = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    if request_id:
        document["request_id"] = request_id
    body = msgspec.json.encode(document)
    cache = (b"Cache-Control", b"no-store")
    return Reply(
        head=AnswerHead(status=status, fields=[_TYPE, cache, *fields], length=len(body)), body=body
    )


def status_of(error: BaseException) -> int:
    """Return the status that an error means."""
    if isinstance(error, GatewayError | ProtocolError):
        return error.status
    if isinstance(error, RejectedError):
        return 429 if isinstance(error, RateLimited) else 503
    if isinstance(error, UpstreamError | InDoubtError):
        return 504 if isinstance(error, TimeoutError) else 502
    return 500


def problem_of(error: BaseException, *, request_id: str = "") -> Reply:
    """Return an error as an answer; what only the operator should know stays out of it."""
    status = status_of(error)
    fields: tuple[Field, ...] = error.fields if isinstance(error, GatewayError) else ()
    if isinstance(error, RejectedError):
        wait = RETRY_AFTER if error.retry_after is None else error.retry_after
        fields = ((b"Retry-After", b"%d" % max(1, ceil(wait))),)
    return problem(status, _detail(error, status), request_id=request_id, fields=fields)


def _detail(error: BaseException, status: int) -> str:
    if isinstance(error, GatewayError | ProtocolError):
        return str(error)
    if isinstance(error, UpstreamUnavailableError):
        return "the service is not available now: nothing was sent to it"
    if isinstance(error, UpstreamError | InDoubtError):
        late = "did not answer in time" if status == HTTPStatus.GATEWAY_TIMEOUT else "failed"
        return f"the service {late}: the request may have been carried out"
    if isinstance(error, RejectedError):
        return "the request was not carried out: try again later"
    return "the gateway failed"
