"""What can be wrong with tokens, API keys and the server of shared counts."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from loadpath.gateway.checks.problem import Problem, key, repeated
from loadpath.gateway.settings.filters import JwtSettings
from loadpath.gateway.settings.gateway import GatewaySettings

KEYS = "api_keys"
"""What `authorise.by` calls the API keys."""


def identity_problems(settings: GatewaySettings) -> Iterator[Problem]:
    """Give what is wrong with `jwt`, `api_keys` and `redis`."""
    for name, each in settings.jwt.items():
        path = f"$.jwt{key(name)}"
        if name == KEYS:
            yield Problem(path, f"{KEYS!r} means the API keys: choose another name")
        yield from _jwt_problems(path, each)
    keys = settings.api_keys.keys
    yield from repeated("$.api_keys.keys[{}].name", (each.name for each in keys), "the name")
    yield from repeated("$.api_keys.keys[{}].sha256", (each.sha256 for each in keys), "the key")
    if settings.redis is not None and urlsplit(settings.redis.url).scheme != "redis":
        yield Problem("$.redis.url", "must look like redis://host:6379/0")


def _jwt_problems(path: str, jwt: JwtSettings) -> Iterator[Problem]:
    given = [each for each in (jwt.secret_file, jwt.key_file, jwt.jwks_url) if each]
    if len(given) != 1:
        yield Problem(path, "needs exactly one of secret_file, key_file and jwks_url")
    shared = [each.startswith("HS") for each in jwt.algorithms]
    if jwt.secret_file and not all(shared):
        yield Problem(f"{path}.algorithms", "a shared secret signs by HS256, HS384 or HS512 only")
    if (jwt.key_file or jwt.jwks_url) and any(shared):
        yield Problem(
            f"{path}.algorithms", "a public key must never be used as an HS secret: remove HS"
        )
    if jwt.jwks_url and urlsplit(jwt.jwks_url).scheme not in ("http", "https"):
        yield Problem(f"{path}.jwks_url", "must look like https://issuer/.well-known/jwks.json")
