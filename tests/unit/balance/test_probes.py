"""Probes are checked when they are made (what they do over sockets: tests/faults/balance)."""

import pytest

from loadpath.balance import Endpoint, HttpProbe, PostgresProbe, Probe, RedisProbe


def test_a_request_is_whole_and_names_the_endpoint() -> None:
    """Host is the address, or what it is told; the connection ends with the answer."""
    endpoint = Endpoint(host="::1", port=8080)
    assert HttpProbe()._request(endpoint) == (
        b"GET /health HTTP/1.1\r\nHost: [::1]:8080\r\nUser-Agent: loadpath-health\r\n"
        b"Accept: */*\r\nConnection: close\r\n\r\n"
    )
    told = HttpProbe(path="/ready?deep=1", host="orders.example")._request(endpoint)
    assert told.startswith(b"GET /ready?deep=1 HTTP/1.1\r\nHost: orders.example\r\n")


@pytest.mark.parametrize(
    ("probe", "given", "field"),
    [
        (HttpProbe, {"path": "health"}, "path"),
        (HttpProbe, {"path": "/a b"}, "path"),
        (HttpProbe, {"path": "/\r\nX: y"}, "path"),
        (HttpProbe, {"host": "a b"}, "host"),
        (HttpProbe, {"server_name": "a"}, "server_name"),
        (RedisProbe, {"user": "a"}, "user"),
        (PostgresProbe, {"user": ""}, "user"),
        (PostgresProbe, {"database": "a\0b"}, "database"),
    ],
)
def test_settings_without_meaning_are_refused(
    probe: type[Probe], given: dict[str, str], field: str
) -> None:
    """The error names the field, and nothing is sent that was not meant."""
    with pytest.raises(ValueError, match=field):
        probe(**given)
