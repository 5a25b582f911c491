"""Order memory between processes that share a mapping: what came before is seen before.

x86 keeps stores in order and loads in order, so nothing is needed there. Weakly ordered CPUs
(arm64) may show a store made later first, and Python offers no barrier of its own. A lock does:
its release may not overtake the stores before it, its acquire may not be overtaken by the loads
and stores after it, and an acquire never overtakes an earlier release. One round is
acquire-release, so only the second round's acquire closes the gap behind the first release.

Source: Arm Architecture Reference Manual, B2.3 (barrier-ordered-before).
"""

import platform
from collections.abc import Callable
from threading import Lock

STRONGLY_ORDERED = frozenset({"x86_64", "amd64", "i386", "i686"})


def fence_for(machine: str) -> Callable[[], None]:
    """Return the cheapest call that orders memory on this kind of CPU.

    Args:
        machine: Name of the CPU architecture, as `platform.machine()` tells it.
    """
    return _nothing if machine.lower() in STRONGLY_ORDERED else _two_rounds(Lock())


def _nothing() -> None:
    """Do nothing: the CPU keeps the order (between two calls the interpreter does too)."""


def _two_rounds(lock: Lock) -> Callable[[], None]:
    def fence() -> None:
        with lock:
            pass
        with lock:
            pass

    return fence


fence = fence_for(platform.machine())
