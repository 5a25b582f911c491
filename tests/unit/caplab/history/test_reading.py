"""Histories are read from whatever others write them in."""

from pathlib import Path

import pytest

from loadpath.caplab.history import HistoryError, Op, calls_of, read, read_text
from loadpath.caplab.history.reading import read_bytes

INVOKE = Op(type="invoke", process=0, f="write", value=1, time=1.5, line=1)

VECTOR = """; a comment
[{:process 0, :type :invoke, :f :write, :value 1, :time 1500000000}
 {:process 0, :type :ok, :f :write, :value 1}]"""
LINES = """{:process 0, :type :invoke, :f :write, :value 1, :time 1500000000}
{:process 0, :type :ok, :f :write, :value 1}"""
TAGGED = """#jepsen.history.Op{:index 7, :process 0, :type :invoke, :f :write, :value 1,
 :time 1500000000}
#jepsen.history.Op{:index 8, :process 0, :type :ok, :f :write, :value 1}"""
JSON_LINES = """{"process": 0, "type": "invoke", "f": "write", "value": 1, "time": 1500000000}

{"process": 0, "type": ":ok", "f": ":write", "value": 1}"""
JSON = """[{"process": 0, "type": "invoke", "f": "write", "value": 1, "time": 1500000000},
 {"process": 0, "type": "ok", "f": "write", "value": 1}]"""
LIST = "(" + LINES + ")"


@pytest.mark.parametrize("text", [VECTOR, LINES, TAGGED, JSON_LINES, JSON, LIST])
def test_every_format_tells_the_same(text: str) -> None:
    """Jepsen's fields, times in seconds, indexes counted anew."""
    history = read_text(text)
    assert [op.type for op in history] == ["invoke", "ok"]
    assert (history[0].process, history[0].f, history[0].value) == (0, "write", 1)
    assert history[0].time == 1.5
    assert history[1].time is None
    assert [op.index for op in history[:]] == [0, 1]
    assert not history.refusals


def test_a_console_log_is_read() -> None:
    """Other lines are left out, a keyword instead of a value is the reason."""
    history = read_text(
        "INFO  jepsen.core - running\n"
        "INFO  jepsen.util - 0\t:invoke\t:read\tnil\n"
        "INFO  jepsen.util - 1 :invoke :cas [1 2]\n"
        "INFO  jepsen.util - :nemesis :info :start nil\n"
        "INFO [2021-02-03 10:00:00,123] jepsen worker 0 - jepsen.util 0 :fail :read :timed-out\n"
        "INFO  jepsen.util - 1 :ok :cas [1 2]\n"
    )
    assert history.refusals
    assert [op.process for op in history] == [0, 1, "nemesis", 0, 1]
    assert (history[3].value, history[3].error) == (None, "timed-out")
    assert history[1].value == (1, 2)
    assert history[3].f == "read"
    assert history[1].line == 3


def test_a_key_beside_the_value_is_the_pair_of_both() -> None:
    """So Porcupine writes its key-value histories."""
    history = read_text('{:process 0, :type :invoke, :f :put, :key "a", :value "x"}')
    assert history[0].value == ("a", "x")


def test_what_is_not_said_is_left_out() -> None:
    """Elle's examples say neither f nor process nor time."""
    history = read_text("{:type :ok :value [[:append 1 2]]}")
    assert history[0] == Op(type="ok", f="txn", value=(("append", 1, 2),), line=1)


def test_an_empty_vector_is_an_empty_history() -> None:
    """Nobody did anything."""
    assert len(read_text("[]")) == 0


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", None, "no operation"),
        ("; nothing\n", None, "no operation"),
        ("{:type :invoke}\n{:type :done}", 2, "type must be one of"),
        ("[1]", 1, "must be a map"),
        ("{:type :ok :f 3}", 1, "f must be"),
        ("{:type :ok :process 1.5}", 1, "process must be"),
        ("{:type :ok :time :now}", 1, "time must be"),
        ('{"type": "ok"}\n{"type": "ok"', 2, "no JSON"),
        ('[{"type": "ok"},\n{"type" "ok"}]', 2, "no JSON"),
        ("{:type :ok\n:f", 1, "never closed"),
        ("INFO jepsen.util - 0 :invoke :write [1", 1, "cannot be read"),
    ],
)
def test_what_is_no_history_is_refused(text: str, line: int | None, says: str) -> None:
    """With the file, the line and the field."""
    with pytest.raises(HistoryError, match=says) as refused:
        read_text(text, name="their.edn")
    assert refused.value.line == line
    assert str(refused.value).startswith("their.edn")


def test_bytes_that_are_no_text_are_refused() -> None:
    """With the line."""
    with pytest.raises(HistoryError, match="UTF-8") as refused:
        read_bytes(b"{:type :ok}\n\xff", name="x")
    assert refused.value.line == 2


def test_a_file_is_read(tmp_path: Path) -> None:
    """A byte-order mark does not matter."""
    file = tmp_path / "history.edn"
    file.write_bytes(b"\xef\xbb\xbf" + LINES.encode())
    history = read(file)
    assert history.name == str(file)
    assert len(calls_of(history)) == 1
