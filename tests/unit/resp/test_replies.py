"""An error reply becomes the exception that says what it means."""

import pytest

from loadpath.core.errors import RejectedError
from loadpath.resp import (
    AskError,
    CommandError,
    LoadingError,
    MovedError,
    NoScriptError,
    NotAllowedError,
    ReadOnlyError,
    ServerBusyError,
)
from loadpath.resp.replies import error_of


@pytest.mark.parametrize(
    ("message", "kind", "not_tried"),
    [
        ("ERR unknown command 'X'", CommandError, False),
        ("WRONGTYPE Operation against a key", CommandError, False),
        ("LOADING Valkey is loading the dataset in memory", LoadingError, True),
        ("BUSY Valkey is busy running a script.", ServerBusyError, True),
        ("CLUSTERDOWN The cluster is down", ServerBusyError, True),
        ("READONLY You can't write against a read only replica.", ReadOnlyError, True),
        ("NOSCRIPT No matching script.", NoScriptError, False),
        ("WRONGPASS invalid username-password pair", NotAllowedError, False),
        ("NOPERM User default has no permissions", NotAllowedError, False),
        ("", CommandError, False),
    ],
)
def test_each_error_is_told_apart(
    message: str, kind: type[CommandError], *, not_tried: bool
) -> None:
    """A program sees by the type what to do; what was not tried is a RejectedError too."""
    error = error_of(message)
    assert type(error) is kind
    assert str(error) == message
    assert error.code == message.split(" ", maxsplit=1)[0]
    assert isinstance(error, RejectedError) is not_tried


@pytest.mark.parametrize(("word", "kind"), [("MOVED", MovedError), ("ASK", AskError)])
def test_a_redirection_says_where_to(word: str, kind: type[MovedError]) -> None:
    """Slot, host and port are fields."""
    error = error_of(f"{word} 3999 fe80::1:6381")
    assert type(error) is kind
    assert isinstance(error, MovedError)
    assert (error.slot, error.host, error.port) == (3999, "fe80::1", 6381)


@pytest.mark.parametrize("message", ["MOVED", "MOVED x y", "ASK 1", "MOVED 1 host:port"])
def test_a_redirection_to_nowhere_is_an_error_like_any_other(message: str) -> None:
    """Garbage from the server does not break the reader."""
    assert type(error_of(message)) is CommandError
