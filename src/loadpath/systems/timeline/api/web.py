"""Between ASGI and the operations: one table says what each path takes, and everything obeys it.

An `Operation` names its parameters, its body and its answer as types. Requests are read by that
table, OpenAPI is written from it, and `Allow` lists its methods, so they cannot drift apart.
Whatever goes wrong leaves as a problem document.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, get_type_hints
from urllib.parse import unquote_plus

import msgspec
from starlette.types import Receive, Scope, Send

from loadpath.core.errors import InDoubtError, LoadpathError, RejectedError
from loadpath.systems.timeline.api.problems import (
    MEDIA_TYPE,
    Headers,
    Place,
    ProblemError,
    problem_of,
)

JSON: Final[Headers] = (
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)
BODY_TIMEOUT = 30.0
"""Seconds that a request body may take to arrive."""

_DISCARDED = 1 << 22  # bytes of a body that is read only to be thrown away
_DISCARD_PAUSE = 1.0  # seconds without data after which no more of it is awaited
_SHOWN = 200  # characters of a client's own words in a problem document
_BYTE = re.compile(r"\(byte (\d+)\)")
_MOST_PARAMETERS = 16
_log = logging.getLogger(__name__)


class Answer(NamedTuple):
    """Hold a response.

    Attributes:
        body: As sent.
        headers: All but `content-length`.
        status: Of HTTP.
    """

    body: bytes
    headers: Headers = JSON
    status: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """Describe what an operation takes beside its body.

    Attributes:
        name: As the client writes it.
        place: Where the client writes it.
        type: What it must be, for msgspec and OpenAPI; text converts to it.
        about: What it means.
        required: Whether it must be there.
        default: Its value otherwise.
    """

    name: str
    place: Literal["header", "path", "query"]
    type: Any
    about: str
    required: bool = False
    default: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """Describe one thing that can be asked.

    Attributes:
        method: Of HTTP.
        path: With `{name}` for path parameters.
        about: What it does, in a line.
        handle: Does it.
        status: Of a success.
        answer: Type of the answer, None for an empty one.
        body: Type of the request body, None for requests without one.
        parameters: What it takes beside the body.
        auth: Whether a bearer token is needed.
        problems: Statuses that it may answer with, beside those of every operation.
    """

    method: str
    path: str
    about: str
    handle: Callable[["Request"], Awaitable[Answer]]
    status: int = 200
    answer: Any = None
    body: type[msgspec.Struct] | None = None
    parameters: tuple[Parameter, ...] = ()
    auth: Literal["none", "optional", "required"] = "none"
    problems: tuple[int, ...] = ()


class Request:
    """Read one request as its operation describes it.

    Attributes:
        scope: Of ASGI.
        user_id: Who asks, 0 for nobody known.
        body: The body, of the operation's type.
        parameters: Header and query parameters by name, defaults filled in.
    """

    __slots__ = ("body", "parameters", "scope", "user_id")

    def __init__(self, scope: Scope, parameters: dict[str, Any]) -> None:
        self.scope = scope
        self.parameters = parameters
        self.user_id = 0
        self.body: Any = None

    def path(self, name: str) -> str:
        """Return a path parameter, percent-decoded."""
        value: str = self.scope["path_params"][name]
        return value


class Endpoint:
    """Serve one path: pick the operation by method, read the request, send the answer.

    This is an ASGI application.

    Args:
        operations: What the path can do, one for each method.
        verify: Turns a bearer token into a user id, or raises `PermissionError`.
        max_body: Largest request body (bytes).
    """

    def __init__(
        self, operations: Sequence[Operation], *, verify: Callable[[str], int], max_body: int
    ) -> None:
        self._readers = {
            operation.method: _Reader(operation, verify=verify, max_body=max_body)
            for operation in operations
        }
        if "GET" in self._readers:
            self._readers["HEAD"] = self._readers["GET"]
        self.allow = ", ".join(sorted(self._readers))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        body = RequestBody(scope, receive)
        begun = False
        try:
            reader = self._reader(scope)
            request = await reader.read(scope, body)
            begun = True
            answer = await reader.handle(request)
        except DisconnectedError:
            return
        except asyncio.CancelledError:  # the process stops, and this task ends with its answer
            answer = answer_to(_cut_off(begun=begun))
        except Exception as error:  # noqa: BLE001 - nothing may leave but a problem document
            answer = answer_to(error)
            await body.discard()
        await send_answer(answer, send)

    def _reader(self, scope: Scope) -> "_Reader":
        if scope["path"].endswith("\n"):  # Starlette's `$` also matches before a last newline
            raise _nothing_here()
        try:
            return self._readers[scope["method"]]
        except KeyError:
            raise ProblemError(
                405,
                f"This path allows {self.allow}.",
                headers=((b"allow", self.allow.encode()),),
            ) from None


class Nowhere(Endpoint):
    """Serve every path that is none."""

    def _reader(self, scope: Scope) -> "_Reader":  # noqa: ARG002 - it is the same for all
        raise _nothing_here()


def _nothing_here() -> ProblemError:
    return ProblemError(
        404, "Nothing is here; /openapi.json lists what is.", field="path", place="path"
    )


def _cut_off(*, begun: bool) -> LoadpathError:
    """Return what became of a request that the end of the process cut off."""
    if begun:
        return InDoubtError("the process stopped before the work was done")
    return RejectedError("the process stopped before the request was complete", retry_after=1.0)


class DisconnectedError(LoadpathError, ConnectionError):
    """Stop: the client left before it had sent its request."""


class RequestBody:
    """Read the body of a request, within bounds of size and time."""

    __slots__ = ("_more", "_receive", "_scope")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._scope = scope
        self._receive = receive
        self._more = True

    async def read(self, limit: int) -> bytes:
        """Return the body, or a beginning of more than `limit` bytes when it has more.

        Raises:
            DisconnectedError: The client left.
            TimeoutError: It did not arrive within `BODY_TIMEOUT`.
        """
        body = b""
        async with asyncio.timeout(BODY_TIMEOUT):
            while self._more and len(body) <= limit:
                body += await self._next()
        return body

    def waits_with_more_than(self, limit: int) -> bool:
        """Return whether the client asks for leave to send more than `limit` bytes."""
        announced = int(header(self._scope, "Content-Length") or 0)
        return announced > limit and header(self._scope, "Expect") is not None

    async def discard(self) -> None:
        """Take the rest before refusing: a client that is cut off while it sends hears nothing."""
        names = {name for name, _ in self._scope["headers"]}
        if b"expect" in names or not names & {b"content-length", b"transfer-encoding"}:
            return
        left = _DISCARDED
        with suppress(DisconnectedError, TimeoutError):
            async with asyncio.timeout(BODY_TIMEOUT):
                while self._more and left > 0:
                    async with asyncio.timeout(_DISCARD_PAUSE):
                        left -= len(await self._next())

    async def _next(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise DisconnectedError
        self._more = message.get("more_body", False)
        part: bytes = message.get("body", b"")
        return part


class _Reader:
    """Read requests for one operation."""

    def __init__(
        self, operation: Operation, *, verify: Callable[[str], int], max_body: int
    ) -> None:
        self.handle = operation.handle
        self._verify = verify
        self._max_body = max_body
        self._auth = operation.auth
        self._headers = [each for each in operation.parameters if each.place == "header"]
        self._query = {each.name: each for each in operation.parameters if each.place == "query"}
        self._defaults = {
            each.name: each.default for each in operation.parameters if each.place != "path"
        }
        self._decoder: msgspec.json.Decoder[Any] | None = None
        if operation.body is not None:
            self._decoder = msgspec.json.Decoder(operation.body)
            fields = operation.body.__struct_encode_fields__
            self._suspect = fields[0] if len(fields) == 1 else "body"
            self._rules = _rules(operation.body)
            self._field = re.compile(rf'"({"|".join(fields)})"\s*:'.encode())

    async def read(self, scope: Scope, body: RequestBody) -> Request:
        request = Request(scope, self._defaults.copy())
        if self._auth != "none":
            request.user_id = self._bearer(scope)
        if query := scope["query_string"]:
            request.parameters.update(_read_query(query, self._query))
        for parameter in self._headers:
            value = header(scope, parameter.name)
            if value is not None:
                request.parameters[parameter.name] = _converted(value, parameter)
        if self._decoder is not None:
            request.body = await self._read_body(scope, body, self._decoder)
        return request

    def _bearer(self, scope: Scope) -> int:
        value = header(scope, "Authorization")
        if value is None and self._auth == "optional":
            return 0
        scheme, _, token = (value or "").partition(" ")
        if scheme.lower() != "bearer":
            raise _unauthorized("Send the token of a session as `Authorization: Bearer TOKEN`.")
        try:
            return self._verify(token.strip())
        except PermissionError as error:
            raise _unauthorized(f"The token was refused: {error}.") from error

    async def _read_body(
        self, scope: Scope, body: RequestBody, decoder: msgspec.json.Decoder[Any]
    ) -> Any:
        media_type = (header(scope, "Content-Type") or "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise ProblemError(
                415,
                "Send the body as `Content-Type: application/json`.",
                field="Content-Type",
                place="header",
                headers=((b"accept", b"application/json"),),
            )
        whole = await self._whole(body)
        try:
            return decoder.decode(whole)
        except msgspec.ValidationError as error:
            raise invalid_body(str(error), self._rules) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ProblemError(
                400,
                f"The body is not JSON in UTF-8: {str(error)[:_SHOWN]}.",
                field=self._begun_last(whole[: _fault(whole, error)]) or "body",
                place="body",
            ) from error

    async def _whole(self, body: RequestBody) -> bytes:
        if body.waits_with_more_than(self._max_body):
            raise self._too_large(b"")
        try:
            read = await body.read(self._max_body)
        except TimeoutError as error:
            raise ProblemError(
                408,
                f"The body did not arrive within {BODY_TIMEOUT:.0f} s.",
                field="body",
                place="body",
                headers=((b"connection", b"close"),),
            ) from error
        if len(read) > self._max_body:
            raise self._too_large(read)
        return read

    def _too_large(self, beginning: bytes) -> ProblemError:
        """Return the problem, which names the field that was begun last."""
        return ProblemError(
            413,
            f"The body may have at most {self._max_body} bytes.",
            field=self._begun_last(beginning) or self._suspect,
            place="body",
        )

    def _begun_last(self, beginning: bytes) -> str | None:
        """Return the field that was begun last in the beginning of a body."""
        begun: list[bytes] = self._field.findall(beginning)
        return begun[-1].decode() if begun else None


def _fault(body: bytes, error: Exception) -> int:
    """Return where a body stops being JSON in UTF-8; 0 where that belongs to no field."""
    try:
        body.decode()
    except UnicodeDecodeError as wrong:
        return wrong.start
    at = _BYTE.search(str(error))
    if at is None:
        return len(body)
    return 0 if "trailing" in str(error) else int(at[1])


def header(scope: Scope, name: str) -> str | None:
    """Return a header that may be there once at most.

    Raises:
        ProblemError: It is there more than once.
    """
    wanted = name.lower().encode()
    value: bytes | None = None
    for key, each in scope["headers"]:
        if key == wanted:
            if value is not None:
                raise ProblemError(400, f"Send {name} once.", field=name, place="header")
            value = each
    return None if value is None else value.decode("latin-1")


def invalid(name: str, place: Place, why: str, *, status: int = 422) -> ProblemError:
    """Return the problem of a field that breaks a rule."""
    return ProblemError(status, f"`{name}` {why[:_SHOWN]}.", field=name, place=place)


def _rules(body: type[msgspec.Struct]) -> dict[str, str]:
    """Return what each field of a body must be, in words, where its type says so."""
    return {
        name: meta.description.rstrip(".")
        for name, hint in get_type_hints(body, include_extras=True).items()
        for meta in getattr(hint, "__metadata__", ())
        if isinstance(meta, msgspec.Meta) and meta.description
    }


def invalid_body(message: str, rules: Mapping[str, str]) -> ProblemError:
    """Turn msgspec's message about a body into a problem that names the field.

    Args:
        message: What msgspec said.
        rules: What the fields must be, in words that replace msgspec's.
    """
    what, _, where = message.partition(" - at `$")
    name = where.rstrip("`").lstrip(".")
    for start in ("Object contains unknown field `", "Object missing required field `"):
        if what.startswith(start):
            name = what.removeprefix(start).rstrip("`")
    if name in rules and where:
        what = f"`{name}` must be {rules[name]}"
    return ProblemError(422, f"{what[:_SHOWN]}.", field=name[:_SHOWN] or "body", place="body")


def answer_to(error: Exception) -> Answer:
    """Return the problem document for an error; one of ours that we did not foresee is a 500."""
    known = problem_of(error) if isinstance(error, LoadpathError) else None
    if known is None:
        _log.error("a request failed", exc_info=error)
        known = ProblemError(500, "The server failed; the operator's log says why.")
    headers = ((b"content-type", MEDIA_TYPE), *JSON[1:], *known.headers)
    return Answer(msgspec.json.encode(known.problem), headers, known.problem.status)


async def send_answer(answer: Answer, send: Send) -> None:
    """Send a whole response."""
    length = (b"content-length", str(len(answer.body)).encode())
    headers = [*answer.headers] if answer.status == 304 else [*answer.headers, length]  # noqa: PLR2004
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


def _read_query(query: bytes, known: Mapping[str, Parameter]) -> dict[str, Any]:
    pairs = [pair for pair in query.split(b"&") if pair]
    if len(pairs) > _MOST_PARAMETERS:
        raise invalid("query", "query", f"may have at most {_MOST_PARAMETERS} parameters")
    found: dict[str, Any] = {}
    for pair in pairs:
        raw_name, _, raw_value = pair.partition(b"=")
        name = _unquoted(raw_name, "query")
        if name not in known:
            raise invalid(name[:_SHOWN], "query", f"means nothing here; known: {[*known]}")
        if name in found:
            raise invalid(name, "query", "is there more than once")
        found[name] = _converted(_unquoted(raw_value, name), known[name])
    return found


def _unquoted(text: bytes, field: str) -> str:
    try:
        return unquote_plus(text.decode("ascii"), errors="strict")
    except UnicodeDecodeError as error:
        raise invalid(field, "query", "is not percent-encoded UTF-8", status=400) from error


def _converted(value: str, parameter: Parameter) -> Any:
    try:
        return msgspec.convert(value, parameter.type, strict=False)
    except msgspec.ValidationError as error:
        raise ProblemError(
            422,
            f"`{parameter.name}`: {str(error)[:_SHOWN]}.",
            field=parameter.name,
            place=parameter.place,
        ) from error


def _unauthorized(detail: str) -> ProblemError:
    return ProblemError(
        401,
        detail,
        field="Authorization",
        place="header",
        headers=((b"www-authenticate", b"Bearer"),),
    )
