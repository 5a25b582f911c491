"""What the timeline's HTTP API can be asked, operation by operation."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec
from msgspec import Meta
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from loadpath import __version__
from loadpath.systems.timeline.api.assets import Asset
from loadpath.systems.timeline.api.cursors import CursorError, Cursors
from loadpath.systems.timeline.api.groupcommit import GroupCommit
from loadpath.systems.timeline.api.home import Timelines, home_page
from loadpath.systems.timeline.api.messages import (
    END,
    Credentials,
    Cursor,
    Health,
    NewUser,
    Post,
    PostId,
    PostPage,
    PostText,
    Readiness,
    Session,
    UserName,
    UserView,
    composed,
)
from loadpath.systems.timeline.api.openapi import document
from loadpath.systems.timeline.api.passwords import Passwords
from loadpath.systems.timeline.api.posts import PostCache, encoded_posts, page_body
from loadpath.systems.timeline.api.problems import ProblemError
from loadpath.systems.timeline.api.tokens import Tokens
from loadpath.systems.timeline.api.users import UserCache
from loadpath.systems.timeline.api.web import (
    JSON,
    Answer,
    Endpoint,
    Nowhere,
    Operation,
    Parameter,
    Request,
    invalid,
)
from loadpath.systems.timeline.record.model import StoredPost, User
from loadpath.systems.timeline.record.postgres import (
    NEWEST,
    NameTakenError,
    Record,
    UnknownAuthorError,
)

_LARGEST_PAGE = 100
_POST_ID = re.compile(r"[0-9]{1,19}")
_NAME = re.compile("[a-z0-9_]{1,32}")
_SOURCES: Final = {
    source: (*JSON, (b"timeline-source", source.encode())) for source in ("ring", "record")
}

NAME = Parameter(name="name", place="path", type=UserName, about="Name of a user.", required=True)
POST_ID = Parameter(name="id", place="path", type=PostId, about="Id of a post.", required=True)
CURSOR = Parameter(
    name="cursor", place="query", type=Cursor, about="Where the page before ended; none: the top."
)
LIMIT = Parameter(
    name="limit",
    place="query",
    type=Annotated[int, Meta(ge=1, le=_LARGEST_PAGE)],
    about="Most posts of the page.",
    default=20,
)
IDEMPOTENCY_KEY = Parameter(
    name="Idempotency-Key",
    place="header",
    type=Annotated[str, Meta(pattern="^[!-~]{1,255}" + END)],
    about="Made up by the client for one post; sending it again within 24 h posts nothing twice.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Hold what the operations work with.

    Attributes:
        record: What is true.
        commits: Writes posts to it.
        timelines: The rings.
        tokens: Says who asks.
        cursors: Opens pages.
        passwords: Checks logins.
        cache: Encoded posts.
        users: Users by name.
        token_lifetime: Seconds until a token expires.
    """

    record: Record
    commits: GroupCommit
    timelines: Timelines
    tokens: Tokens
    cursors: Cursors
    passwords: Passwords
    cache: PostCache
    users: UserCache
    token_lifetime: float


class TimelineApi:
    """Do what the API is asked.

    Args:
        parts: What to do it with.
        rings_ready: Says whether every shard's rings can be read.
    """

    def __init__(self, parts: Parts, *, rings_ready: Callable[[], bool]) -> None:
        self._parts = parts
        self._rings_ready = rings_ready

    def operations(self) -> list[Operation]:
        """Return everything that can be asked, the most frequent first."""
        return [
            Operation(
                method="GET",
                path="/timelines/home",
                about="Read the newest posts of those whom you follow.",
                handle=self.read_home,
                answer=PostPage,
                parameters=(CURSOR, LIMIT),
                auth="required",
            ),
            Operation(
                method="POST",
                path="/posts",
                about="Post; the answer comes when the post is committed.",
                handle=self.create_post,
                status=201,
                answer=Post,
                body=PostText,
                parameters=(IDEMPOTENCY_KEY,),
                auth="required",
            ),
            Operation(
                method="GET",
                path="/posts/{id}",
                about="Read a post.",
                handle=self.read_post,
                answer=Post,
                parameters=(POST_ID,),
                problems=(404,),
            ),
            Operation(
                method="POST",
                path="/users",
                about="Sign up.",
                handle=self.create_user,
                status=201,
                answer=UserView,
                body=NewUser,
                problems=(409,),
            ),
            Operation(
                method="GET",
                path="/users/{name}",
                about="Read about a user.",
                handle=self.read_user,
                answer=UserView,
                parameters=(NAME,),
                auth="optional",
                problems=(404,),
            ),
            Operation(
                method="GET",
                path="/users/{name}/posts",
                about="Read a user's newest posts.",
                handle=self.read_posts_of_user,
                answer=PostPage,
                parameters=(NAME, CURSOR, LIMIT),
                problems=(404,),
            ),
            Operation(
                method="POST",
                path="/users/{name}/follow",
                about="Follow a user; following twice is following once.",
                handle=self.follow,
                status=204,
                parameters=(NAME,),
                auth="required",
                problems=(404, 422),
            ),
            Operation(
                method="DELETE",
                path="/users/{name}/follow",
                about="Stop following a user.",
                handle=self.unfollow,
                status=204,
                parameters=(NAME,),
                auth="required",
                problems=(404, 422),
            ),
            Operation(
                method="POST",
                path="/sessions",
                about="Sign in: get a bearer token.",
                handle=self.create_session,
                status=201,
                answer=Session,
                body=Credentials,
                problems=(401,),
            ),
            Operation(
                method="GET",
                path="/health",
                about="Ask whether the process lives.",
                handle=self.read_health,
                answer=Health,
            ),
            Operation(
                method="GET",
                path="/ready",
                about="Ask whether the process can serve.",
                handle=self.read_readiness,
                answer=Readiness,
            ),
        ]

    async def read_home(self, request: Request) -> Answer:
        """Answer with a page of the home timeline."""
        parts, user_id = self._parts, request.user_id
        limit: int = request.parameters["limit"]
        scope = f"home:{user_id}"
        before = self._before(scope, request.parameters["cursor"])
        page = await home_page(
            parts.timelines, parts.record.home, user_id, before=before, limit=limit
        )
        posts = await encoded_posts(parts.cache, parts.record.posts, page.ids)
        cursor = parts.cursors.encode(scope, page.ids[-1]) if page.more else None
        return Answer(page_body(posts, cursor), _SOURCES[page.source])

    async def create_post(self, request: Request) -> Answer:
        """Commit a post, or find the one that the same request wrote before."""
        body: PostText = request.body
        try:
            text = composed(body.text)
        except ValueError as error:
            raise invalid("text", "body", str(error)) from error
        key: str | None = request.parameters["Idempotency-Key"]
        try:
            published = await self._parts.commits.post(
                request.user_id, text, key=key, fingerprint=_fingerprint(text)
            )
        except UnknownAuthorError as error:
            raise ProblemError(
                401,
                "The token's user is not in this record: sign in again.",
                field="Authorization",
                place="header",
                headers=((b"www-authenticate", b"Bearer"),),
            ) from error
        if not published.same:
            raise invalid(
                IDEMPOTENCY_KEY.name,
                "header",
                "was used for another post within 24 h: make up a new one for a new post",
            )
        encoded = await self._parts.cache.add(StoredPost(published.id, published.author, text))
        location = (b"location", b"/posts/%d" % published.id)
        return Answer(encoded, (*JSON, location), 201)

    async def read_post(self, request: Request) -> Answer:
        """Answer with one post."""
        text = request.path("id")
        if _POST_ID.fullmatch(text) and int(text) <= NEWEST:
            parts = self._parts
            for post in await encoded_posts(parts.cache, parts.record.posts, [int(text)]):
                return Answer(post)
        raise ProblemError(404, "No post has this id.", field="id", place="path")

    async def create_user(self, request: Request) -> Answer:
        """Add a user."""
        body: NewUser = request.body
        hashed = await self._parts.passwords.hash(body.password)
        try:
            user = await self._parts.record.create_user(body.name, hashed)
        except NameTakenError as error:
            raise ProblemError(
                409, f"The name {body.name} is taken: choose another.", field="name", place="body"
            ) from error
        location = (b"location", b"/users/" + user.name.encode())
        return Answer(msgspec.json.encode(UserView.of(user)), (*JSON, location), 201)

    async def read_user(self, request: Request) -> Answer:
        """Answer with what is known of a user."""
        user = await self._user(request)
        followed = None
        if request.user_id:
            followed = await self._parts.record.follows(request.user_id, user.id)
        return Answer(msgspec.json.encode(UserView.of(user, followed=followed)))

    async def read_posts_of_user(self, request: Request) -> Answer:
        """Answer with a page of a user's posts."""
        user = await self._user(request)
        limit: int = request.parameters["limit"]
        scope = f"posts:{user.id}"
        before = self._before(scope, request.parameters["cursor"])
        found = await self._parts.record.posts_by(user.id, before=before, limit=limit + 1)
        shown = found[:limit]
        more = len(found) > limit
        cursor = self._parts.cursors.encode(scope, shown[-1].id) if more else None
        cache = self._parts.cache
        posts = [cache.get(each.id) or await cache.add(each) for each in shown]
        return Answer(page_body(posts, cursor))

    async def follow(self, request: Request) -> Answer:
        """Follow."""
        return await self._change(request, self._parts.record.follow)

    async def unfollow(self, request: Request) -> Answer:
        """Stop following."""
        return await self._change(request, self._parts.record.unfollow)

    async def create_session(self, request: Request) -> Answer:
        """Check a password and give a token."""
        body: Credentials = request.body
        known = await self._parts.record.password_hash(body.name)
        user_id, hashed = known or (0, None)
        if not await self._parts.passwords.verify(body.password, hashed):
            raise ProblemError(
                401,
                "Name and password do not belong together.",
                field="password",
                place="body",
                headers=((b"www-authenticate", b"Bearer"),),
            )
        lifetime = self._parts.token_lifetime
        token = self._parts.tokens.issue(user_id, lifetime=lifetime)
        session = Session(token=token, expires_in=lifetime, user=body.name)
        return Answer(msgspec.json.encode(session), status=201)

    async def read_health(self, _request: Request) -> Answer:
        """Answer."""
        return Answer(msgspec.json.encode(Health()))

    async def read_readiness(self, _request: Request) -> Answer:
        """Answer when the record answers."""
        await self._parts.record.ping()
        return Answer(msgspec.json.encode(Readiness(record=True, rings=self._rings_ready())))

    def _before(self, scope: str, cursor: str | None) -> int:
        if cursor is None:
            return NEWEST
        try:
            return self._parts.cursors.decode(scope, cursor)
        except CursorError as error:
            raise invalid("cursor", "query", f"is {error}", status=400) from error

    async def _user(self, request: Request) -> User:
        name = request.path("name")
        user = await self._parts.users.find(name) if _NAME.fullmatch(name) else None
        if user is None:
            raise ProblemError(404, "No user has this name.", field="name", place="path")
        return user

    async def _change(
        self, request: Request, change: Callable[[int, int], Awaitable[None]]
    ) -> Answer:
        user = await self._user(request)
        if user.id == request.user_id:
            raise invalid("name", "path", "is you: nobody follows themselves")
        await change(request.user_id, user.id)
        return Answer(b"", JSON[1:], 204)


def application(
    operations: Sequence[Operation],
    assets: Iterable[Asset],
    *,
    verify: Callable[[str], int],
    max_body: int,
) -> ASGIApp:
    """Return the ASGI application that serves operations, their OpenAPI document and the page.

    Args:
        operations: What can be asked.
        assets: The files of the page.
        verify: Turns a bearer token into a user id, or raises `PermissionError`.
        max_body: Largest request body (bytes).
    """
    by_path: defaultdict[str, list[Operation]] = defaultdict(list)
    for operation in operations:
        by_path[operation.path].append(operation)
    paths = [
        Route(path, Endpoint(group, verify=verify, max_body=max_body))
        for path, group in by_path.items()
    ]
    openapi = Asset(
        "/openapi.json",
        msgspec.json.encode(document(operations, version=__version__)),
        "application/json",
    )
    files = [Route(asset.path, _file(asset, verify)) for asset in (openapi, *assets)]
    nowhere = Nowhere((), verify=verify, max_body=max_body)
    return Router([*paths, *files], redirect_slashes=False, default=nowhere)


def _file(asset: Asset, verify: Callable[[str], int]) -> Endpoint:
    operation = Operation(method="GET", path=asset.path, about="A file.", handle=asset.read)
    return Endpoint([operation], verify=verify, max_body=1)


def _fingerprint(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
