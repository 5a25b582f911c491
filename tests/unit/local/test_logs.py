"""Logs stay bounded and their last lines stay readable."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from loadpath.local.logs import TAIL_LINES, log_size, tail, trim


def test_a_missing_log_is_empty(tmp_path: Path) -> None:
    """A process that never wrote has a log of no bytes and no lines."""
    missing = tmp_path / "none.log"
    assert log_size(missing) == 0
    assert tail(missing) == ""
    assert not trim(missing)


def test_trim_keeps_whole_newer_lines_and_the_writer_goes_on(tmp_path: Path) -> None:
    """After a cut the log holds whole lines, the newest, and the writer's next one."""
    log = tmp_path / "log"
    with log.open("ab", buffering=0) as writer:
        for number in range(1000):
            writer.write(b"line %d\n" % number)
        assert trim(log, limit=1000)
        writer.write(b"after\n")
    lines = log.read_text().splitlines()
    assert log_size(log) <= 600
    assert lines[-2:] == ["line 999", "after"]
    assert all(line.startswith("line ") for line in lines[:-1])


def test_trim_leaves_a_small_log_alone(tmp_path: Path) -> None:
    """Nothing is cut below the limit."""
    log = tmp_path / "log"
    log.write_text("short\n")
    assert not trim(log, limit=100)
    assert log.read_text() == "short\n"


def test_tail_begins_where_the_last_start_began(tmp_path: Path) -> None:
    """Lines of an earlier start are not shown as this one's last words."""
    log = tmp_path / "log"
    log.write_text("earlier\n")
    start = log_size(log)
    with log.open("a") as file:
        file.write("now\n")
    assert tail(log, start=start) == "now"


def test_tail_is_short_and_survives_any_bytes(tmp_path: Path) -> None:
    """At most the last lines are shown, and bytes that are no text do not matter."""
    log = tmp_path / "log"
    log.write_bytes(b"\xff\xfe line\n" * 10_000)
    assert len(tail(log).splitlines()) == TAIL_LINES


@given(st.binary(max_size=400), st.integers(1, 200))
def test_trim_always_ends_within_the_limit(body: bytes, limit: int) -> None:
    """Whatever was written, a trimmed log fits its limit and is a suffix of what was there."""
    with TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        log.write_bytes(body)
        trim(log, limit=limit)
        assert log_size(log) <= limit
        assert body.endswith(log.read_bytes())
