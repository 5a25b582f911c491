"""One table decides how requests are read; whatever goes wrong is a problem document."""

import asyncio
import json
import logging
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta
from starlette.types import Message

from loadpath.systems.timeline.api import web
from loadpath.systems.timeline.api.problems import ProblemError
from loadpath.systems.timeline.api.web import Answer, Endpoint, Operation, Parameter, Request


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """Take one word."""

    word: str


LIMIT = Parameter(
    name="limit",
    place="query",
    type=Annotated[int, Meta(ge=1, le=9)],
    about="How many.",
    default=3,
)


async def echo(request: Request) -> Answer:
    """Answer with what was read."""
    word = request.body.word if request.body else None
    said = {"word": word, "limit": request.parameters.get("limit"), "user": request.user_id}
    return Answer(msgspec.json.encode(said))


async def fail(_request: Request) -> Answer:
    """Fail in a way that nobody foresaw."""
    raise RuntimeError("secret detail")


def verify(token: str) -> int:
    """Know one token."""
    if token != "good":
        raise PermissionError("unknown")
    return 7


def operation(method: str = "GET", **changes: Any) -> Operation:
    """Return an operation that echoes."""
    return Operation(**({"method": method, "path": "/", "about": "", "handle": echo} | changes))


def scope_of(
    method: str, headers: dict[str, str], *, path: str = "/", query: str = ""
) -> dict[str, Any]:
    """Return the ASGI scope of a request."""
    return {
        "type": "http",
        "path": path,
        "method": method,
        "query_string": query.encode(),
        "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()],
        "path_params": {},
    }


async def call(
    endpoint: Endpoint,
    method: str = "GET",
    *,
    path: str = "/",
    query: str = "",
    headers: dict[str, str] | None = None,
    parts: list[bytes] | None = None,
) -> tuple[int, dict[str, str], Any]:
    """Send a request into the application, as uvicorn would."""
    scope = scope_of(method, headers or {}, path=path, query=query)
    pending = list(parts or [b""])
    sent: list[Message] = []

    async def receive() -> Message:
        if not pending:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": pending.pop(0), "more_body": bool(pending)}

    async def send(message: Message) -> None:
        sent.append(message)

    await endpoint(scope, receive, send)
    if not sent:
        return 0, {}, None
    told = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], told, json.loads(sent[1]["body"] or b"null")


def serving(*operations: Operation) -> Endpoint:
    """Return an endpoint with a small body limit."""
    return Endpoint(operations, verify=verify, max_body=100)


JSON = {"Content-Type": "application/json"}


async def test_a_request_is_read_as_described() -> None:
    """Query, token and body arrive converted; what is missing has its default."""
    endpoint = serving(operation("POST", body=Body, parameters=(LIMIT,), auth="required"))
    headers = JSON | {"Authorization": "bearer  good"}
    parts = [b'{"wo', b'rd":"hi"}']
    assert (await call(endpoint, "POST", query="limit=5", headers=headers, parts=parts))[2] == {
        "word": "hi",
        "limit": 5,
        "user": 7,
    }
    assert (await call(endpoint, "POST", headers=headers, parts=parts))[2]["limit"] == 3


async def test_another_method_hears_what_is_allowed() -> None:
    """405 lists the methods of the path, HEAD with GET."""
    status, told, _ = await call(serving(operation("GET"), operation("POST")), "PUT")
    assert (status, told["allow"]) == (405, "GET, HEAD, POST")


async def test_a_failure_tells_nothing_and_logs_everything(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A bug of ours is a 500 without its detail, which is in the log."""
    with caplog.at_level(logging.ERROR):
        status, told, problem = await call(serving(operation(handle=fail)))
    assert (status, told["content-type"]) == (500, "application/problem+json")
    assert "secret" not in json.dumps(problem)
    assert "secret detail" in caplog.text


async def test_optional_tokens_are_checked_when_there() -> None:
    """Without a token somebody unknown asks; a wrong one is refused all the same."""
    endpoint = serving(operation(auth="optional"))
    assert (await call(endpoint))[2]["user"] == 0
    assert (await call(endpoint, headers={"Authorization": "Bearer good"}))[2]["user"] == 7
    status, told, problem = await call(endpoint, headers={"Authorization": "Bearer bad"})
    assert (status, told["www-authenticate"]) == (401, "Bearer")
    assert problem["field"] == "Authorization"


@pytest.mark.parametrize("parts", [[b" " * 101], [b" " * 60, b" " * 60]])
async def test_a_body_is_read_up_to_the_limit(parts: list[bytes]) -> None:
    """One byte too many is 413 and names the body's only field."""
    endpoint = serving(operation("POST", body=Body))
    status, _, problem = await call(endpoint, "POST", headers=JSON, parts=parts)
    assert (status, problem["field"]) == (413, "word")


async def test_a_client_that_leaves_gets_no_answer() -> None:
    """Nothing is sent to who hung up in mid-body."""
    endpoint = serving(operation("POST", body=Body))
    scope = scope_of("POST", JSON | {"Content-Length": "50"})
    messages = [
        {"type": "http.request", "body": b"{", "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Message:
        return messages.pop(0)

    async def send(_message: Message) -> None:
        pytest.fail("somebody answered")

    await endpoint(scope, receive, send)


async def test_a_body_that_does_not_arrive_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that stops in mid-body is told 408, and its connection is closed."""
    monkeypatch.setattr(web, "BODY_TIMEOUT", 0.01)
    monkeypatch.setattr(web, "_DISCARD_PAUSE", 0.01)
    endpoint = serving(operation("POST", body=Body))
    sent: list[Message] = []

    async def receive() -> Message:
        await asyncio.sleep(60)
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    scope = scope_of("POST", JSON | {"Content-Length": "9"})
    await endpoint(scope, receive, send)
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]


async def cut_off(endpoint: Endpoint, parts: list[Message]) -> dict[str, Any]:
    """Cancel a request as a stopping server does, once it waits; return what it answers."""
    waits, sent = asyncio.Event(), list[Message]()

    async def receive() -> Message:
        if parts:
            return parts.pop(0)
        waits.set()
        await asyncio.sleep(60)
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    scope = scope_of("POST", JSON | {"Content-Length": "9"})
    task = asyncio.ensure_future(endpoint(scope, receive, send))
    if parts:
        await asyncio.sleep(0.01)
    else:
        await waits.wait()
    task.cancel()
    await asyncio.wait([task])
    assert sent[0]["status"] == 503
    problem: dict[str, Any] = json.loads(sent[1]["body"])
    return problem


async def wait_for_ever(_request: Request) -> Answer:
    """Work without end."""
    await asyncio.sleep(60)
    raise AssertionError


async def test_a_stopping_server_says_what_became_of_a_request() -> None:
    """Not tried while its body was on the way, in doubt once it was handed over."""
    endpoint = serving(operation("POST", body=Body, handle=wait_for_ever))
    assert (await cut_off(endpoint, []))["type"].endswith(":not-tried")
    whole: Message = {"type": "http.request", "body": b'{"word":"hi"}', "more_body": False}
    assert (await cut_off(endpoint, [whole]))["type"].endswith(":in-doubt")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"word":"a\x01"}', "word"),
        (b'{"word":"\xff"}', "word"),
        (b'{"word":"\\ud800"}', "word"),
        (b'{"word":"a"}x', "body"),
        (b"\xff", "body"),
    ],
)
async def test_a_body_that_is_no_json_names_the_field_that_was_begun(
    body: bytes, field: str
) -> None:
    """A control character or a broken one belongs to somebody."""
    endpoint = serving(operation("POST", body=Body))
    status, _, problem = await call(endpoint, "POST", headers=JSON, parts=[body])
    assert (status, problem["field"]) == (400, field)


async def test_a_path_with_a_newline_is_another_path() -> None:
    """Starlette's patterns let a last newline pass."""
    endpoint = serving(operation())
    assert (await call(endpoint, path="/\n"))[0] == 404


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ("Expected `str`, got `int` - at `$.text`", "text"),
        ("Expected `str`, got `int` - at `$.users[0].name`", "users[0].name"),
        ("Object contains unknown field `x`", "x"),
        ("Object missing required field `y`", "y"),
        ("Expected `object`, got `array`", "body"),
    ],
)
def test_the_field_is_found_in_msgspecs_words(message: str, field: str) -> None:
    """Whatever msgspec complains about has a name for the client."""
    assert web.invalid_body(message, {}).problem.field == field


async def test_problems_keep_their_headers() -> None:
    """What a problem says in headers is sent along."""

    async def busy(_request: Request) -> Answer:
        raise ProblemError(503, "busy", headers=((b"retry-after", b"3"),))

    status, told, problem = await call(serving(operation(handle=busy)))
    assert (status, told["retry-after"], problem["detail"]) == (503, "3", "busy")
