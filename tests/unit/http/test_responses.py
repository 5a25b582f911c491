"""Every rule of the table of responses holds for the parser, however the response comes."""

import pytest

from loadpath.http import End, ProtocolError, ResponseHead, ResponseParser
from tests.contracts.http_responses import CASES, Case


def seen(case: Case, pieces: list[bytes]) -> tuple[int, bytes | None]:
    """Return status and body of the final response, 0 and None for what was refused."""
    parser = ResponseParser()
    parser.expect(case.method)
    status, body = 0, b""
    try:
        for piece in pieces:
            parser.receive(piece)
            while (event := parser.next_event()) is not None:
                if isinstance(event, ResponseHead):
                    status = event.status if event.status >= 200 else 0
                elif isinstance(event, End):
                    return status, body
                else:
                    body += event
        parser.receive_end()
        return (status, body) if isinstance(parser.next_event(), End) else (status, None)
    except ProtocolError:
        return status, None


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.section}: {case.name}")
def test_a_rule_holds(case: Case) -> None:
    """At once or byte by byte, the client sees what the table says."""
    expected = (case.status, case.body)
    assert seen(case, [case.stream]) == expected
    assert seen(case, [case.stream[n : n + 1] for n in range(len(case.stream))]) == expected


def test_no_case_is_there_twice() -> None:
    """Each case shows something else."""
    assert len({case.name for case in CASES}) == len(CASES)
