"""The small parts every room stands on, in one minute: `python examples/01_core.py`.

Time is handed in, so nothing here waits: a clock steps back, a client retries for half a minute
and two processes serve 20,000 requests, all at once.
"""

import tempfile
from itertools import islice
from pathlib import Path
from random import Random
from typing import Annotated

import msgspec
from msgspec import Meta

from loadpath.core.backoff import Backoff
from loadpath.core.histogram import Histogram
from loadpath.core.ids import ClockWentBack, SnowflakeIds, decode
from loadpath.core.settings import SettingsError, load
from loadpath.testing import FakeClock


class Api(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the settings file."""

    port: Annotated[int, Meta(ge=1, le=65_535)] = 8000


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The settings file."""

    api: Api = Api()


def ids_only_grow() -> None:
    """Draw ids while the clock is corrected."""
    clock = FakeClock(time=1_800_000_000.0)
    ids = SnowflakeIds(7, clock=clock)
    before = ids.next()
    clock.set_time(clock.time() - 0.5)
    after = ids.next()
    print(f"half a second back: {before} < {after} is {before < after}, {decode(after)}")
    clock.set_time(clock.time() - 3_600)
    try:
        ids.next()
    except ClockWentBack as error:
        print(f"an hour back: {error}")


def retries_spread() -> None:
    """Three clients that failed together come back apart."""
    for client in range(3):
        delays = islice(Backoff(base=0.5, cap=10.0).delays(Random(client)), 6)
        print(f"client {client} waits", *(f"{delay:.2f}" for delay in delays), "s")


def latencies_merge() -> None:
    """Two processes count their latencies; a third adds them up."""
    parts = []
    for process in range(2):
        random, histogram = Random(process), Histogram()
        for _ in range(10_000):
            histogram.record(random.lognormvariate(-5 + process, 0.5))
        parts.append(histogram.to_bytes())
    total = Histogram()
    for part in parts:
        total.merge(Histogram.from_bytes(part))
    print(f"{sum(map(len, parts))} bytes crossed: {msgspec.json.encode(total.snapshot()).decode()}")


def settings_say_where() -> None:
    """A misspelt name and a value out of range are found by their path."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "service.toml")
        for text in ("[api]\nport = 80\n", "[api]\nprot = 80\n", "[api]\nport = 80000\n"):
            file.write_text(text, encoding="utf-8")
            try:
                print(load(file, Settings))
            except SettingsError as error:
                print(f"refused at {error.path}: {error}")


if __name__ == "__main__":
    ids_only_grow()
    retries_spread()
    latencies_merge()
    settings_say_where()
