"""The API as its users meet it: one process, a real record, plain HTTP."""

import asyncio
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import psutil
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from loadpath.core.ids import SnowflakeIds
from loadpath.local import Postgres, postgres
from loadpath.systems.timeline.record.model import NewPost, User
from loadpath.systems.timeline.record.postgres import Record
from tests.integration.timeline.processes import Api, api_process, fresh_database

Json = dict[str, Any]


def somebody() -> str:
    """Return a name that nobody has."""
    return f"u_{uuid4().hex[:20]}"


async def ask(
    api: Api, method: str, path: str, *, status: int, **request: Any
) -> tuple[Any, "aiohttp.typedefs.LooseHeaders"]:
    """Send a request, check the status, return body and headers."""
    async with api.http.request(method, path, **request) as response:
        assert response.status == status, await response.text()
        body = await response.json(content_type=None) if status not in {204, 304} else None
        return body, response.headers


async def signed_up(api: Api, record: Record) -> tuple[User, dict[str, str]]:
    """Return a new user and the header with which it asks."""
    user = await record.create_user(somebody(), None)
    return user, api.bearer(user.id)


async def test_the_first_minute(api: Api) -> None:
    """Sign up, sign in, follow, post, read: what a new user does works from end to end."""
    alice, bob = somebody(), somebody()
    headers = {}
    for name in (alice, bob):
        login = {"name": name, "password": "correct horse"}
        body, _ = await ask(api, "POST", "/users", json=login, status=201)
        assert body["name"] == name
        body, _ = await ask(api, "POST", "/sessions", json=login, status=201)
        assert body["user"] == name
        headers[name] = {"Authorization": f"Bearer {body['token']}"}
    await ask(api, "POST", f"/users/{bob}/follow", headers=headers[alice], status=204)
    post, told = await ask(
        api, "POST", "/posts", headers=headers[bob], json={"text": "안녕하세요 👋\nhi"}, status=201
    )
    assert post == {
        "id": post["id"],
        "author": bob,
        "text": "안녕하세요 👋\nhi",
        "created_at": post["created_at"],
    }
    assert told["Location"] == f"/posts/{post['id']}"
    home, _ = await ask(api, "GET", "/timelines/home", headers=headers[alice], status=200)
    assert home == {"posts": [post], "next_cursor": None}
    own, _ = await ask(api, "GET", f"/users/{bob}/posts", status=200)
    assert own["posts"] == [post]
    assert (await ask(api, "GET", told["Location"], status=200))[0] == post
    await ask(api, "DELETE", f"/users/{bob}/follow", headers=headers[alice], status=204)
    home, _ = await ask(api, "GET", "/timelines/home", headers=headers[alice], status=200)
    assert home["posts"] == []


async def test_a_name_is_given_once(api: Api) -> None:
    """The second to ask for a name hears that it is taken."""
    login = {"name": somebody(), "password": "correct horse"}
    await ask(api, "POST", "/users", json=login, status=201)
    problem, _ = await ask(api, "POST", "/users", json=login, status=409)
    assert (problem["field"], problem["in"]) == ("name", "body")


async def test_wrong_logins_cannot_be_told_apart(api: Api) -> None:
    """A wrong password and an unknown name get the same answer."""
    name = somebody()
    await ask(api, "POST", "/users", json={"name": name, "password": "correct horse"}, status=201)
    answers = []
    for who in (name, somebody()):
        wrong = {"name": who, "password": "wrong horse"}
        answers.append((await ask(api, "POST", "/sessions", json=wrong, status=401))[0])
    assert answers[0] == answers[1]


async def test_an_idempotency_key_posts_once(api: Api, api_record: Record) -> None:
    """Sent again, at once or later, a keyed request is answered alike and writes one post."""
    user, headers = await signed_up(api, api_record)
    headers |= {"Idempotency-Key": uuid4().hex}
    request = {"headers": headers, "json": {"text": "once"}, "status": 201}
    answers = await asyncio.gather(*(ask(api, "POST", "/posts", **request) for _ in range(5)))
    answers.append(await ask(api, "POST", "/posts", **request))
    assert all(body == answers[0][0] for body, _ in answers)
    own, _ = await ask(api, "GET", f"/users/{user.name}/posts", status=200)
    assert len(own["posts"]) == 1


async def test_an_idempotency_key_belongs_to_its_request(api: Api, api_record: Record) -> None:
    """Another text under the same key is refused; another user's same key is another key."""
    _, headers = await signed_up(api, api_record)
    key = {"Idempotency-Key": "same"}
    await ask(api, "POST", "/posts", headers=headers | key, json={"text": "a"}, status=201)
    problem, _ = await ask(
        api, "POST", "/posts", headers=headers | key, json={"text": "b"}, status=422
    )
    assert (problem["field"], problem["in"]) == ("Idempotency-Key", "header")
    _, others = await signed_up(api, api_record)
    await ask(api, "POST", "/posts", headers=others | key, json={"text": "b"}, status=201)


async def test_texts_are_compared_in_their_composed_form(api: Api, api_record: Record) -> None:
    """A retry by a client that spells Hangul in parts is still the same request."""
    _, headers = await signed_up(api, api_record)
    headers |= {"Idempotency-Key": "k"}
    spelled = [{"text": "가"}, {"text": "\u1100\u1161"}]
    first, again = [
        (await ask(api, "POST", "/posts", headers=headers, json=body, status=201))[0]
        for body in spelled
    ]
    assert first == again
    assert first["text"] == "가"


async def test_pages_follow_each_other_exactly(api: Api, api_record: Record) -> None:
    """Page after page shows every post once, although new ones arrive between the pages."""
    author, _ = await signed_up(api, api_record)
    reader, headers = await signed_up(api, api_record)
    await api_record.follow(reader.id, author.id)
    ids = SnowflakeIds(api_record.node)
    old = [NewPost(ids.next(), author.id, f"{n}") for n in range(50)]
    await api_record.publish(old)
    for path in ("/timelines/home", f"/users/{author.name}/posts"):
        seen: list[str] = []
        cursor = None
        while True:
            params = {"limit": "7"} | ({"cursor": cursor} if cursor else {})
            page, _ = await ask(api, "GET", path, params=params, headers=headers, status=200)
            seen += [post["text"] for post in page["posts"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
            await api_record.publish([NewPost(ids.next(), author.id, "meanwhile")])
        assert [text for text in seen if text != "meanwhile"] == [f"{n}" for n in range(49, -1, -1)]


async def test_the_default_page_has_twenty_posts(api: Api, api_record: Record) -> None:
    """Without a limit a page has 20 posts; 100 is the most."""
    author, _ = await signed_up(api, api_record)
    ids = SnowflakeIds(api_record.node)
    await api_record.publish([NewPost(ids.next(), author.id, "x") for _ in range(120)])
    path = f"/users/{author.name}/posts"
    assert len((await ask(api, "GET", path, status=200))[0]["posts"]) == 20
    most, _ = await ask(api, "GET", path, params={"limit": "100"}, status=200)
    assert len(most["posts"]) == 100


async def test_following_is_idempotent(api: Api, api_record: Record) -> None:
    """Doing it twice is doing it once; the profile shows whether the reader follows."""
    _, headers = await signed_up(api, api_record)
    other, _ = await signed_up(api, api_record)
    profile = f"/users/{other.name}"
    for method, followed in (("POST", True), ("DELETE", False)):
        for _ in range(2):
            await ask(api, method, f"{profile}/follow", headers=headers, status=204)
        body, _ = await ask(api, "GET", profile, headers=headers, status=200)
        assert body["followed"] is followed
    assert (await ask(api, "GET", profile, status=200))[0]["followed"] is None


async def test_whom_nobody_can_follow(api: Api, api_record: Record) -> None:
    """Strangers are 404, oneself is 422; both name the field."""
    me, headers = await signed_up(api, api_record)
    for method in ("POST", "DELETE"):
        problem, _ = await ask(
            api, method, f"/users/{somebody()}/follow", headers=headers, status=404
        )
        assert problem["field"] == "name"
        problem, _ = await ask(api, method, f"/users/{me.name}/follow", headers=headers, status=422)
        assert problem["field"] == "name"


async def test_a_token_of_nobody_posts_nothing(api: Api) -> None:
    """A token for a user that the record does not have is refused when it matters."""
    problem, told = await ask(
        api, "POST", "/posts", headers=api.bearer(999_999_999), json={"text": "x"}, status=401
    )
    assert problem["field"] == "Authorization"
    assert told["WWW-Authenticate"] == "Bearer"


async def test_the_health_of_the_process(api: Api) -> None:
    """It lives, it is ready, and it says that it has no rings here."""
    assert (await ask(api, "GET", "/health", status=200))[0] == {"status": "ok"}
    ready, _ = await ask(api, "GET", "/ready", status=200)
    assert ready == {"record": True, "rings": False}


async def test_head_is_get_without_a_body(api: Api) -> None:
    """HEAD tells the headers of GET."""
    async with api.http.head("/health") as response:
        assert response.status == 200
        assert response.headers["Content-Length"] == "15"
        assert await response.read() == b""


async def test_the_page_lets_no_foreign_code_in(api: Api) -> None:
    """The page's files are served with a policy, and not sent twice to who has them."""
    for path in ("/", "/page.css", "/page.js", "/icon.svg"):
        async with api.http.get(path) as response:
            assert response.status == 200
            policy = response.headers["Content-Security-Policy"]
            assert "default-src 'none'; script-src 'self'" in policy
            assert "unsafe" not in policy
            etag = response.headers["ETag"]
        async with api.http.get(path, headers={"If-None-Match": etag}) as response:
            assert response.status == 304


async def test_openapi_is_what_is_served(api: Api) -> None:
    """Every operation of the document answers, and every other method is 405 with Allow."""
    document, _ = await ask(api, "GET", "/openapi.json", status=200)
    for path, operations in document["paths"].items():
        allowed = {method.upper() for method in operations}
        url = path.format(name="nobody", id="1")
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            async with api.http.request(method, url) as response:
                if method in allowed:
                    assert response.status not in {405, 500}, (method, url)
                    assert str(response.status) in operations[method.lower()]["responses"]
                else:
                    assert response.status == 405, (method, url)
                    told = set(response.headers["Allow"].split(", "))
                    assert told == allowed | ({"HEAD"} if "GET" in allowed else set())


async def test_postgresql_down_and_up_again(tmp_path: Path) -> None:
    """While the record is down, answers are 503 that say when to retry; no restart is needed."""
    async with postgres(relaxed=True) as server, api_process(server.dsn, tmp_path) as api:
        async with Record.open(server.dsn, connections=1) as record:
            user = await record.create_user(somebody(), None)
        headers = api.bearer(user.id)
        await ask(api, "POST", "/posts", headers=headers, json={"text": "before"}, status=201)
        backends = psutil.Process(server.pid).children()
        await server.kill()
        await asyncio.to_thread(psutil.wait_procs, backends, timeout=30)  # they answer until then
        for method, path, body in (
            ("GET", "/ready", None),
            ("GET", "/timelines/home", None),
            ("POST", "/posts", {"text": "meanwhile"}),
            ("POST", "/sessions", {"name": "a", "password": "12345678"}),
        ):
            problem, told = await ask(api, method, path, headers=headers, json=body, status=503)
            assert problem["type"].endswith((":not-tried", ":in-doubt"))
            assert int(told["Retry-After"]) >= 1
        assert (await ask(api, "GET", "/health", status=200))[0] == {"status": "ok"}
        await server.start()
        await ask(api, "POST", "/posts", headers=headers, json={"text": "after"}, status=201)
        own, _ = await ask(api, "GET", f"/users/{user.name}/posts", status=200)
        assert [post["text"] for post in own["posts"]] == ["after", "before"]


async def test_doubt_is_told_and_the_same_key_resolves_it(tmp_path: Path) -> None:
    """A record that freezes in mid-commit is told as doubt; the retry finds one post."""
    async with postgres(relaxed=True) as server, api_process(server.dsn, tmp_path) as api:
        async with Record.open(server.dsn, connections=1) as record:
            user = await record.create_user(somebody(), None)
        headers = api.bearer(user.id) | {"Idempotency-Key": "k"}
        request: Json = {"headers": headers, "json": {"text": "maybe"}}
        await ask(api, "GET", "/ready", status=200)  # so that there is a connection to freeze
        backends = psutil.Process(server.pid).children()
        for process in backends:
            process.suspend()
        try:
            problem, told = await ask(api, "POST", "/posts", status=503, **request)
        finally:
            for process in backends:
                process.resume()
        assert problem["type"] == "urn:problem-type:loadpath:in-doubt"
        assert int(told["Retry-After"]) >= 1
        await ask(api, "POST", "/posts", status=201, **request)
        own, _ = await ask(api, "GET", f"/users/{user.name}/posts", status=200)
        assert [post["text"] for post in own["posts"]] == ["maybe"]


async def test_sigterm_lets_requests_finish(timeline_postgres: Postgres, tmp_path: Path) -> None:
    """Told to stop under load, the process answers what it has taken and leaves with code 0."""
    async with (
        fresh_database(timeline_postgres) as dsn,
        api_process(dsn, tmp_path) as api,
        Record.open(dsn, connections=1) as record,
    ):
        user = await record.create_user(somebody(), None)
        answered = 0

        async def post() -> None:
            nonlocal answered
            while True:
                try:
                    async with api.http.post(
                        "/posts", headers=api.bearer(user.id), json={"text": "x"}
                    ) as response:
                        assert response.status == 201
                        answered += 1
                except aiohttp.ClientConnectionError:
                    return

        posting = [asyncio.create_task(post()) for _ in range(8)]
        await asyncio.sleep(0.3)
        api.process.send_signal(signal.SIGTERM)
        assert await api.process.wait() == 0
        await asyncio.gather(*posting)
        assert answered
        assert len(await record.posts_by(user.id, limit=100_000)) >= answered


def run_api(config: Path) -> "subprocess.CompletedProcess[str]":
    """Run the API and return how it ended."""
    return subprocess.run(
        [sys.executable, "-m", "loadpath.systems.timeline.api", str(config)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


async def test_a_taken_port_is_a_clear_error(record_dsn: str, tmp_path: Path) -> None:
    """Another program has the port: one line says so and what to do."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        config = tmp_path / "c.toml"
        config.write_text(
            f'postgres = "{record_dsn}"\nrings = "{tmp_path}"\n[api]\nport = {port}\n'
        )
        ended = await asyncio.to_thread(run_api, config)
    assert ended.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in ended.stderr
    assert "choose another `api.port`" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            'postgres = "postgresql://postgres:x@127.0.0.1:1/x"\nrings = "."\n',
            "PostgreSQL does not answer",
        ),
        ("postgres = 1\n", "$.postgres"),
        (None, "cannot be read"),
    ],
)
async def test_a_start_that_cannot_be_is_a_clear_error(
    tmp_path: Path, text: str | None, said: str
) -> None:
    """No record, wrong settings, no settings: one line each, never a traceback."""
    config = tmp_path / "c.toml"
    if text is not None:
        config.write_text(text)
    ended = await asyncio.to_thread(run_api, config)
    assert ended.returncode == 1
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


async def test_two_processes_share_a_port(timeline_postgres: Postgres, tmp_path: Path) -> None:
    """A second process takes its share of the connections, and tokens of one work with both."""
    async with fresh_database(timeline_postgres) as dsn, api_process(dsn, tmp_path) as api:
        second = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "loadpath.systems.timeline.api", str(tmp_path / "timeline.toml")
        )
        try:
            async with Record.open(dsn, connections=1) as record:
                user = await record.create_user(somebody(), None)
            deadline = time.monotonic() + 20
            while not listens(second.pid, api.port):
                assert time.monotonic() < deadline
                await asyncio.sleep(0.05)
            connector = aiohttp.TCPConnector(force_close=True)
            async with aiohttp.ClientSession(api.url, connector=connector) as http:
                for _ in range(30):
                    async with http.get("/timelines/home", headers=api.bearer(user.id)) as response:
                        assert response.status == 200
        finally:
            second.terminate()
            assert await second.wait() == 0


def listens(pid: int, port: int) -> bool:
    """Return whether a process listens on a port."""
    connections = psutil.Process(pid).net_connections("tcp")
    return any(each.status == "LISTEN" and each.laddr.port == port for each in connections)


def test_tokens_are_plain_jwt(api: Api) -> None:
    """Any JWT library can read who a token speaks of, though only the record can sign one."""
    token = api.tokens.issue(7)
    claims = jwt.decode(token, api.tokens._key, algorithms=["HS256"]).claims
    assert claims["sub"] == "7"
    assert isinstance(api.tokens._key, OctKey)
