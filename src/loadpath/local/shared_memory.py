"""Free the System V segment of a PostgreSQL that was killed and whose data is to be removed.

A postmaster frees it when it ends; one that was killed leaves that to its next start, which a
temporary folder never has. The status file names the segment. (The dynamic shared memory of our
servers lies in their data folders and goes with them.) Linux only: elsewhere a kill leaves a few
bytes until the machine restarts.
"""

import ctypes
import sys
from pathlib import Path

STATUS_FILE = "postmaster.pid"
SEGMENTS = Path("/proc/sysvipc/shm")
IPC_RMID = 0
SEGMENT_LINE = 6


def free_shared_memory(folder: Path) -> int:
    """Free what dead PostgreSQL servers with data in or below `folder` left (blocking).

    Returns:
        How many segments were freed.
    """
    if sys.platform != "linux":
        return 0
    found = [_segment(status) for status in folder.rglob(STATUS_FILE)]
    segments = [segment for segment in found if segment is not None]
    for segment in segments:
        ctypes.CDLL(None).shmctl(segment, IPC_RMID, None)
    return len(segments)


def _segment(status: Path) -> int | None:
    """Return the segment that a status file names, if it is there and nobody uses it."""
    lines = status.read_text().splitlines()
    named = lines[SEGMENT_LINE].split() if len(lines) > SEGMENT_LINE else []
    for row in SEGMENTS.read_text().splitlines()[1:]:
        key, segment, _, _, _, _, attached, *_ = row.split()
        if [key, segment] == named and attached == "0":
            return int(segment)
    return None
