"""Which anomalies each consistency level forbids.

`strong-session-X` also forbids X's cycles that are closed by the order of one process, `strong-X`
those closed by real time.

Source: Adya; Cerone, Bernardi and Gotsman; elle.consistency-model.
"""

from typing import Final

_READ_UNCOMMITTED: Final = frozenset({"G0", "duplicate-elements", "cyclic-versions"})
_READ_COMMITTED: Final = _READ_UNCOMMITTED | {
    "G1a",
    "G1b",
    "G1c",
    "dirty-update",
    "garbage-read",
    "incompatible-order",
}
_CURSOR: Final = _READ_COMMITTED | {"lost-update"}
_VIEW: Final = _CURSOR | {"G-single"}
_PARALLEL: Final = _VIEW | {"internal"}
_SNAPSHOT: Final = _PARALLEL | {"G-nonadjacent", "long-fork"}
_REPEATABLE: Final = _VIEW | {"G-nonadjacent", "long-fork", "G2-item"}
_SERIALIZABLE: Final = _SNAPSHOT | _REPEATABLE

_PLAIN: Final = {
    "read-uncommitted": _READ_UNCOMMITTED,
    "read-committed": _READ_COMMITTED,
    "read-atomic": _READ_COMMITTED | {"internal"},
    "cursor-stability": _CURSOR,
    "consistent-view": _VIEW,
    "repeatable-read": _REPEATABLE,
    "parallel-snapshot-isolation": _PARALLEL,
    "snapshot-isolation": _SNAPSHOT,
    "serializable": _SERIALIZABLE,
}
CYCLES: Final = ("G0", "G1c", "G-single", "G-nonadjacent", "G2-item")
PROCESS: Final = "-process"
REALTIME: Final = "-realtime"


def _with(level: frozenset[str], *suffixes: str) -> frozenset[str]:
    cycles = [name for name in CYCLES if name in level]
    return level | {name + suffix for name in cycles for suffix in suffixes}


_SESSION: Final = {
    "strong-session-" + name: _with(level, PROCESS) for name, level in _PLAIN.items()
}
_STRONG: Final = {
    "strong-" + name: _with(level, PROCESS, REALTIME) for name, level in _PLAIN.items()
}
LEVELS: Final = {
    **_PLAIN,
    **_SESSION,
    **_STRONG,
    "conflict-serializable": _SERIALIZABLE,
    "strict-serializable": _STRONG["strong-serializable"],
}
"""The anomalies that each level forbids, by its name."""


def forbidden(level: str) -> frozenset[str]:
    """Return the anomalies that a level forbids.

    Raises:
        ValueError: There is no such level.
    """
    if level not in LEVELS:
        raise ValueError(f"consistency must be one of {', '.join(LEVELS)}, got {level!r}")
    return LEVELS[level]
