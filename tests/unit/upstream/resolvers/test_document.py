"""Endpoints written down in TOML and JSON; what is wrong is named by its path."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.balance import Endpoint, EndpointSet
from loadpath.upstream import ResolveError
from loadpath.upstream.resolvers.document import read_json, read_toml

hosts = st.from_regex(r"[a-z0-9]{1,8}(\.[a-z0-9]{1,8}){0,3}", fullmatch=True)
endpoints = st.builds(
    Endpoint,
    host=hosts,
    port=st.integers(1, 65_535),
    weight=st.integers(1, 256),
    zone=st.text("abc", max_size=3),
    priority=st.integers(0, 9),
    metadata=st.dictionaries(st.text("xyz", min_size=1, max_size=2), st.text("1", max_size=2)),
)


def table(endpoint: Endpoint) -> dict[str, object]:
    """Return an endpoint as it is written down."""
    return {
        "host": endpoint.host,
        "port": endpoint.port,
        "weight": endpoint.weight,
        "zone": endpoint.zone,
        "priority": endpoint.priority,
        "metadata": dict(endpoint.metadata),
    }


@given(wanted=st.lists(endpoints, unique_by=lambda each: each.address, max_size=6))
def test_what_is_written_down_is_read(wanted: list[Endpoint]) -> None:
    """As a JSON list, as a JSON object with a name, and as TOML."""
    tables = [table(each) for each in wanted]
    assert read_json(json.dumps(tables).encode()) == EndpointSet(wanted)
    assert read_json(json.dumps({"endpoints": tables}).encode()) == EndpointSet(wanted)
    inline = ", ".join(
        "{" + ", ".join(f"{k} = {toml(v)}" for k, v in each.items()) + "}" for each in tables
    )
    assert read_toml(f"endpoints = [{inline}]".encode()) == EndpointSet(wanted)


def toml(value: object) -> str:
    """Return a value as TOML writes it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k} = {json.dumps(v)}" for k, v in value.items()) + "}"
    return json.dumps(value)


def test_addresses_and_tables_may_be_mixed() -> None:
    """A string is an address; a table says more."""
    text = b"""
    endpoints = ["10.0.0.1:80", {host = "::1", port = 81, weight = 2}]
    """
    assert [each.address for each in read_toml(text)] == ["10.0.0.1:80", "[::1]:81"]


WRONG = [
    (read_json, b"", "JSON"),
    (read_json, b'["10.0.0.1:80"', "JSON"),
    (read_json, b'"10.0.0.1:80"', "Expected `array`"),
    (read_json, b'[{"host": "a"}]', "port"),
    (read_json, b'[{"host": "a", "port": "80"}]', r"\$\[0\]\.port"),
    (read_json, b'[{"host": "a", "port": 80, "wait": 1}]', "wait"),
    (read_json, b'["a:1", "no port"]', r"\$\.endpoints\[1\].*host:port"),
    (read_json, b'[{"host": "a", "port": 80, "weight": 1000}]', r"\[0\].*weight"),
    (read_json, b'["a:1", "a:1"]', "there twice"),
    (read_json, b'{"endpoints": ["a:1"], "more": 1}', "more"),
    (read_toml, b"endpoints = [1]", r"\$\.endpoints\[0\]"),
    (read_toml, b"endpoints = [", "TOML"),
    (read_toml, b"", "endpoints"),
    (read_toml, b"\xff", "TOML"),
]


@pytest.mark.parametrize(("read", "data", "named"), WRONG)
def test_what_is_wrong_is_named(read: object, data: bytes, named: str) -> None:
    """The error says which part of the document is no endpoint, and why."""
    with pytest.raises(ResolveError, match=named):
        read(data)  # type: ignore[operator] # one of both readers
