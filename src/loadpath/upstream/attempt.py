"""One attempt at one endpoint: its pick and its breaker's ticket, settled exactly once."""

from loadpath.balance import Failure, Pick
from loadpath.core.clock import Clock
from loadpath.http import ConnectionPool
from loadpath.resilience.expiry import ran_out_of_time
from loadpath.upstream.door import Door
from loadpath.upstream.verdict import blame, blame_status


class Attempt:
    """Hold an endpoint for a call until it is known how that went; what is told first counts.

    Attributes:
        door: The endpoint.
        status: Status of the answer, 0 before its head has come.
    """

    __slots__ = ("_clock", "_latency", "_pick", "_pool", "_started", "_ticket", "door", "status")

    def __init__(
        self, door: Door, pick: Pick, ticket: int, *, clock: Clock, pool: ConnectionPool
    ) -> None:
        self.door = door
        self.status = 0
        self._pick = pick
        self._ticket = ticket
        self._clock = clock
        self._pool = pool
        self._started = pick.started
        self._latency: float | None = None
        door.attempts += 1

    def head(self, status: int) -> None:
        """Learn that the head of an answer has come: this is the endpoint's latency."""
        self.status = status
        self._latency = self._clock.monotonic() - self._started

    def answered(self) -> None:
        """Settle: the answer came, and its status says how it went."""
        failure = blame_status(self.status)
        if failure is None:
            self._succeed()
        else:
            self._fail(failure, f"answered {self.status}")

    def failed(self, error: BaseException) -> None:
        """Settle: the attempt ended in an error, which may say something about the endpoint.

        A cancellation says nothing, unless it came because the deadline of the caller has passed.
        """
        if ran_out_of_time(error, self._clock.monotonic()):
            self._fail("local", "it did not answer before the deadline")
        elif (failure := blame(error)) is not None:
            self._fail(failure, str(error))
        else:
            self._give_up()

    def _give_up(self) -> None:
        """Settle: the attempt says nothing about the endpoint, unless it had been slow."""
        if self._pick.finished:
            return
        self._pick.cancel()
        if self.door.breaker is not None:
            now = self._clock.monotonic()
            self.door.breaker.give_up(self._ticket, self._started, now)
        self._leave()

    def _succeed(self) -> None:
        pick = self._pick
        if pick.finished:
            return
        pick.success(latency=self._latency)
        if self.door.breaker is not None:
            started, now = self._span()
            self.door.breaker.succeed(self._ticket, started, now)
        self._leave()

    def _fail(self, failure: Failure, reason: str) -> None:
        pick = self._pick
        if pick.finished:
            return
        pick.failure(failure, latency=self._latency)
        self.door.reason = reason
        if self.door.breaker is not None:
            started, now = self._span()
            self.door.breaker.fail(self._ticket, started, now)
        self._leave()

    def _span(self) -> tuple[float, float]:
        """Return when the breaker takes it to have begun and ended: the body is not waited for."""
        now = self._clock.monotonic()
        return (self._started if self._latency is None else now - self._latency), now

    def _leave(self) -> None:
        door = self.door
        door.attempts -= 1
        if door.gone and not door.attempts:
            self._pool.evict(door.origin)  # nobody will come for its connections
