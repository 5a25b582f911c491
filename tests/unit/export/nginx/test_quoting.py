"""Behaviour of the words that go into an nginx file: nothing gets out of its directive."""

from hypothesis import given
from hypothesis import strategies as st

from loadpath.export import NotExpressibleError, from_nginx, to_nginx
from loadpath.export.nginx.quoting import DOLLAR, literal, quoted, seconds
from loadpath.export.reading.tree import Directive, parse
from loadpath.gateway.settings.filters import HeaderRules
from loadpath.gateway.settings.gateway import GatewaySettings
from loadpath.gateway.settings.listening import Log
from loadpath.gateway.settings.routes import Match, Respond, Rewrite, Route, Static, Target
from loadpath.gateway.settings.upstreams import EndpointSettings, UpstreamSettings

texts = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=40)
hostile = st.one_of(
    texts,
    st.sampled_from(
        [
            '";}',
            '"; deny all; #',
            "'; }",
            "\\",
            '\\"',
            "$host",
            "${host}",
            "a;b",
            "{",
            "}",
            "#x",
            " ",
        ]
    ),
)


@given(text=hostile)
def test_a_quoted_word_reads_back_as_it_is(text: str) -> None:
    """Whatever it holds, it is one word."""
    (directive,) = parse(f"name {quoted(text)} end;", "f").block or []
    assert directive.args == (text, "end")


@given(text=hostile)
def test_a_literal_holds_no_variable(text: str) -> None:
    """A dollar is written as a variable that holds one, and every other one is undone."""
    (directive,) = parse(f"name {literal(text)};", "f").block or []
    (word,) = directive.args
    assert "$" not in word.replace(DOLLAR, "")
    assert word.replace(DOLLAR, "$") == text


def settings_with(text: str) -> GatewaySettings:
    """Return settings in which one text stands wherever a text may."""
    rules = HeaderRules(set={"X-A": text})
    return GatewaySettings(
        log=Log(access=text),
        upstreams={"a": UpstreamSettings(endpoints=(EndpointSettings(address="127.0.0.1:1"),))},
        routes=(
            Route(
                name="a",
                match=Match(prefix=f"/{text}", headers={"X-B": text}),
                targets=(Target(upstream="a"),),
                rewrite=Rewrite(path=f"/{text}", host=text),
                request_headers=rules,
                response_headers=rules,
            ),
            Route(name="b", match=Match(exact=f"/b{text}"), respond=Respond(body=text)),
            Route(name="c", match=Match(prefix=f"/c{text}"), static=Static(root=f"/{text}")),
        ),
    )


def shape(directive: Directive) -> object:
    """Return the names of directives and how they are nested, in any order."""
    if directive.name in ("map", "geo"):
        return directive.name, len(directive.block or ())
    inside = sorted(repr(shape(each)) for each in directive.block or ())
    return directive.name, len(directive.args), inside


@given(text=hostile.filter(lambda text: "/" not in text and "$" not in text))
def test_no_setting_changes_the_shape_of_the_file(text: str) -> None:
    """A hostile text leaves the same directives in the same places as a harmless one."""
    harmless = to_nginx(settings_with("x"))
    assert shape(parse(to_nginx(settings_with(text)), "f")) == shape(parse(harmless, "f"))


@given(control=st.sampled_from([chr(each) for each in [*range(32), 127]]))
def test_control_characters_are_refused(control: str) -> None:
    """No configuration language can quote them all."""
    try:
        to_nginx(settings_with(f"a{control}b"))
    except NotExpressibleError as error:
        assert "$.log.access" in {each.path for each in error.refusals}  # noqa: PT017 - its parts
    else:
        raise AssertionError(control)


def test_no_time_becomes_none() -> None:
    """0 would switch a bound off."""
    assert [seconds(each) for each in (0.0001, 0.5, 1.0, 1.5, 3600.0)] == [
        "1ms",
        "500ms",
        "1s",
        "1500ms",
        "3600s",
    ]


endpoints = st.lists(
    st.builds(
        EndpointSettings,
        address=st.integers(1, 65_535).map("127.0.0.1:{}".format),
        weight=st.integers(1, 256),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda each: each.address,
).map(tuple)
upstreams = st.builds(
    UpstreamSettings,
    endpoints=endpoints,
    policy=st.sampled_from(["round_robin", "least_connections", "random", "ip_hash", "ketama"]),
    keepalive=st.integers(1, 1000),
    connections=st.integers(1, 1000),
)
names = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)
fields = st.dictionaries(
    st.from_regex(r"X-[A-Z][a-z]{0,5}", fullmatch=True), texts.filter(str.strip), max_size=2
)


@st.composite
def gateways(draw: st.DrawFn) -> GatewaySettings:
    """Draw settings that an nginx file says whole and plainly."""
    services = draw(st.dictionaries(names, upstreams, min_size=1, max_size=3))
    paths = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    routes = []
    for place, path in enumerate(paths):
        match = draw(st.sampled_from([Match(prefix=f"/{path}"), Match(exact=f"/{path}")]))
        if draw(st.booleans()):
            body = draw(texts)
            routes.append(Route(name=f"r{place}", match=match, respond=Respond(body=body)))
            continue
        target = (Target(upstream=draw(st.sampled_from(sorted(services)))),)
        routes.append(
            Route(
                name=f"r{place}",
                match=match,
                targets=target,
                request_headers=HeaderRules(set=draw(fields)),
                response_headers=HeaderRules(set=draw(fields)),
                upgrade=draw(st.booleans()),
                max_body=draw(st.none() | st.integers(1, 10**9)),
            )
        )
    used = {each.upstream for route in routes for each in route.targets}
    kept = {name: each for name, each in services.items() if name in used}
    return GatewaySettings(upstreams=kept, routes=tuple(routes), workers=draw(st.integers(1, 64)))


@given(settings=gateways())
def test_what_is_written_is_read_back_as_the_same_settings(settings: GatewaySettings) -> None:
    """Whole, for everything that an nginx file says plainly."""
    imported = from_nginx(to_nginx(settings))
    assert not imported.notes
    read = imported.settings
    assert read.upstreams == settings.upstreams
    assert sorted(read.routes, key=lambda each: each.name) == list(settings.routes)
    assert (read.workers, read.listeners) == (settings.workers, settings.listeners)
    assert (read.limits, read.timeouts) == (settings.limits, settings.timeouts)
    assert read.log == settings.log
