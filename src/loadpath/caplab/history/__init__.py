"""What clients did and what they were answered, in Jepsen's fields.

Source: Jepsen's history format (`index time process type f value error`).
"""

from loadpath.caplab.history.calls import Call, Fails, Keyed, calls_of, keyed
from loadpath.caplab.history.errors import HistoryError
from loadpath.caplab.history.history import History, Op
from loadpath.caplab.history.reading import read, read_text
from loadpath.caplab.history.writing import line_of, write

__all__ = [
    "Call",
    "Fails",
    "History",
    "HistoryError",
    "Keyed",
    "Op",
    "calls_of",
    "keyed",
    "line_of",
    "read",
    "read_text",
    "write",
]
