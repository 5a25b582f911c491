"""How long a message is does not depend on who reads it."""

import pytest

from loadpath.http import CHUNKED, UNTIL_CLOSE
from loadpath.http.lengths import request_length, response_length

LENGTH = {b"content-length": b"5"}
CODING = {b"transfer-encoding": b"chunked"}


def test_a_request_without_either_has_no_body() -> None:
    """Nothing announced, nothing there; announced, it is as long as that."""
    assert request_length({}, 1) == 0
    assert request_length(LENGTH, 1) == request_length(LENGTH, 0) == 5
    assert request_length(CODING, 1) == CHUNKED


@pytest.mark.parametrize(
    ("method", "status", "length"),
    [
        (b"GET", 200, 5),
        (b"HEAD", 200, 0),
        (b"GET", 204, 0),
        (b"GET", 304, 0),
        (b"GET", 100, 0),
        (b"GET", 101, 0),
        (b"CONNECT", 200, 0),
        (b"CONNECT", 407, 5),
    ],
)
def test_status_and_method_come_before_the_fields(method: bytes, status: int, length: int) -> None:
    """Some responses have no body whatever they announce (RFC 9112, 6.3)."""
    assert response_length(LENGTH, 1, status, method) == length


def test_a_response_without_either_ends_with_the_connection() -> None:
    """That is not so for a request."""
    assert response_length({}, 1, 200, b"GET") == UNTIL_CLOSE
    assert response_length(CODING, 1, 200, b"GET") == CHUNKED


def test_a_server_may_pad_its_length() -> None:
    """Zeros in front are a number; in a request they are refused, for others read them as octal."""
    assert response_length({b"content-length": b"005"}, 1, 200, b"GET") == 5
