"""Behaviour of reading an nginx file: the useful subset, and a line number for all the rest."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.export import Imported, NginxSyntaxError, from_nginx
from loadpath.export.reading.tokens import tokens
from loadpath.export.toml import to_toml
from loadpath.gateway.reading import read_settings
from loadpath.gateway.settings.filters import Addresses, HeaderRules
from loadpath.gateway.settings.routes import Respond, Rewrite, Route, Static

UPSTREAM = "upstream b { server 127.0.0.1:1; keepalive 8; }\n"


def read(server: str, http: str = UPSTREAM) -> Imported:
    """Return what a server block after some other lines means; its own lines begin at 3."""
    return from_nginx(f"{http}server {{ listen 127.0.0.1:8080;\n{server}\n}}", file="f")


def route(server: str) -> Route:
    """Return the only route of a server that is understood whole."""
    imported = read(server)
    assert not imported.notes, imported.notes
    (found,) = imported.settings.routes
    return found


def proxied(inside: str = "", path: str = "/", passed: str = "http://b") -> Route:
    """Return the route of a location that passes on."""
    return route(
        f"location {path} {{ proxy_pass {passed}; proxy_set_header Host $host; {inside} }}"
    )


def said(imported: Imported) -> list[tuple[int, str]]:
    """Return lines and kinds of notes."""
    return [(each.line, each.kind) for each in imported.notes]


def test_an_upstream_keeps_its_servers_weights_and_method() -> None:
    """Every option that a gateway has."""
    http = """upstream b {
        least_conn;
        server 127.0.0.1:1 weight=3 max_fails=2 fail_timeout=7s max_conns=9;
        server 127.0.0.1:2 max_fails=2 fail_timeout=7s max_conns=9 backup;
        keepalive 64;
    }
    """
    imported = read("location / { proxy_pass http://b; proxy_set_header Host $host; }", http)
    assert not imported.notes
    upstream = imported.settings.upstreams["b"]
    assert [(e.address, e.weight, e.backup) for e in upstream.endpoints] == [
        ("127.0.0.1:1", 3, False),
        ("127.0.0.1:2", 1, True),
    ]
    assert upstream.policy == "least_connections"
    assert (upstream.passive.max_fails, upstream.passive.fail_timeout) == (2, 7.0)
    assert (upstream.connections, upstream.keepalive) == (9, 32)


@pytest.mark.parametrize(
    ("method", "policy"),
    [
        ("", "round_robin"),
        ("ip_hash;", "ip_hash"),
        ("random;", "random"),
        ("hash $remote_addr consistent;", "ketama"),
    ],
)
def test_each_method_has_its_policy(method: str, policy: str) -> None:
    """Those that mean the same."""
    http = f"upstream b {{ {method} server 127.0.0.1:1; keepalive 8; }}\n"
    imported = read("location / { proxy_pass http://b; proxy_set_header Host $host; }", http)
    assert not imported.notes
    assert imported.settings.upstreams["b"].policy == policy


def test_of_several_methods_the_last_applies_and_the_others_are_named() -> None:
    """As in nginx, which only warns."""
    http = "upstream b {\nleast_conn;\nrandom;\nip_hash;\nserver 127.0.0.1:1; keepalive 8; }\n"
    imported = from_nginx(http, file="f")
    assert imported.settings.upstreams["b"].policy == "ip_hash"
    assert said(imported) == [(2, "mistake"), (3, "mistake")]
    assert "only ip_hash applies" in str(imported.notes[0])


@pytest.mark.parametrize(
    ("path", "passed", "rewrite"),
    [
        ("/api/", "http://b", Rewrite()),
        ("/api/", "http://b/", Rewrite(prefix="/")),
        ("/api/", "http://b/v1/", Rewrite(prefix="/v1/")),
        ("/api/", "http://b/api/", Rewrite()),
        ("= /api", "http://b/v1", Rewrite(path="/v1")),
        ("/", "http://b/", Rewrite()),
    ],
)
def test_proxy_pass_with_a_path_stands_for_what_matched(
    path: str, passed: str, rewrite: Rewrite
) -> None:
    """The rule that surprises most people."""
    assert proxied(path=path, passed=passed).rewrite == rewrite


def test_a_path_that_would_be_glued_is_named() -> None:
    """`location /api/` with `proxy_pass http://b/v1` makes `/v1user` of `/api/user`."""
    imported = read("location /api/ {\nproxy_pass http://b/v1;\nproxy_set_header Host $host; }")
    assert said(imported) == [(4, "not understood")]


def test_without_a_host_nginx_sends_the_name_of_the_upstream() -> None:
    """What the file says, not what its author thought."""
    assert route("location / { proxy_pass http://b; }").rewrite.host == "b"
    assert proxied().rewrite.host is None


def test_waits_and_repeats_belong_to_the_upstream() -> None:
    """Nginx has them in locations; what it does not say is a minute."""
    imported = read(
        "location / { proxy_pass http://b; proxy_set_header Host $host;"
        " proxy_connect_timeout 5s; proxy_read_timeout 1m30s; proxy_next_upstream off; }"
    )
    upstream = imported.settings.upstreams["b"]
    assert (upstream.timeouts.connect, upstream.timeouts.read) == (5.0, 90.0)
    assert upstream.timeouts.send == 60.0
    assert upstream.retries.tries == 1


def test_outer_blocks_count_where_a_location_says_nothing() -> None:
    """As nginx inherits: whole lists, or not at all."""
    imported = read(
        "proxy_set_header Host $host; proxy_set_header X-A a;"
        "location /a/ { proxy_pass http://b; }"
        "location /b/ { proxy_pass http://b; proxy_set_header X-B b; }"
    )
    first, second = imported.settings.routes
    assert first.request_headers == HeaderRules(set={"X-A": "a"})
    assert second.request_headers == HeaderRules(set={"X-B": "b"})
    assert second.rewrite.host == "b"


def test_answers_files_limits_and_addresses() -> None:
    """The other kinds of routes and filters."""
    assert route("location = /x { return 204; }").respond == Respond(status=204)
    assert route('location = /x { return 200 "hi; there"; }').respond == Respond(body="hi; there")
    assert route("location /a/ { root /srv; }").static == Static(root="/srv/a", precompressed=False)
    assert route("location /a/ { alias /srv/; }").static == Static(root="/srv", precompressed=False)
    assert proxied("deny 10.0.0.1; allow 10.0.0.0/8; deny all;").addresses == Addresses(
        allow=("10.0.0.0/8",), deny=("10.0.0.1",)
    )
    assert proxied("limit_except GET { deny all; }").match.methods == ("GET", "HEAD")
    assert proxied("client_max_body_size 2m;").max_body == 2_097_152


def test_a_rate_limit_is_joined_with_its_zone() -> None:
    """One of nginx's two halves says how often, the other where."""
    zone = "limit_req_zone $binary_remote_addr zone=z:10m rate=30r/m;\n"
    imported = read(
        "location / { proxy_pass http://b; proxy_set_header Host $host;"
        " limit_req zone=z burst=4 nodelay; limit_req_status 429; }",
        UPSTREAM + zone,
    )
    (found,) = imported.settings.routes
    assert found.rate_limit is not None
    assert (found.rate_limit.limit, found.rate_limit.period, found.rate_limit.burst) == (30, 60, 5)
    assert not imported.notes


@pytest.mark.parametrize(
    "line",
    [
        "auth_basic secret;",
        "include other.conf;",
        "sub_filter a b;",
        "add_header X-A $host;",
        "proxy_set_header X-A $remote_port;",
        "rewrite ^/a$ /b permanent;",
        "if ($host) { return 404; }",
        "try_files $uri /index.html;",
    ],
)
def test_what_is_not_understood_is_named_with_its_line(line: str) -> None:
    """In whichever block it stands."""
    imported = read(f"location / {{\nproxy_pass http://b;\nproxy_set_header Host $host;\n{line} }}")
    (note,) = imported.notes
    assert (note.line, note.kind) == (6, "not understood")
    assert str(note).startswith(f"f:6: {line.split(maxsplit=1)[0]}")


def test_a_prefix_without_a_slash_takes_more_in_nginx() -> None:
    """`/api` takes `/apis` there."""
    imported = read("location /api {\nproxy_pass http://b; proxy_set_header Host $host; }")
    assert said(imported) == [(3, "differs")]
    assert imported.settings.routes[0].match.prefix == "/api"


def test_a_variable_in_proxy_pass_is_named() -> None:
    """Nobody can say where it leads."""
    imported = read("location / {\nproxy_pass http://$host; }")
    assert (4, "not understood") in said(imported)


def test_listeners_and_certificates() -> None:
    """One listener for each address, with the certificates of all servers there."""
    text = """
    server { listen 443 ssl; server_name a.example.com;
        ssl_certificate /a.pem; ssl_certificate_key /a.key; location / { return 204; } }
    server { listen 443 ssl; server_name b.example.com;
        ssl_certificate /b.pem; ssl_certificate_key /b.key; location / { return 204; } }
    """
    settings = from_nginx(text).settings
    (listener,) = settings.listeners
    assert (listener.host, listener.port) == ("0.0.0.0", 443)  # noqa: S104 - what nginx means
    assert [each.names for each in listener.tls] == [("a.example.com",), ("b.example.com",)]
    hosts = [each.match.hosts for each in settings.routes]
    assert hosts == [("a.example.com",), ("b.example.com",)]


def test_what_is_read_can_be_written_as_toml_and_read_again(tmp_path: Path) -> None:
    """The file that `loadpath import` writes is one that the gateway takes."""
    settings = read("location / { proxy_pass http://b; }").settings
    (tmp_path / "gateway.toml").write_text(to_toml(settings))
    assert read_settings(tmp_path / "gateway.toml") == settings


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\nb", 1),
        ("a;\n}", 2),
        ("a {\nb;", 1),
        ("a {}\nb {\nc {}\n", 2),
        ("\ufeffa;", 1),
        ("a;\nb 'x;", 2),
        ("a 'x'y;", 1),
        (";", 1),
        ("a { b }", 1),
        ("a {" * 60, 1),
    ],
)
def test_what_nginx_would_not_read_is_an_error_with_its_line(text: str, line: int) -> None:
    """Half a file is no file."""
    with pytest.raises(NginxSyntaxError) as caught:
        from_nginx(text, file="f")
    assert caught.value.line == line
    assert str(caught.value).startswith(f"f:{line}: ")


@given(text=st.text(st.sampled_from("ab ;{}\"'\\$#\n/"), max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing else can happen."""
    try:
        from_nginx(text)
    except NginxSyntaxError:
        return


def test_comments_quotes_and_variables_are_cut_as_nginx_cuts_them() -> None:
    """One word each."""
    words = [each.text for each in tokens('a#b \'c d\' "e\\"f" ${x} \\; # no\n;', "f")]
    assert words == ["a#b", "c d", 'e"f', "${x}", "\\;", ";"]


@pytest.mark.parametrize(
    "name",
    [
        *("client_max_body_size", "add_header", "alias", "allow", "index", "keepalive", "listen"),
        *("proxy_pass", "proxy_set_header", "return", "rewrite", "root", "set", "access_log"),
        *("worker_processes", "ssl_certificate", "proxy_hide_header", "set_real_ip_from"),
    ],
)
def test_a_directive_without_its_words_is_named(name: str) -> None:
    """Wherever it stands."""
    text = f"{name};\nserver {{ {name};\nlocation / {{ {name};\nproxy_pass http://b; }} }}"
    imported = from_nginx(text, file="f")
    assert {1, 2, 3} <= {each.line for each in imported.notes}
