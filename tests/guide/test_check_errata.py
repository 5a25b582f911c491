"""The guide's demo prints its verdict; ours measures one. One scenario runs against both.

The scenario shows two banks to a demo, one that keeps the money and one that loses it on the way. A
demo of consistency tells them apart.
"""

from collections.abc import Awaitable, Callable

import pytest

from loadpath.caplab.checkers import bank
from loadpath.caplab.history import History, Op
from tests.guide.as_written.cap_demo import CAPTheoremDemo

ACCOUNTS = ("account1", "account2")


class Bank:
    """Keep accounts; one that loses money forgets the target of each transfer."""

    def __init__(self, *, loses_money: bool) -> None:
        self.loses_money = loses_money
        self.balances = dict.fromkeys(ACCOUNTS, 1_000)

    async def transfer_money(self, source: str, target: str, amount: int) -> None:
        """Move an amount."""
        self.balances[source] -= amount
        if not self.loses_money:
            self.balances[target] += amount


class Feed:
    """Answer."""

    async def get_feed(self, user: str) -> list[str]:
        """Return a post."""
        return [f"to {user}"]


Demo = Callable[[Bank], Awaitable[str]]


async def a_bank_that_loses_money(demo: Demo) -> None:
    """It is not told the same as of one that keeps it."""
    assert await demo(Bank(loses_money=True)) != await demo(Bank(loses_money=False))


async def as_written(shown: Bank) -> str:
    """Return what the guide's demo prints."""
    demo = CAPTheoremDemo(shown, Feed())
    await demo.demonstrate_cap_tradeoffs()
    return "\n".join(demo.console)


async def ours(shown: Bank) -> str:
    """Return the verdict on what a client saw."""
    history = History()
    for f in ("read", "transfer", "read"):
        value = {"from": ACCOUNTS[0], "to": ACCOUNTS[1], "amount": 100} if f == "transfer" else None
        history.append(Op(type="invoke", process=0, f=f, value=value))
        if f == "transfer":
            await shown.transfer_money(*ACCOUNTS, 100)
        answer = dict(shown.balances) if f == "read" else value
        history.append(Op(type="ok", process=0, f=f, value=answer))
    return bank(history).word


async def test_the_guide_as_written_fails() -> None:
    """It prints "successful" and "Consistency" for both."""
    with pytest.raises(AssertionError):
        await a_bank_that_loses_money(as_written)


async def test_ours_passes() -> None:
    """Invalid for one, valid for the other."""
    await a_bank_that_loses_money(ours)
    assert await ours(Bank(loses_money=False)) == "valid"
