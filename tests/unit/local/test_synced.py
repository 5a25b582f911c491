"""A file that is written is there whole, whenever its writer dies."""

import subprocess
import sys
import time
from pathlib import Path
from random import Random

from loadpath.local.synced import write_synced

WRITER = """
import sys
from pathlib import Path
from loadpath.local.synced import write_synced
print("at work", flush=True)
while True:
    for letter in "ab":
        write_synced(Path(sys.argv[1]), letter * 100_000)
"""


def test_a_writer_killed_at_any_moment_leaves_a_whole_file(tmp_path: Path) -> None:
    """The old text or the new: never none, never a part."""
    path, random, seen = tmp_path / "file", Random(1), set()
    write_synced(path, "a" * 100_000)
    for _ in range(12):
        command = [sys.executable, "-c", WRITER, path]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(random.uniform(0, 0.02))
            writer.kill()
        seen.add(path.read_text())
    assert seen <= {"a" * 100_000, "b" * 100_000}


def test_a_file_is_private_from_its_first_moment(tmp_path: Path) -> None:
    """It may hold a password; what an earlier writer left half done is no hindrance."""
    (tmp_path / "file.new").write_text("half")
    write_synced(tmp_path / "file", "whole")
    assert (tmp_path / "file").read_text() == "whole"
    assert (tmp_path / "file").stat().st_mode & 0o077 == 0
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
