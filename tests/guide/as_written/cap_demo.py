"""The guide's CAPTheoremDemo in Python, statement by statement.

Guide: chapter 2. Kept as it is there: one transfer, one read of the feed, and a line printed for
each that says which two of C, A and P were shown. Only whether a call threw is looked at.
"""

from typing import Protocol


class BankingService(Protocol):
    """Transfer money."""

    async def transfer_money(self, source: str, target: str, amount: int) -> None:
        """Move an amount, or raise."""
        ...


class FeedService(Protocol):
    """Read feeds."""

    async def get_feed(self, user: str) -> list[str]:
        """Return a feed, or raise."""
        ...


class CAPTheoremDemo:
    """Render the guide's class; what it prints is kept."""

    def __init__(self, banking_service: BankingService, feed_service: FeedService) -> None:
        self.banking_service = banking_service
        self.feed_service = feed_service
        self.console: list[str] = []

    async def demonstrate_cap_tradeoffs(self) -> None:
        """Do one transfer and one read, and say what that shows."""
        self.console.append("=== CAP Theorem Demonstration ===")
        self.console.append("1. Banking System (Consistency + Partition Tolerance)")
        try:
            await self.banking_service.transfer_money("account1", "account2", 100)
            self.console.append("Banking transaction successful")
        except Exception as error:  # noqa: BLE001 - as written
            self.console.append(f"Banking transaction failed: {error}")
        self.console.append("2. Social Media Feed (Availability + Partition Tolerance)")
        try:
            feed = await self.feed_service.get_feed("user123")
            self.console.append(f"Feed retrieved successfully, posts: {len(feed)}")
        except Exception as error:  # noqa: BLE001 - as written
            self.console.append(f"Feed retrieval failed: {error}")
