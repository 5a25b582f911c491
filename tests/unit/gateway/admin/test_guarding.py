"""Foreign names and foreign pages are kept out."""

import pytest

from loadpath.gateway.admin.guarding import check_host, check_origin
from loadpath.gateway.passing.problems import GatewayError


@pytest.mark.parametrize(
    "authority", [b"127.0.0.1:8081", b"localhost", b"[::1]:1", b"ops.internal"]
)
def test_own_names(authority: bytes) -> None:
    """Addresses, localhost, and the host of the settings."""
    check_host(authority, "ops.internal")


@pytest.mark.parametrize("authority", [b"evil.example.com:8081", b"", b"localhost.evil.com"])
def test_a_name_that_was_bound_to_us_is_refused(authority: bytes) -> None:
    """DNS rebinding."""
    with pytest.raises(GatewayError) as refused:
        check_host(authority, "127.0.0.1")
    assert refused.value.status == 421


@pytest.mark.parametrize(
    "index",
    [
        {b"origin": b"http://evil.example.com"}, {b"origin": b"null"},
        {b"origin": b"https://127.0.0.1:8081"}, {b"sec-fetch-site": b"cross-site"},
        {b"sec-fetch-site": b"same-site"},
    ],
)  # fmt: skip
def test_foreign_pages_change_nothing(index: dict[bytes, bytes]) -> None:
    """Whatever of them a browser tells."""
    with pytest.raises(GatewayError) as refused:
        check_origin(index, b"127.0.0.1:8081")
    assert refused.value.status == 403


def test_own_page_and_programs() -> None:
    """They may."""
    check_origin({}, b"127.0.0.1:8081")
    own = {b"origin": b"http://127.0.0.1:8081", b"sec-fetch-site": b"same-origin"}
    check_origin(own, b"127.0.0.1:8081")
