"""A trace is continued where it is valid, else begun."""

import re
from random import Random

import pytest

from loadpath.gateway.passing.requestid import request_id
from loadpath.gateway.passing.tracing import traceparent

BITS = Random(1).getrandbits
TRACE = b"0af7651916cd43dd8448eb211c80319c"
VALID = re.compile(rb"00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]")


@pytest.mark.parametrize("flags", [b"00", b"01", b"03"])
def test_continues(flags: bytes) -> None:
    """The trace and whether it is sampled stay, the parent is ours."""
    found, continued = traceparent(b"00-%b-b7ad6b7169203331-%b" % (TRACE, flags), BITS)
    assert continued
    assert VALID.fullmatch(found)
    assert found[3:35] == TRACE
    assert found[36:52] != b"b7ad6b7169203331"
    assert found[-1:] == b"%d" % (int(flags) & 1)


def test_continues_a_later_version() -> None:
    """What follows the known parts is not understood, so ours is version 00."""
    found, continued = traceparent(b"cc-%b-b7ad6b7169203331-01-more" % TRACE, BITS)
    assert continued
    assert VALID.fullmatch(found)


@pytest.mark.parametrize(
    "found",
    [
        None, b"", b"x", b"ff-%b-b7ad6b7169203331-01" % TRACE, b"00-%b-%b-01" % (TRACE, b"0" * 16),
        b"00-%b-b7ad6b7169203331-01" % (b"0" * 32), b"00-%b-b7ad6b7169203331-01-x" % TRACE,
        b"00-%b-B7AD6B7169203331-01" % TRACE,
    ],
)  # fmt: skip
def test_begins_anew(found: bytes | None) -> None:
    """What is not valid is as if it were not there."""
    made, continued = traceparent(found, BITS)
    assert not continued
    assert VALID.fullmatch(made)


def test_request_ids() -> None:
    """A sane one is kept; one with other characters, or too long, is replaced."""
    assert request_id(b"abc-1.2_3", BITS) == "abc-1.2_3"
    for found in (None, b"", b"a b", b'a"b', b"x" * 129, b"\xff"):
        assert re.fullmatch("[0-9a-f]{32}", request_id(found, BITS))
