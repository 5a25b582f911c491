"""Behaviour of reading an nginx file, whatever stands in it: settings and notes, or a line."""

import tomllib
from typing import Final

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from loadpath.export import Imported, NginxSyntaxError, from_nginx
from loadpath.export.toml import to_toml
from loadpath.gateway.reading import problems
from loadpath.gateway.settings.gateway import GatewaySettings

PASSES: Final = (
    *("http://b", "http://b/x/", "https://b:8443", "http://[::1", "http://[::1]:80", "http://é"),
    *("http://", "http:///x", "//b", "ftp://b", "http://b?x#y", "http://u:p@b:1/", "http://b:x"),
    *("http://$host", "http://unix:/run/b.sock", "http://b:99999", "http://b/%zz"),
)
USUAL: Final[dict[str, tuple[str, ...]]] = {
    "proxy_pass": PASSES,
    "location": ("/", "/a", "/a/", "= /a", "~ ^/a$", "~* \\.png$", "^~ /a", "@n", "@n/tunnel"),
    "listen": ("80", "[::1]:80", "*:8080", "127.0.0.1:443 ssl", "unix:/run/n.sock", "localhost"),
    "server_name": ("a.example.com", "*.a.com b.a.com", "~^a", ".a.com", "_", "a.*"),
    "server": ("127.0.0.1:1", "127.0.0.1:2 weight=3", "b", "[::1]:3 backup", "unix:/b", "b down"),
    "upstream": ("b", "b c", "é", "b:80"),
    "return": ("404", "301 /x", "200 $host", "https://$host", "444"),
    "rewrite": ("^ /x break", "^/a(/.*)$ /x$1 break", "( /x", "^/a$ x break"),
    "limit_req_zone": ("$binary_remote_addr zone=z:1m rate=1r/s", "$http_a zone=z rate=30r/m"),
    "limit_req": ("zone=z", "zone=z burst=3 nodelay", "zone=y"),
    "error_page": ("418 = @n", "404 /x", "500"),
    "set": ("$loadpath_route a", "$x b"),
    "if": ("($loadpath_tunnel)", "($host)"),
    "set_real_ip_from": ("10.0.0.0/8", "10.0.0.1/8", "unix:", "host"),
    "sticky": ("cookie route", "cookie a expires=1h", "route", "cookie é"),
    "hash": ("$http_a consistent", "$cookie_b", "$remote_addr", "$uri consistent"),
    "types": ("",),
}
"""What directives usually say."""

INSIDE: Final[dict[str, tuple[str, ...]]] = {
    "http": (
        *("upstream", "server", "server", "limit_req_zone", "set_real_ip_from", "access_log"),
        *("keepalive_timeout", "client_max_body_size", "large_client_header_buffers", "gzip"),
        *("types", "map", "geo", "root", "allow"),
    ),
    "server": ("listen", "server_name", "location", "location", "ssl_certificate", "return"),
    "upstream": ("server", "server", "hash", "sticky", "keepalive", "least_conn", "random"),
    "location": (
        *("proxy_pass", "proxy_pass", "proxy_set_header", "add_header", "return", "rewrite"),
        *("root", "alias", "index", "set", "if", "error_page", "limit_req", "limit_except"),
        *("allow", "deny", "gzip", "gzip_types", "gzip_min_length", "client_max_body_size"),
        *("proxy_read_timeout", "proxy_connect_timeout", "proxy_next_upstream", "types"),
        *("proxy_next_upstream_tries", "proxy_ssl_name", "proxy_hide_header", "expires"),
    ),
    "events": ("worker_connections",),
    "limit_except": ("deny", "allow"),
    "if": ("return", "set"),
}
TOP: Final = ("http", "http", "http", "events", "worker_processes", "worker_shutdown_timeout")
NAMES: Final = tuple(
    {*TOP, *USUAL, *INSIDE, *(name for names in INSIDE.values() for name in names)}
)

ODD: Final = (
    *("", " ", "/", "//", "=", "~", "@", "^", "(", "[", "]", "\\", "$", "${", "é", "²", "\u2028"),
    *("0", "-1", "1.5s", "9" * 30, "9" * 400, "9" * 5_000, "1m", "9y", "10k", "9" * 30 + "g"),
    *("all", "off", "on", "auto", "ssl", "a b", "Host", "Upgrade", "X A", "X-A", "::", "::1"),
    *("10.0.0.0/99", "127.0.0.1:99999", "[::]:0", "[]:80", ":80", "x" * 300, "weight=²"),
    *("weight=" + "9" * 5_000, "max_fails=-1", "fail_timeout=9y", "max_conns=0"),
    *("burst=" + "9" * 50, "zone=", "rate=" + "9" * 5_000 + "r/s", "expires=" + "9" * 400),
    *("~*", "$http_", "~(", "$cookie_", "/../x", "/é", "/a?b", "*.", "*.*.a", "GET", "get"),
)  # fmt: skip


def quoted(word: str) -> str:
    """Return a word as an nginx file holds it."""
    if word and not set(word) & set(" \t;{}'\"#"):
        return word
    return "'" + word.replace("\\", "\\\\").replace("'", "\\'") + "'"


odd_words = st.lists(st.sampled_from(ODD).map(quoted), max_size=4).map(" ".join)


@st.composite
def directives(draw: st.DrawFn, around: str, depth: int = 0) -> str:
    """Return one directive that belongs into a block, mostly, with its own block."""
    usual = INSIDE.get(around, TOP if not around else NAMES)
    name = draw(st.sampled_from(usual if draw(st.integers(0, 9)) else NAMES))
    words = USUAL.get(name, ())
    said = draw(st.sampled_from(words)) if words and draw(st.integers(0, 3)) else draw(odd_words)
    if draw(st.integers(0, 5)) == 0:
        said += " " + draw(odd_words)
    is_server = name == "server" and around != "upstream"
    if depth < 4 and (is_server or (name in INSIDE and name != "server")):
        inner = draw(st.lists(directives(name, depth + 1), max_size=5))
        return f"{name} {'' if is_server else said} {{\n{''.join(inner)}}}\n"
    return f"{name} {said};\n"


files = st.lists(directives(""), min_size=1, max_size=3).map("".join)


def read(text: str) -> Imported | NginxSyntaxError:
    """Return what is read, or the only error there may be."""
    try:
        return from_nginx(text, file="f")
    except NginxSyntaxError as error:
        return error


def is_read(text: str) -> None:
    """Demand settings in the gateway's range that can be written, and lines, or an error's line."""
    imported = read(text)
    if isinstance(imported, NginxSyntaxError):
        assert str(imported).startswith(f"f:{imported.line}: ")
        return
    settings = msgspec.convert(tomllib.loads(to_toml(imported.settings)), GatewaySettings)
    assert all(each.path for each in problems(settings))
    assert all(1 <= each.line <= text.count("\n") + 1 for each in imported.notes)


@given(text=files)
@example(text="server { location / { proxy_pass http:///x; } }\n")
@example(text="server { location / { proxy_pass http://a; proxy_set_header Host ''; } }\n")
def test_a_file_is_read_with_notes_or_refused_with_its_line(text: str) -> None:
    """Anything that nginx's words can be made into."""
    is_read(text)


@pytest.mark.parametrize("name", NAMES)
def test_a_directive_may_say_anything(name: str) -> None:
    """Wherever it stands, and whatever the things around it are called."""
    for word in map(quoted, ODD):
        block = " {}" if name == "location" else ";"
        line = "".join(f"{name} {each}{block}" for each in (word, f"a {word}", f"{word} a"))
        is_read(
            f"{line}\nupstream b {{ server 127.0.0.1:1; {line} }}\n"
            f"server {{ {line}\nlocation / {{ {line}\nproxy_pass http://b; }} }}\n"
            f"upstream {word} {{ server b; }}\nserver {{ location {word} {{ root /; }} }}\n"
        )
