"""Behaviour of written HAProxy files."""

import shlex
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from loadpath.export import to_haproxy
from loadpath.export.haproxy.quoting import formatted, quoted, replacement
from loadpath.gateway.settings.gateway import GatewaySettings
from tests.unit.export.documents import EVERYTHING_IN_HAPROXY

texts = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=40)


@given(text=texts)
def test_a_quoted_word_reads_back_as_it_is(text: str) -> None:
    """HAProxy's single quotes are those of a shell."""
    assert shlex.split(f"name {quoted(text)} end") == ["name", text, "end"]


@given(text=texts)
def test_a_format_says_the_text_alone(text: str) -> None:
    """No `%` begins an expression, and no backslash a group."""
    (word,) = shlex.split(formatted(text))
    assert word.replace("%%", "%") == (text or "%[str()]")
    assert not text or "%" not in word.replace("%%", "")
    assert replacement(text).replace("\\\\", "\\").replace("%%", "%") == text


def written(**changes: Any) -> list[str]:
    """Return the lines of a file."""
    document = EVERYTHING_IN_HAPROXY | changes
    text = to_haproxy(msgspec.convert(document, GatewaySettings))
    return [line.strip() for line in text.splitlines()]


def test_an_upstream_is_a_backend_with_checks_and_kept_connections() -> None:
    """The guide's settings, each in HAProxy's words."""
    lines = written()
    assert "balance leastconn" in lines
    assert "http-reuse safe" in lines
    assert "option httpchk" in lines
    assert "http-check expect status 200-399" in lines
    assert "timeout connect 5000ms" in lines
    (server,) = [each for each in lines if each.startswith("server e0 '127.0.0.1:3001'")]
    assert "weight 3" in server
    assert "check inter 10000ms fall 3 rise 2" in server
    assert "observe layer7 error-limit 5 on-error mark-down" in server


def test_posts_are_never_repeated() -> None:
    """`retry-on` alone would repeat them."""
    lines = written()
    assert any(each.startswith("retry-on") for each in lines)
    assert any(each.startswith("http-request disable-l7-retry if !METH_GET") for each in lines)


def test_a_prefix_takes_whole_segments_and_the_longest_first() -> None:
    """`/api` takes no `/apis`, and is asked after `/api/users`."""
    lines = written()
    longer = next(at for at, each in enumerate(lines) if "'^/api/users(/|$)'" in each)
    shorter = next(at for at, each in enumerate(lines) if "'^/api(/|$)'" in each)
    assert longer < shorter


def test_keys_that_lie_elsewhere_need_a_store() -> None:
    """Which HAProxy has since 3.0; only then it is written."""
    tls = [{"certificate": "/tls/fullchain.pem", "key": "/tls/privkey.pem"}]
    settings = msgspec.convert({"listeners": [{"tls": tls}]}, GatewaySettings)
    lines = [each.strip() for each in to_haproxy(settings).splitlines()]
    assert "crt-store loadpath" in lines
    assert "load crt '/tls/fullchain.pem' key '/tls/privkey.pem' alias c0" in lines
    assert "bind '127.0.0.1:8080' ssl crt @loadpath/c0" in lines
