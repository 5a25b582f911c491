"""What is done with a request before and after its upstream, and who may send it."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from loadpath.gateway.settings.bounds import Count, Name, Part, Seconds, Text
from loadpath.gateway.settings.listening import Network

Algorithm = Literal[
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA"
]


class JwtSettings(Part, frozen=True):
    """Trust the bearer tokens of one issuer; exactly one of the three kinds of key.

    Attributes:
        algorithms: Signatures that are taken; a token never chooses for itself.
        secret_file: File with the shared secret (HS…).
        key_file: PEM or JWK file with a public key.
        jwks_url: Where the issuer publishes its keys.
        jwks_refresh: Seconds after which they are fetched again; an unknown `kid` fetches sooner.
        issuer: Required `iss`; empty for any.
        audience: Required `aud`; empty for any.
        leeway: Clock difference that is tolerated (s).
    """

    algorithms: Annotated[tuple[Algorithm, ...], Meta(min_length=1)]
    secret_file: str = ""
    key_file: str = ""
    jwks_url: str = ""
    jwks_refresh: Seconds = 300.0
    issuer: str = ""
    audience: str = ""
    leeway: Annotated[float, Meta(ge=0, le=3_600)] = 0.0


class ApiKey(Part, frozen=True):
    """Know one client by its key.

    Attributes:
        name: Who it is.
        sha256: SHA-256 of the key in hexadecimal; the key itself stands in no file.
        scopes: What it may do.
        roles: What it is.
    """

    name: Name
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    scopes: tuple[Text, ...] = ()
    roles: tuple[Text, ...] = ()


class ApiKeysSettings(Part, frozen=True):
    """Say where API keys stand.

    Attributes:
        header: Field that carries one.
        keys: The keys.
    """

    header: Name = "X-API-Key"
    keys: tuple[ApiKey, ...] = ()


class Authorisation(Part, frozen=True):
    """Say who may use a route; every condition must hold.

    Attributes:
        by: Ways to prove who one is, `jwt` names of `[jwt.NAME]` or `api_keys`; any one is enough.
        scopes: All of them are needed.
        roles: One of them is needed.
        claims: Claims of the token with the value each must have.
    """

    by: Annotated[tuple[Name, ...], Meta(min_length=1)]
    scopes: tuple[Text, ...] = ()
    roles: tuple[Text, ...] = ()
    claims: dict[str, str | int | bool] = msgspec.field(default_factory=dict)


class Cors(Part, frozen=True):
    """Let pages of other origins use a route.

    Attributes:
        origins: Origins such as `https://app.example.com`, or `*` alone.
        methods: Methods they may use.
        headers: Fields they may send.
        expose: Fields of answers they may read.
        credentials: Whether cookies go along; not with `*`.
        max_age: Seconds a browser may remember it.
    """

    origins: Annotated[tuple[Text, ...], Meta(min_length=1)]
    methods: tuple[Text, ...] = ("GET", "HEAD", "POST")
    headers: tuple[Text, ...] = ()
    expose: tuple[Text, ...] = ()
    credentials: bool = False
    max_age: Annotated[int, Meta(ge=0)] = 600


class RateLimitSettings(Part, frozen=True):
    """Bound how often one key may come.

    Attributes:
        limit: Requests in a period.
        period: Its length (s).
        burst: Requests at once.
        key: What is counted: a client address, a principal (the address before it is known), the
            route as a whole, or a header field.
        header: That field.
        shared: Count in `[redis]`, for all workers and gateways together; else each worker counts.
    """

    limit: Count
    period: Seconds = 1.0
    burst: Count = 1
    key: Literal["client", "principal", "route", "header"] = "client"
    header: str = ""
    shared: bool = False


class Compression(Part, frozen=True):
    """Compress answers that are text, for clients that take it.

    Attributes:
        encodings: In the order of preference.
        min_size: Smaller answers stay as they are (bytes), where their size is known.
        types: Media types that are compressed, `text/*` for a whole kind.
    """

    encodings: tuple[Literal["zstd", "gzip"], ...] = ("zstd", "gzip")
    min_size: Count = 1_024
    types: tuple[Text, ...] = (
        "text/*",
        "application/json",
        "application/javascript",
        "application/xml",
        "application/problem+json",
        "image/svg+xml",
    )


class Addresses(Part, frozen=True):
    """Say which client addresses may use a route; `deny` wins.

    Attributes:
        allow: Networks that may; empty for all.
        deny: Networks that may not.
    """

    allow: tuple[Network, ...] = ()
    deny: tuple[Network, ...] = ()


class HeaderRules(Part, frozen=True):
    """Change the fields of a message.

    Attributes:
        set: Fields that get this value, whatever was there.
        remove: Fields that go.
    """

    set: dict[str, str] = msgspec.field(default_factory=dict)
    remove: tuple[Text, ...] = ()


class Redis(Part, frozen=True):
    """Say where shared counts are kept.

    Attributes:
        url: `redis://host:port/db` of a Valkey or Redis server.
        unavailable: What a shared limit does without it: `allow` or `deny` the request.
    """

    url: Text
    unavailable: Literal["allow", "deny"] = "allow"
