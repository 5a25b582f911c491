"""Whatever a client sends, it gets a problem document that names the field, and never a 500.

Here stand the cases one can think of, and a search (Hypothesis) for those one cannot.
"""

import asyncio
import io
import json
from contextlib import closing
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from yarl import URL

from loadpath.systems.timeline.api.protocol import MAX_HEAD
from loadpath.systems.timeline.record.postgres import Record
from tests.integration.timeline.processes import Api

SQL = [
    "'; DROP TABLE posts; --",
    '" OR 1=1 --',
    "admin'--",
    "1; SELECT pg_sleep(10)",
    "$$; $1; %s; {0}",
    "\\'; COPY users TO PROGRAM 'id'; --",
]
HOSTILE = [
    *SQL,
    "",
    " ",
    "\0",
    "a\0b",
    "\x1b[31m",
    "\x7f",
    "\u202e\u2066",
    "é",
    "\ufeff",
    "\uffff",
    "💥" * 50,
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "A" * 5_000,
    "-1",
    "1e309",
    "NaN",
    "null",
    "9" * 400,
]


async def problem_of(api: Api, method: str, path: str | URL, **request: Any) -> dict[str, Any]:
    """Send a request that must fail, and return its problem document."""
    async with api.http.request(method, path, **request) as response:
        body = await response.read()
        assert 400 <= response.status < 500, (response.status, body)
        assert response.headers["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = json.loads(body)
    assert problem["status"] == response.status
    assert problem["type"]
    assert problem["title"]
    assert problem["detail"]
    return problem


@pytest.fixture(scope="module")
async def headers(api: Api, api_record: Record) -> dict[str, str]:
    """Return the headers of a user of this module."""
    user = await api_record.create_user(f"u_{uuid4().hex[:20]}", None)
    return api.bearer(user.id) | {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (1, 422),
        (None, 422),
        (True, 422),
        (["a"], 422),
        ({"a": 1}, 422),
        (1.5, 422),
        ("", 422),
        ("a" * 281, 422),
        ("\0", 422),
        ("a\x07b", 422),
        ("a\rb", 422),
        ("\x85", 422),
        ("a" * 60_000, 422),
        ("a" * 1_048_576, 413),
    ],
    ids=lambda value: repr(value)[:12],
)
async def test_wrong_texts(api: Api, headers: dict[str, str], text: object, status: int) -> None:
    """A text of the wrong type, length or characters is refused by name, up to a megabyte."""
    body = io.BytesIO(json.dumps({"text": text}).encode())
    problem = await problem_of(api, "POST", "/posts", headers=headers, data=body)
    assert (problem["status"], problem["field"], problem["in"]) == (status, "text", "body")


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"", 400, "body"),
        (b"{", 400, "body"),
        (b"{}", 422, "text"),
        (b"[]", 422, "body"),
        (b"null", 422, "body"),
        (b'"text"', 422, "body"),
        (b'{"text":"a","textt":"b"}', 422, "textt"),
        (b'{"text":"a","id":1}', 422, "id"),
        (b'{"text":"a"}x', 400, "body"),
        (b'{"text":"a",}', 400, "body"),
        (b'{"text":"\xff\xfe"}', 400, "text"),
        (b'{"text":"\xed\xa0\x80"}', 400, "text"),
        (b'{"text":"\\ud800"}', 400, "text"),
        (b'{"text":"\\udc00\\ud800"}', 400, "text"),
        (b'{"text":"\\u0000"}', 422, "text"),
        (b'{"text":"a\nb"}', 400, "text"),
        (b"\xef\xbb\xbf" + b'{"text":"a"}', 400, "body"),
        ('{"text":"a"}'.encode("utf-16"), 400, "body"),
        (b'{"text":' + b"[" * 30_000, 422, "text"),
        (b"[" * 60_000, 422, "body"),
        (b'{"a":' * 10_000, 422, "a"),
        (b'{"text":NaN}', 400, "text"),
        (b"text=a", 400, "body"),
    ],
    ids=lambda value: repr(value)[:24],
)
async def test_wrong_bodies(
    api: Api, headers: dict[str, str], body: bytes, status: int, field: str
) -> None:
    """What is no JSON is 400, JSON of another shape is 422, and the field is named."""
    problem = await problem_of(api, "POST", "/posts", headers=headers, data=body)
    assert (problem["status"], problem["field"], problem["in"]) == (status, field, "body")


@pytest.mark.parametrize(
    "media_type",
    ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "", "a" * 1_000],
)
async def test_wrong_media_types(api: Api, headers: dict[str, str], media_type: str) -> None:
    """A body that does not say that it is JSON is 415."""
    asked = headers | {"Content-Type": media_type}
    problem = await problem_of(api, "POST", "/posts", headers=asked, data=b'{"text":"a"}')
    assert (problem["status"], problem["field"]) == (415, "Content-Type")


async def test_a_charset_is_allowed(api: Api, headers: dict[str, str]) -> None:
    """`application/json; charset=utf-8` is JSON, whatever the case of its letters."""
    asked = headers | {"Content-Type": "Application/JSON; charset=UTF-8"}
    async with api.http.post("/posts", headers=asked, data=b'{"text":"a"}') as response:
        assert response.status == 201


@pytest.mark.parametrize("name", ["", "A", "a b", "a" * 33, "a\n", "é", "a\0", 1, None, *SQL])
async def test_wrong_names_at_sign_up_and_login(api: Api, name: object) -> None:
    """Names that nobody can have are refused by name at both doors."""
    for path in ("/users", "/sessions"):
        body = {"name": name, "password": "correct horse"}
        problem = await problem_of(api, "POST", path, json=body)
        assert (problem["status"], problem["field"]) == (422, "name")


@pytest.mark.parametrize("password", ["", "short", "a" * 129, 12345678, None, ["a" * 8]])
async def test_wrong_passwords(api: Api, password: object) -> None:
    """Passwords of another type or length are refused by name before any hashing."""
    for path in ("/users", "/sessions"):
        problem = await problem_of(api, "POST", path, json={"name": "a", "password": password})
        assert (problem["status"], problem["field"]) == (422, "password")


@pytest.mark.parametrize("password", ["\0" * 8, *(sql.ljust(8) for sql in SQL), "비밀번호입니다아"])
async def test_strange_passwords_are_only_passwords(api: Api, password: str) -> None:
    """NUL, SQL and Hangul in a password are characters like others."""
    login = {"name": f"u_{uuid4().hex[:20]}", "password": password}
    async with api.http.post("/users", json=login) as response:
        assert response.status == 201
    async with api.http.post("/sessions", json=login) as response:
        assert response.status == 201


@pytest.mark.parametrize("text", [text for text in HOSTILE if 0 < len(text) <= 280])
async def test_hostile_texts_are_only_texts(api: Api, headers: dict[str, str], text: str) -> None:
    """A text is stored and shown character for character, or refused by name."""
    async with api.http.post("/posts", headers=headers, json={"text": text}) as response:
        body = await response.json(content_type=None)
        if response.status == 422:
            assert body["field"] == "text"
            return
        assert response.status == 201
    async with api.http.get(f"/posts/{body['id']}") as response:
        assert (await response.json())["text"] == text


@pytest.mark.parametrize(
    "limit",
    ["0", "-1", "101", "1e3", "1.5", "", "a", "٣", " 5", "0x10", "+5", "9" * 400, "5\0", *SQL],
)
@pytest.mark.parametrize("path", ["/timelines/home", "/users/nobody/posts"])
async def test_wrong_limits(api: Api, headers: dict[str, str], path: str, limit: str) -> None:
    """A limit that is no number from 1 to 100 is refused by name."""
    problem = await problem_of(api, "GET", path, headers=headers, params={"limit": limit})
    assert (problem["status"], problem["field"], problem["in"]) == (422, "limit", "query")


@pytest.mark.parametrize("cursor", [*HOSTILE, "A" * 22, "=AAAAAAAAAAAAAAAAAAAAA", "-" * 22])
async def test_forged_cursors(api: Api, headers: dict[str, str], cursor: str) -> None:
    """A cursor that we did not give out is refused by name."""
    problem = await problem_of(
        api, "GET", "/timelines/home", headers=headers, params={"cursor": cursor}
    )
    assert (problem["status"], problem["field"], problem["in"]) == (400, "cursor", "query")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=5&limit=6", "limit"),
        ("cursor=a&cursor=b", "cursor"),
        ("page=2", "page"),
        ("limit=5&Limit=6", "Limit"),
        ("=", ""),
        ("%00=1", "\0"),
        ("limit=%ff", "limit"),
        ("%ff=1", "query"),
        ("&".join(f"limit={n}" for n in range(1, 18)), "query"),
        ("&".join(f"a{n}=1" for n in range(100)), "query"),
    ],
)
async def test_wrong_queries(api: Api, headers: dict[str, str], query: str, field: str) -> None:
    """Twice the same, unknown, too many, or not UTF-8: refused, and named where it has a name."""
    url = URL(f"/timelines/home?{query}", encoded=True)
    problem = await problem_of(api, "GET", url, headers=headers)
    assert problem["in"] == "query"
    assert problem["field"] == field


@pytest.mark.parametrize("name", [name for name in HOSTILE if name.strip()])
async def test_hostile_paths(api: Api, headers: dict[str, str], name: str) -> None:
    """Whatever stands in the place of a name or an id, nothing is found there."""
    word = quote(name, safe="")
    for method, path in (
        ("GET", f"/users/{word}"),
        ("GET", f"/users/{word}/posts"),
        ("POST", f"/users/{word}/follow"),
        ("DELETE", f"/users/{word}/follow"),
        ("GET", f"/posts/{word}"),
        ("GET", f"/{word}"),
    ):
        problem = await problem_of(api, method, URL(path, encoded=True), headers=headers)
        assert problem["status"] in {404, 405}


@pytest.mark.parametrize(
    "id_", ["0", "-1", "99999999999999999999", "9223372036854775808", "9" * 5000, "1.0", "٣"]
)
async def test_ids_that_no_post_has(api: Api, id_: str) -> None:
    """Numbers beyond the database's own, and what only looks like a number, are not found."""
    problem = await problem_of(api, "GET", URL(f"/posts/{quote(id_)}", encoded=True))
    assert (problem["status"], problem["field"]) == (404, "id")


@pytest.mark.parametrize(
    "value",
    ["", "Bearer", "Bearer ", "Basic YTpi", "bearer x", "Bearer a.b.c", "Bearer " + "é" * 9]
    + ["Bearer " + word for word in SQL]
    + ["Bearer " + "a" * 9_000],
)
async def test_forged_tokens(api: Api, value: str) -> None:
    """No token, another scheme, and whatever is not ours: 401 that says how to do it."""
    raw = {"Authorization": value.encode("latin-1").decode("latin-1")}
    for method, path in (("GET", "/timelines/home"), ("POST", "/posts"), ("GET", "/users/a")):
        problem = await problem_of(api, method, path, headers=raw)
        assert (problem["status"], problem["field"]) == (401, "Authorization")


@pytest.mark.parametrize("key", ["", " ", "a b", "é", "a" * 256])
async def test_wrong_idempotency_keys(api: Api, headers: dict[str, str], key: str) -> None:
    """A key is 1-255 visible ASCII characters."""
    asked = headers | {"Idempotency-Key": key}
    problem = await problem_of(api, "POST", "/posts", headers=asked, json={"text": "a"})
    assert (problem["status"], problem["field"]) == (422, "Idempotency-Key")


@pytest.mark.parametrize("key", SQL)
async def test_sql_in_idempotency_keys(api: Api, headers: dict[str, str], key: str) -> None:
    """SQL in a key is only a key, used once per test run."""
    asked = headers | {"Idempotency-Key": key.replace(" ", "_")}
    for _ in range(2):
        async with api.http.post("/posts", headers=asked, json={"text": "a"}) as response:
            assert response.status == 201


async def raw(api: Api, request: bytes, *, close: bool = False) -> tuple[int, dict[str, Any]]:
    """Send bytes, return status and problem document of the first answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    try:
        writer.write(request)
        if close:
            writer.write_eof()
        async with asyncio.timeout(20):
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            told = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
            body = await reader.readexactly(int(told["content-length"]))
    finally:
        writer.close()
    status = int(lines[0].split()[1])
    if status >= 400:
        assert told["content-type"] == "application/problem+json"
    return status, json.loads(body)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"rubbish\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET /health HTTP/9.9\r\n\r\n", 400),
        (b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"BREW /posts HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\nHost: a\r\nBad Header: x\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\nHost: a\r\nX: " + b"a" * (MAX_HEAD + 1) + b"\r\n\r\n", 431),
        (b"GET /health HTTP/1.1\r\nHost: a\r\nX: " + b"a" * (MAX_HEAD * 8), 431),
        (b"GET /health HTTP/1.1\r\n" + b"A: b\r\n" * 4_000 + b"\r\n", 431),
        (b"GET /" + b"a" * (MAX_HEAD + 1) + b" HTTP/1.1\r\nHost: a\r\n\r\n", 431),
        (b"POST /posts HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /posts HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST /users HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (
            (
                b"GET /timelines/home HTTP/1.1\r\nHost: a\r\n"
                b"Authorization: Bearer a\r\nAuthorization: b\r\n\r\n"
            ),
            400,
        ),
        (b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n", 200),
    ],
    ids=lambda value: repr(value)[:40],
)
async def test_broken_http(api: Api, request_: bytes, status: int) -> None:
    """What is not HTTP, or too much of it, is refused with a problem document too."""
    assert (await raw(api, request_))[0] == status


async def test_a_chunked_body_is_read_up_to_the_limit(api: Api, headers: dict[str, str]) -> None:
    """A body without a length is cut off at the limit, and a small one is a body."""
    head = b"POST /posts HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode() + b"\r\n"
    status, post = await raw(api, head + b'7\r\n{"text"\r\n5\r\n:"a"}\r\n0\r\n\r\n')
    assert (status, post["text"]) == (201, "a")
    chunk = b"2000\r\n" + b" " * 0x2000 + b"\r\n"
    status, problem = await raw(api, head + chunk * 20)
    assert (status, problem["field"]) == (413, "text")


async def test_a_body_that_breaks_off_leaves_nothing(api: Api, api_record: Record) -> None:
    """A client that leaves in mid-body posts nothing and troubles nobody."""
    user = await api_record.create_user(f"u_{uuid4().hex[:20]}", None)
    token = api.bearer(user.id)["Authorization"]
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(
        b"POST /posts HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        b"Content-Length: 100\r\nAuthorization: " + token.encode() + b'\r\n\r\n{"text":"a"}'
    )
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert not await reader.read()
    await asyncio.sleep(0.1)
    assert await api_record.posts_by(user.id, limit=1) == []
    async with api.http.get("/health") as response:
        assert response.status == 200


@pytest.mark.parametrize("path", ["/posts", "/nothing", "/users", "/timelines/home"])
async def test_a_client_that_sends_first_and_listens_later_hears_the_answer(
    api: Api, path: str
) -> None:
    """A megabyte that is refused early is taken all the same, or the client would see a reset."""
    body = b'{"text":"' + b"a" * 1_048_576 + b'"}'

    def post() -> int:
        connection = HTTPConnection("127.0.0.1", api.port, timeout=20)
        headers = {"Content-Type": "application/json", "Connection": "close"}
        with closing(connection):
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            assert answer.headers["Content-Type"] == "application/problem+json"
            return answer.status

    for _ in range(5):
        assert 400 <= await asyncio.to_thread(post) < 500


async def test_unknown_paths_and_methods(api: Api) -> None:
    """Nothing there is 404; there, but not so, is 405 with what is allowed."""
    assert (await problem_of(api, "GET", "/nothing"))["status"] == 404
    assert (await problem_of(api, "GET", "/users/"))["status"] == 404
    assert (await problem_of(api, "GET", "/timelines/home/"))["status"] == 404
    assert (await problem_of(api, "DELETE", "/posts"))["status"] == 405


def words() -> st.SearchStrategy[str]:
    """Return strings of the kinds that break things."""
    return st.sampled_from(HOSTILE) | st.text(max_size=60) | st.text("0123456789-.e", max_size=12)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["text", "name", "password", "cursor"]) | words(), inner, max_size=4
        )
    ),
    max_leaves=8,
)
PATHS = st.sampled_from(
    [
        "/posts",
        "/posts/{}",
        "/users",
        "/users/{}",
        "/users/{}/posts",
        "/users/{}/follow",
        "/timelines/home",
        "/sessions",
        "/health",
        "/{}",
        "/openapi.json",
    ]
)
HEADER_WORDS = st.text(
    st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=40
)


@settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    method=st.sampled_from(["GET", "POST", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS"]),
    path=PATHS,
    word=words(),
    query=st.lists(st.tuples(st.sampled_from(["cursor", "limit"]) | words(), words()), max_size=3),
    body=JSON_VALUES | st.binary(max_size=200),
    extra=st.dictionaries(
        st.sampled_from(["Idempotency-Key", "Content-Type", "Authorization", "X-Any"]),
        HEADER_WORDS,
        max_size=2,
    ),
    signed_in=st.booleans(),
)
async def test_no_request_is_a_500(
    api: Api,
    headers: dict[str, str],
    *,
    method: str,
    path: str,
    word: str,
    query: list[tuple[str, str]],
    body: Any,
    extra: dict[str, str],
    signed_in: bool,
) -> None:
    """Random requests get an answer below 500, and every refusal is a problem document."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    target = path.format(quote(word.encode("utf-8", "replace"), safe=""))
    asked = "&".join(f"{_escaped(name)}={_escaped(value)}" for name, value in query)
    url = URL(f"{target}?{asked}" if asked else target, encoded=True)
    sent = (headers if signed_in else {"Content-Type": "application/json"}) | extra
    async with api.http.request(method, url, data=data, headers=sent) as response:
        answer = await response.read()
        assert response.status < 500, answer
        if response.status >= 400 and method != "HEAD":
            assert response.headers["Content-Type"] == "application/problem+json"
            problem = json.loads(answer)
            assert problem["status"] == response.status
            if response.status in {413, 415, 422}:
                assert "field" in problem


def _escaped(word: str) -> str:
    return quote(word.encode("utf-8", "replace"), safe="")


@pytest.mark.parametrize("path", ["/users", "/sessions"])
@pytest.mark.parametrize("field", ["name", "password"])
async def test_the_field_that_is_too_large_is_named(api: Api, path: str, field: str) -> None:
    """Of several fields, the one in which a body of a megabyte passes the limit."""
    body = {"name": "alice", "password": "long enough"} | {field: "a" * 1_048_576}
    problem = await problem_of(
        api,
        "POST",
        path,
        data=io.BytesIO(json.dumps(body).encode()),
        headers={"Content-Type": "application/json"},
    )
    assert (problem["status"], problem["field"]) == (413, field)


@pytest.mark.parametrize(
    "hosts", ["", "Host: a\r\nHost: b\r\n"], ids=["without a host", "two hosts"]
)
async def test_a_request_has_one_host(api: Api, hosts: str) -> None:
    """RFC 9112, 3.2: a server must refuse others."""
    request = f"GET /health HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n"
    status, problem = await raw(api, request.encode())
    assert (status, problem["field"]) == (400, "Host")


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("name", "No Capitals!", "`name` must be 1-32 of a-z, 0-9 and _."),
        ("password", "short", "`password` must be 8-128 characters."),
        ("password", 12345678, "`password` must be 8-128 characters."),
    ],
)
async def test_rules_are_told_in_words(api: Api, field: str, value: object, rule: str) -> None:
    """People read these on the page, so no regular expression reaches them."""
    body = {"name": "alice", "password": "long enough"} | {field: value}
    problem = await problem_of(api, "POST", "/users", json=body)
    assert (problem["field"], problem["detail"]) == (field, rule)
