"""Every rule of the table holds for the parser, however the stream is cut."""

import pytest

from loadpath.http import End, ProtocolError, RequestParser
from tests.contracts import http_probe
from tests.contracts.http_requests import CASES, Case

ALL = [*CASES, *http_probe.CASES]


def statuses(pieces: list[bytes]) -> tuple[int, ...]:
    """Return what a server answers to a stream that comes in these pieces."""
    parser, answered = RequestParser(), []
    try:
        for piece in pieces:
            parser.receive(piece)
            while (event := parser.next_event()) is not None:
                if isinstance(event, End):
                    answered.append(200)
    except ProtocolError as error:
        answered.append(error.status)
    return tuple(answered)


@pytest.mark.parametrize("case", ALL, ids=lambda case: f"{case.section}: {case.name}")
def test_a_rule_holds(case: Case) -> None:
    """The whole stream at once gets the answers of the table."""
    assert statuses([case.stream]) == case.statuses


@pytest.mark.parametrize("case", ALL, ids=lambda case: f"{case.section}: {case.name}")
def test_a_rule_holds_byte_by_byte(case: Case) -> None:
    """A stream that drips gets the same answers."""
    assert statuses([case.stream[n : n + 1] for n in range(len(case.stream))]) == case.statuses


def test_no_case_is_there_twice() -> None:
    """Each case shows something else."""
    assert len({case.name for case in ALL}) == len(ALL)


def test_every_must_of_the_public_suite_is_shown() -> None:
    """By its id, or by a case of the table; only what no parser decides is left to others."""
    own = {case.name for case in http_probe.CASES}
    shown = [*own, *http_probe.SHOWN_BY, *http_probe.NOT_SYNTAX]
    assert len(set(shown)) == len(shown) == http_probe.MUST
    assert set(http_probe.SHOWN_BY.values()) <= {case.name for case in CASES}
