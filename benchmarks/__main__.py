"""Run one room's benchmark, or all: `python -m benchmarks ROOM [--json]`.

Exit code 1 when a goal is missed, 2 for a room that has no benchmark.
"""

import argparse
import importlib
import os
import pkgutil
import platform
import sys
from pathlib import Path

import msgspec

from benchmarks.result import Result

NOT_ROOMS = {"__main__", "result"}


def rooms() -> list[str]:
    """Return the rooms that have a benchmark."""
    here = [str(Path(__file__).parent)]
    return sorted(
        module.name for module in pkgutil.iter_modules(here) if module.name not in NOT_ROOMS
    )


def machine() -> dict[str, object]:
    """Describe the machine that the figures are from."""
    return {
        "cores": os.cpu_count(),
        "cpu": platform.processor() or platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def report(room: str, trace: Path | None = None) -> dict[str, object]:
    """Run one room's benchmark, or replay a trace in it, and return what `--json` prints."""
    module = importlib.import_module(f"benchmarks.{room}")
    results: list[Result] = module.run() if trace is None else module.replay(trace)
    return {"room": room, "machine": machine(), "results": [one.as_json() for one in results]}


def line(figure: dict[str, object]) -> str:
    """Return one figure as a person reads it."""
    mark = "ok  " if figure["met"] else "MISS"
    ratio = f"{figure['ratio']:.2f} x {figure['peer_name']}" if figure["ratio"] else "no peer"
    return (
        f"{mark} {figure['name']}: {figure['ours']:,.4g} {figure['unit']}, {ratio} "
        f"(goal {figure['goal']:g} on {figure['goal_on']})"
    )


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmarks named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("room", choices=[*rooms(), "all"])
    parser.add_argument("--json", action="store_true", help="print one JSON document a room")
    parser.add_argument("--trace", type=Path, help="replay a recorded trace (cache only)")
    given = parser.parse_args(arguments)
    if given.trace is not None and given.room != "cache":
        parser.error("--trace is for cache only")
    met = True
    for room in rooms() if given.room == "all" else [given.room]:
        document = report(room, given.trace)
        figures = document["results"]
        assert isinstance(figures, list)
        met &= all(figure["met"] for figure in figures)
        if given.json:
            print(msgspec.json.encode(document).decode())
        else:
            print(f"{room} ({document['machine']})", *map(line, figures), sep="\n  ")
        sys.stdout.flush()
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
