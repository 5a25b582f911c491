"""What happened to the work decides what the client is told to do."""

import msgspec
import pytest

from loadpath.core.errors import LoadpathError, RejectedError
from loadpath.systems.timeline.api.problems import ProblemError, problem_of
from loadpath.systems.timeline.record.postgres import (
    IdTakenError,
    RecordInDoubtError,
    RecordRefusedError,
    RecordUnavailableError,
)


@pytest.mark.parametrize(
    ("error", "kind", "retry_after"),
    [
        (RecordUnavailableError("down", retry_after=1.0), "not-tried", b"1"),
        (RejectedError("busy", retry_after=2.2), "not-tried", b"3"),
        (RejectedError("busy"), "not-tried", b"1"),
        (IdTakenError("clash"), "not-tried", b"1"),
        (RecordInDoubtError("lost"), "in-doubt", b"1"),
    ],
)
def test_rejected_and_in_doubt_are_told_apart(
    error: LoadpathError, kind: str, retry_after: bytes
) -> None:
    """Both are 503 and say when to retry; the type says whether something may have happened."""
    known = problem_of(error)
    assert known is not None
    assert known.problem.status == 503
    assert known.problem.type == f"urn:problem-type:loadpath:{kind}"
    assert known.headers == ((b"retry-after", retry_after),)


def test_doubt_tells_how_to_repeat() -> None:
    """The next step after doubt is the same key."""
    known = problem_of(RecordInDoubtError("lost"))
    assert known is not None
    assert "same Idempotency-Key" in known.problem.detail


def test_what_nobody_foresaw_has_no_problem() -> None:
    """An error that no operation expects is left to be a 500."""
    assert problem_of(RecordRefusedError("a constraint")) is None


def test_the_document_has_the_names_of_the_standard() -> None:
    """type, title, status, detail; our additions only when they say something."""
    plain = msgspec.to_builtins(ProblemError(404, "Nothing.").problem)
    assert plain == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "Nothing.",
    }
    named = msgspec.to_builtins(ProblemError(422, "No.", field="text", place="body").problem)
    assert (named["field"], named["in"]) == ("text", "body")
