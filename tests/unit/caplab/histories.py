"""Histories for tests: written by hand, and by simulated stores, right ones and wrong ones."""

from random import Random
from typing import Any

from loadpath.caplab.history import History, Op, read_text

Log = list[Op]


def edn(text: str) -> History:
    """Return a history from lines of `process type f value`."""
    lines = [line.split(None, 3) for line in text.strip().splitlines()]
    maps = [
        f"{{:process {process} :type :{kind} :f :{f} :value {value}}}"
        for process, kind, f, value in lines
    ]
    return read_text("[" + "\n".join(maps) + "]")


def sequence(*calls: tuple[int, str, Any, Any]) -> History:
    """Return calls that follow one another: process, f, value, result."""
    ops: Log = []
    for process, f, value, result in calls:
        ops.append(Op(type="invoke", process=process, f=f, value=value))
        ops.append(Op(type="ok", process=process, f=f, value=result))
    return History(ops)


class Store:
    """Do calls at one moment between their beginning and their end, and write down what is seen."""

    def __init__(self, seed: int, *, processes: int, stale: float = 0.0) -> None:
        self.random = Random(seed)
        self.stale = stale
        self.ops: Log = []
        self._free = list(range(processes))
        self._processes = processes
        self._open: dict[int, list[Any]] = {}

    def run(self, calls: int) -> History:
        """Return what clients saw that made this many calls."""
        left = calls
        while left or self._open:
            waits = [p for p in self._free if p not in self._open]
            if left and waits and (not self._open or self.random.random() < 0.5):
                left -= 1
                process = self.random.choice(waits)
                f, value = self.ask()
                self.ops.append(Op(type="invoke", process=process, f=f, value=value))
                self._open[process] = [f, value, None]
            else:
                self._go_on(self.random.choice(list(self._open)))
        return History(self.ops)

    def _go_on(self, process: int) -> None:
        call = self._open[process]
        if call[2] is None and self.random.random() < 0.1:
            self._crash(process, call)
        elif call[2] is None:
            call[2] = self.apply(call[0], call[1])
        else:
            kind, value = call[2]
            self.ops.append(Op(type=kind, process=process, f=call[0], value=value))
            del self._open[process]

    def _crash(self, process: int, call: list[Any]) -> None:
        """Leave the client without an answer; its next life is another process."""
        if self.random.random() < 0.5:
            self.apply(call[0], call[1])
        self.ops.append(Op(type="info", process=process, f=call[0], value=call[1]))
        del self._open[process]
        self._free.remove(process)
        self._free.append(self._processes)
        self._processes += 1

    def ask(self) -> tuple[str, Any]:
        """Return what a client asks next."""
        raise NotImplementedError

    def apply(self, f: str, value: Any) -> tuple[Any, Any]:
        """Do a call and return the type and the value of its answer."""
        raise NotImplementedError


class RegisterStore(Store):
    """Keep one register; a stale one answers, now and then, with what was there before."""

    value: Any = None
    before: Any = None

    def ask(self) -> tuple[str, Any]:
        """Read, write or compare and set."""
        f = self.random.choice(["read", "write", "cas"])
        draw = self.random.randrange
        return f, {"read": None, "write": draw(4), "cas": (draw(4), draw(4))}[f]

    def apply(self, f: str, value: Any) -> tuple[Any, Any]:
        """Do it."""
        if f == "read":
            stale = self.random.random() < self.stale
            return "ok", self.before if stale else self.value
        if f == "cas" and self.value != value[0]:
            return "fail", value
        self.before, self.value = self.value, value[1] if f == "cas" else value
        return "ok", value


class BankStore(Store):
    """Keep accounts; a stale one loses the last transfer when it is read."""

    def __init__(self, seed: int, *, accounts: int = 4, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.balances = dict.fromkeys(range(accounts), 10)
        self.before = dict(self.balances)

    def ask(self) -> tuple[str, Any]:
        """Read or transfer."""
        if self.random.random() < 0.5:
            return "read", None
        source, target = self.random.sample(sorted(self.balances), 2)
        return "transfer", {"from": source, "to": target, "amount": self.random.randint(1, 5)}

    def apply(self, f: str, value: Any) -> tuple[Any, Any]:
        """Do it."""
        if f == "read":
            stale = self.random.random() < self.stale
            return "ok", dict(self.before if stale else self.balances)
        if self.balances[value["from"]] < value["amount"]:
            return "fail", value
        self.before = dict(self.balances)
        self.balances[value["from"]] -= value["amount"]
        self.balances[value["to"]] += value["amount"]
        return "ok", value


class ListStore(Store):
    """Run transactions on lists, one at a time; a stale one reads from before the last one."""

    def __init__(self, seed: int, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.lists: dict[int, tuple[int, ...]] = {}
        self.before: dict[int, tuple[int, ...]] = {}
        self._next = 0

    def ask(self) -> tuple[str, Any]:
        """Read and append."""
        ops: list[tuple[str, int, Any]] = []
        for _ in range(self.random.randint(1, 4)):
            key = self.random.randrange(5) + 5 * (self._next // 200)
            if self.random.random() < 0.5:
                ops.append(("r", key, None))
            else:
                self._next += 1
                ops.append(("append", key, self._next))
        return "txn", tuple(ops)

    def apply(self, f: str, value: Any) -> tuple[Any, Any]:
        """Do it."""
        del f
        stale = self.random.random() < self.stale
        seen = dict(self.before if stale else self.lists)
        self.before = dict(self.lists)
        done = []
        for f, key, each in value:
            if f == "append":
                self.lists[key] = (*self.lists.get(key, ()), each)
                seen[key] = (*seen.get(key, ()), each)
            done.append((f, key, seen.get(key, ()) if f == "r" else each))
        return "ok", tuple(done)
