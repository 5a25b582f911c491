"""Send load from a process of its own: `python -m loadpath.systems.timeline.load PLANS RESULTS`.

PLANS is a list of `LoadPlan` as JSON; RESULTS is where the list of `LoadResult` goes, as JSON.
Progress goes to standard output, one JSON object a line.
"""

import sys
from pathlib import Path

import msgspec
import uvloop

from loadpath.core.errors import LoadpathError
from loadpath.systems.timeline.load.report import Progress
from loadpath.systems.timeline.load.run import LoadPlan, run


def main(arguments: list[str]) -> None:
    """Run the plans in a file and write their results into another."""
    plans, results = map(Path, arguments)
    try:
        found = uvloop.run(run(msgspec.json.decode(plans.read_bytes(), type=list[LoadPlan]), _tell))
    except (LoadpathError, OSError) as error:
        sys.exit(f"load: {error}")
    results.write_bytes(msgspec.json.encode(found))


def _tell(progress: Progress) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(progress) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
