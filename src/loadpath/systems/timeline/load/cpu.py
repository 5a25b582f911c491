"""Measure the CPU time of processes from outside."""

from collections.abc import Mapping, Sequence

import psutil


def cpu_times(watch: Mapping[str, Sequence[int]]) -> dict[str, float]:
    """Return the CPU time of groups of processes since they started, children included (s).

    Reads the process table: call it in a thread. What a child took before it ended counts too
    where its parent has waited for it.

    Args:
        watch: Process ids, by name of the group.
    """
    return {name: sum(map(_cpu_of_tree, pids)) for name, pids in watch.items()}


def _cpu_of_tree(pid: int) -> float:
    try:
        parent = psutil.Process(pid)
        total = 0.0
        for process in (parent, *parent.children(recursive=True)):
            times = process.cpu_times()
            total += times.user + times.system
        ended = parent.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(total + ended.children_user + ended.children_system)
