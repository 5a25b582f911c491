"""Keep a process's output in one file of bounded size."""

from pathlib import Path

LIMIT = 8 * 1024 * 1024
TAIL_BYTES = 16 * 1024
TAIL_LINES = 20


def log_size(log: Path) -> int:
    """Return the log's size in bytes, 0 when there is none (blocking)."""
    try:
        return log.stat().st_size
    except FileNotFoundError:
        return 0


def trim(log: Path, *, limit: int = LIMIT) -> bool:
    """Keep the newer half of a log that outgrew its limit (blocking).

    Its writer appends, so it goes on after what is kept; a line written during the cut is lost.

    Args:
        log: The file.
        limit: Largest size in bytes.

    Returns:
        Whether something was cut off.
    """
    if log_size(log) <= limit:
        return False
    with log.open("r+b") as file:
        file.seek(-(limit // 2), 2)
        kept = file.read()
        file.truncate(0)
    with log.open("ab") as file:
        file.write(kept.partition(b"\n")[2])
    return True


def tail(log: Path, *, start: int = 0) -> str:
    """Return the last lines of a log (blocking).

    Args:
        log: The file.
        start: Position in bytes before which nothing is read.
    """
    size = log_size(log)
    if size == 0:
        return ""
    with log.open("rb") as file:
        file.seek(max(min(start, size), size - TAIL_BYTES))
        lines = file.read().decode(errors="replace").splitlines()
    return "\n".join(lines[-TAIL_LINES:])
