"""What an object does when one client at a time uses it.

Source: Knossos' models, Porcupine's.
"""

from loadpath.caplab.models.bank import Bank
from loadpath.caplab.models.containers import FifoQueue, GrowOnlySet, UnorderedQueue
from loadpath.caplab.models.counter import Counter
from loadpath.caplab.models.model import NO, Action, Model, ModelError
from loadpath.caplab.models.mutex import Mutex
from loadpath.caplab.models.register import CasRegister, KeyValue, MultiRegister, Register

__all__ = [
    "NO",
    "Action",
    "Bank",
    "CasRegister",
    "Counter",
    "FifoQueue",
    "GrowOnlySet",
    "KeyValue",
    "Model",
    "ModelError",
    "MultiRegister",
    "Mutex",
    "Register",
    "UnorderedQueue",
]
