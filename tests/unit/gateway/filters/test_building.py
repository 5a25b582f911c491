"""Which filters a route has, in which order, and what they share across reloads."""

import json
from pathlib import Path

import pytest

from loadpath.gateway.filters.addresses import AddressFilter
from loadpath.gateway.filters.authorise import AuthoriseFilter
from loadpath.gateway.filters.building import FilterParts
from loadpath.gateway.filters.compression import CompressionFilter
from loadpath.gateway.filters.cors import CorsFilter
from loadpath.gateway.filters.errors import KeyFileError
from loadpath.gateway.filters.ratelimit import RateLimitFilter
from loadpath.gateway.settings.filters import (
    Addresses,
    Authorisation,
    Compression,
    Cors,
    JwtSettings,
    RateLimitSettings,
    Redis,
)
from loadpath.gateway.settings.gateway import GatewaySettings
from loadpath.gateway.settings.routes import Respond, Route
from tests.unit.gateway.filters.exchanges import asked
from tests.unit.gateway.filters.tokenkit import SECRET, signed

NOWHERE = "http://127.0.0.1:1/jwks.json"
PUBLISHED = JwtSettings(algorithms=("RS256",), jwks_url=NOWHERE)
ALL = Route(
    name="all",
    respond=Respond(),
    addresses=Addresses(deny=("192.0.2.0/24",)),
    cors=Cors(origins=("*",)),
    authorise=Authorisation(by=("main", "api_keys")),
    compress=Compression(),
    rate_limit=RateLimitSettings(limit=1),
)


@pytest.mark.parametrize(
    ("key", "order"),
    [
        ("client", [AddressFilter, CorsFilter, RateLimitFilter, AuthoriseFilter]),
        ("principal", [AddressFilter, CorsFilter, AuthoriseFilter, RateLimitFilter]),
    ],
)
async def test_filters_are_met_in_a_visible_order(key: str, order: list[type]) -> None:
    """A limit by address is before signatures cost anything, one by principal after it is known."""
    limit = RateLimitSettings(limit=1, key=key)  # type: ignore[arg-type] # of the table
    route = ALL.__class__(**{**_fields(ALL), "rate_limit": limit})
    settings = GatewaySettings(jwt={"main": PUBLISHED}, routes=(route,))
    parts = FilterParts()
    await parts.prepare(settings)
    made = [type(each) for each in parts.filters_of(route, settings)]
    assert made == [*order, CompressionFilter]
    await parts.aclose()


def _fields(route: Route) -> dict[str, object]:
    return {name: getattr(route, name) for name in route.__struct_fields__}


async def test_a_plain_route_has_none() -> None:
    """Nobody pays for what is not asked."""
    route = Route(name="plain", respond=Respond())
    assert FilterParts().filters_of(route, GatewaySettings(routes=(route,))) == ()


async def test_what_is_unchanged_outlives_a_reload() -> None:
    """Keys and counts are taken over; what nothing needs any more is closed."""
    route = Route(name="r", respond=Respond(), authorise=Authorisation(by=("main",)))
    redis = Redis(url="redis://127.0.0.1:1/0")
    old = GatewaySettings(jwt={"main": PUBLISHED}, redis=redis)
    new = GatewaySettings(jwt={"main": PUBLISHED, "two": PUBLISHED}, routes=(route,), redis=redis)
    parts = FilterParts()
    await parts.prepare(old)
    issuers, shared = dict(parts._issuers), dict(parts._shared)
    await parts.prepare(new)
    await parts.release(old)
    assert parts._issuers["main", PUBLISHED] is issuers["main", PUBLISHED]
    assert parts._shared == shared
    await parts.prepare(GatewaySettings())
    await parts.release(new)
    assert not parts._issuers
    assert not parts._shared


async def test_settings_that_end_take_nothing_from_those_that_begin() -> None:
    """The old ones may be released while the next ones are prepared, or refused beside them."""
    one = GatewaySettings(jwt={"main": PUBLISHED})
    two = GatewaySettings(jwt={"main": PUBLISHED, "two": PUBLISHED})
    parts = FilterParts()
    await parts.prepare(one)
    await parts.prepare(two)
    refused = GatewaySettings(jwt={"three": PUBLISHED})
    await parts.prepare(refused)
    await parts.release(refused)
    await parts.release(one)
    assert sorted(name for name, _ in parts._issuers) == ["main", "two"]
    await parts.aclose()


async def test_a_reload_reads_files_of_keys_again(tmp_path: Path) -> None:
    """A secret is changed in its file, the settings stay the same; an unchanged one is kept."""
    file = tmp_path / "secret"
    jwt = JwtSettings(algorithms=("HS256",), secret_file=str(file))
    route = Route(name="r", respond=Respond(), authorise=Authorisation(by=("main",)))
    settings = GatewaySettings(jwt={"main": jwt}, routes=(route,))
    parts = FilterParts()
    good = asked(fields={"Authorization": f"Bearer {signed(json.dumps({}).encode())}"})
    issuers = []
    for secret, status in ((SECRET, None), (SECRET + b"\n", None), (b"x" * 40, 401)):
        file.write_bytes(secret)
        await parts.prepare(settings)
        issuers.append(parts._issuers["main", jwt].issuer)
        (filter_,) = parts.filters_of(route, settings)
        assert isinstance(filter_, AuthoriseFilter)
        reply = await filter_.enter(good)
        assert (reply and reply.head.status) == status
    await parts.prepare(settings)
    assert parts._issuers["main", jwt].issuer is issuers[-1]
    assert issuers[0] is not issuers[-1]


@pytest.mark.parametrize(
    ("jwt", "message"),
    [
        ({"algorithms": ("HS256",), "secret_file": "short"}, r"\$\.jwt\.main: short: .* 32 bytes"),
        ({"algorithms": ("RS256",), "key_file": "short"}, r"\$\.jwt\.main: short: not a public"),
        ({"algorithms": ("RS256",), "jwks_url": "http://a b/"}, r"\$\.jwt\.main: http://a b/"),
    ],
)
async def test_what_cannot_be_used_is_told_with_its_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jwt: dict[str, object], message: str
) -> None:
    """Refused settings are released like others, and leave nothing."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "short").write_bytes(b"short")
    parts = FilterParts()
    settings = GatewaySettings(jwt={"main": JwtSettings(**jwt)})  # type: ignore[arg-type] # of the table
    with pytest.raises(KeyFileError, match=message):
        await parts.prepare(settings)
    await parts.release(settings)
    assert not parts._held
    assert not parts._issuers
