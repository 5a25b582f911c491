"""A bank: transfer between accounts, and read all balances.

Source: Jepsen's bank workload.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from loadpath.caplab.history.calls import Call
from loadpath.caplab.models.model import NO, Action, State, reading, same, unknown


def account(key: Any) -> Any:
    """Return an account's key; JSON makes strings of numbers."""
    return int(key) if isinstance(key, str) and key.lstrip("-").isdecimal() else key


@dataclass(frozen=True, slots=True, kw_only=True)
class Bank:
    """Transfer `{:from a :to b :amount n}` and read `{a 90, b 110}`.

    A refused transfer has seen that the money is not there.

    Args:
        balances: What the accounts hold first.
        negative: Whether an account may be overdrawn.
    """

    balances: Mapping[Any, int]
    negative: bool = False
    name: str = "linearizable-bank"
    by_key: bool = False

    @property
    def initial(self) -> State:
        """Return the first state: the balances in the order of `balances`."""
        return tuple(self.balances.values())

    def pure(self, call: Call) -> bool:
        """Return whether it is a read, or a transfer that was refused."""
        return call.f == "read" or call.outcome == "fail"

    def action(self, call: Call) -> Action:
        """Return what a transfer or a read does."""
        if call.f == "read":
            return reading(self._seen(call)) if call.outcome == "ok" else same
        if call.f == "transfer" and isinstance(call.value, Mapping):
            return self._transfer(call)
        raise unknown(self.name, call, "transfer {:from :to :amount} and read")

    def _seen(self, call: Call) -> State:
        if not isinstance(call.result, Mapping):
            raise unknown(self.name, call, "reads that answer a map of balances")
        seen = {account(key): balance for key, balance in call.result.items()}
        if seen.keys() != self.balances.keys():
            return None
        return tuple(map(seen.__getitem__, self.balances))

    def _transfer(self, call: Call) -> Action:
        places = {key: place for place, key in enumerate(self.balances)}
        try:
            source, target = (places[account(call.value[end])] for end in ("from", "to"))
            amount = call.value["amount"] + 0
        except (KeyError, TypeError):
            raise unknown(self.name, call, "transfers between its accounts") from None
        return self._moving(source, target, amount, refused=call.outcome == "fail")

    def _moving(self, source: int, target: int, amount: int, *, refused: bool) -> Action:
        negative = self.negative

        def move(state: Any) -> Any:
            enough = negative or state[source] >= amount
            if refused:
                return NO if enough else state
            if not enough:
                return NO
            after = list(state)
            after[source] -= amount
            after[target] += amount
            return tuple(after)

        return move
