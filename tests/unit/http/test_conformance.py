"""Every rule of the table holds for the parser, however the stream is cut."""

import pytest

from loadpath.http import End, ProtocolError, RequestParser
from tests.contracts.http_requests import CASES, Case


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


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.section}: {case.name}")
def test_a_rule_holds(case: Case) -> None:
    """The whole stream at once gets the answers of the table."""
    assert statuses([case.stream]) == case.statuses


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.section}: {case.name}")
def test_a_rule_holds_byte_by_byte(case: Case) -> None:
    """A stream that drips gets the same answers."""
    assert statuses([case.stream[n : n + 1] for n in range(len(case.stream))]) == case.statuses


def test_the_table_is_as_large_as_the_suites() -> None:
    """The public suite has 84 MUST; no case is there twice."""
    assert len({case.name for case in CASES}) == len(CASES) >= 150
