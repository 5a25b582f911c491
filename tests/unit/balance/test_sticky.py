"""A cookie survives what it should survive and tells nothing."""

import pytest

from loadpath.balance import StickyCookie


def test_the_value_depends_on_address_and_secret_only() -> None:
    """A restarted process, or another one, reads it; another secret makes another value."""
    cookie = StickyCookie(secret=b"s3cret")
    assert cookie.value("10.0.0.1:80") == StickyCookie(secret=b"s3cret").value("10.0.0.1:80")
    assert cookie.value("10.0.0.1:80") != cookie.value("10.0.0.2:80")
    assert cookie.value("10.0.0.1:80") != StickyCookie().value("10.0.0.1:80")
    assert "10.0.0.1" not in cookie.set_cookie("10.0.0.1:80")


def test_the_header_says_what_was_asked_for() -> None:
    """Every attribute where browsers look for it."""
    value = StickyCookie().value("a:80")
    assert (
        StickyCookie().set_cookie("a:80")
        == f"loadpath={value}; Path=/; HttpOnly; Secure; SameSite=Lax"
    )
    other = StickyCookie(name="lb", path="/api", max_age=60, secure=False, same_site="Strict")
    assert (
        other.set_cookie("a:80") == f"lb={value}; Path=/api; HttpOnly; Max-Age=60; SameSite=Strict"
    )


def test_the_value_is_found_among_others() -> None:
    """In a request's header, wherever it stands."""
    cookie = StickyCookie(name="lb")
    assert cookie.read("a=1; lb=value; c=3") == "value"
    assert cookie.read("lb=v=w") == "v=w"
    assert cookie.read("alb=1; lbc=2; lb") is None
    assert cookie.read("") is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "a b"),
        ("name", "a;b"),
        ("secret", b"x" * 65),
        ("path", "api"),
        ("path", "/;Domain=evil"),
        ("path", "/\r\nSet-Cookie: x"),
        ("max_age", 0),
    ],
)
def test_values_without_meaning_are_refused(field: str, value: object) -> None:
    """Nothing that would break out of the header, and the error names the field."""
    with pytest.raises(ValueError, match=field):
        StickyCookie(**{field: value})  # type: ignore[arg-type] # wrong on purpose
