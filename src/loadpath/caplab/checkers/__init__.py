"""Verdicts on histories: valid, invalid or unknown, with the reason in words."""

from loadpath.caplab.checkers.bank import bank
from loadpath.caplab.checkers.budget import Budget
from loadpath.caplab.checkers.convergence import convergence
from loadpath.caplab.checkers.counter import counter
from loadpath.caplab.checkers.linearizable import linearizable
from loadpath.caplab.checkers.long_fork import long_fork
from loadpath.caplab.checkers.session import session
from loadpath.caplab.checkers.sets import final_set, set_full
from loadpath.caplab.checkers.txn import LEVELS, list_append, rw_register
from loadpath.caplab.checkers.verdict import Finding, Verdict

__all__ = [
    "LEVELS",
    "Budget",
    "Finding",
    "Verdict",
    "bank",
    "convergence",
    "counter",
    "final_set",
    "linearizable",
    "list_append",
    "long_fork",
    "rw_register",
    "session",
    "set_full",
]
