"""Transactions judged in Elle's manner: by cycles of what each must have seen of the others.

Source: Kingsbury and Alvaro, "Elle: inferring isolation anomalies from experimental observations";
Adya, "Weak consistency" (G0, G1, G2).
"""

from loadpath.caplab.checkers.txn.consistency import LEVELS, forbidden
from loadpath.caplab.checkers.txn.list_append import list_append
from loadpath.caplab.checkers.txn.rw_register import rw_register

__all__ = ["LEVELS", "forbidden", "list_append", "rw_register"]
