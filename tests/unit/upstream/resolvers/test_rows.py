"""Rows and hashes as endpoints; what is wrong is named by its place."""

import pytest

from loadpath.balance import Endpoint
from loadpath.upstream import ResolveError
from loadpath.upstream.resolvers.rows import from_addresses, from_hash, from_rows


def test_rows() -> None:
    """Columns that are not there or null have their defaults; the order is by address."""
    found = from_rows(
        [
            {"host": "b", "port": 80, "weight": 2, "zone": "z", "priority": 1, "other": 9},
            {"host": "a", "port": 80, "weight": None},
        ]
    )
    assert list(found) == [
        Endpoint(host="a", port=80),
        Endpoint(host="b", port=80, weight=2, zone="z", priority=1),
    ]


def test_a_hash() -> None:
    """A value is a weight, an object, or nothing."""
    found = from_hash({"b:80": "3", "a:80": "", "[::1]:81": '{"weight": 2, "zone": "z"}'})
    assert list(found) == [
        Endpoint(host="::1", port=81, weight=2, zone="z"),
        Endpoint(host="a", port=80),
        Endpoint(host="b", port=80, weight=3),
    ]


def test_a_set_of_addresses() -> None:
    """The order is by address."""
    assert [each.address for each in from_addresses({"b:80", "a:80"})] == ["a:80", "b:80"]


WRONG = [
    (from_rows, [{"host": "a"}], r"row 0.*port"),
    (from_rows, [{"host": "a", "port": 80}, {"host": "b", "port": "x"}], r"row 1.*port"),
    (from_rows, [{"host": "a", "port": 70_000}], "port"),
    (from_hash, {"a:80": "heavy"}, "a:80"),
    (from_hash, {"a:80": '{"wait": 1}'}, "a:80.*wait"),
    (from_hash, {"a:80": "0"}, "weight"),
    (from_hash, {"a": "1"}, "host:port"),
    (from_addresses, ["a"], "host:port"),
]


@pytest.mark.parametrize(("read", "given", "named"), WRONG)
def test_what_is_wrong_is_named(read: object, given: object, named: str) -> None:
    """The error says which row or field is no endpoint, and why."""
    with pytest.raises(ResolveError, match=named):
        read(given)  # type: ignore[operator] # one of the three
