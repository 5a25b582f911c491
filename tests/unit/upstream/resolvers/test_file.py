"""A file is read again whenever it may have changed, however it was changed."""

import os
from pathlib import Path

import pytest

from loadpath.balance import EndpointSet
from loadpath.upstream import FileResolver, ResolveError
from loadpath.upstream.resolvers import file as module
from loadpath.upstream.resolvers.file import _Reader


def test_a_change_that_keeps_size_and_time_is_seen(tmp_path: Path) -> None:
    """An edit in place that sets the old time again still has another time of change."""
    path = tmp_path / "orders.json"
    path.write_text('["a:1"]', encoding="utf-8")
    os.utime(path, (1_000, 1_000))
    reader = _Reader(path)
    assert reader.read() == EndpointSet(["a:1"])
    path.write_text('["b:1"]', encoding="utf-8")
    os.utime(path, (1_000, 1_000))
    assert reader.read() == EndpointSet(["b:1"])


def test_a_settled_file_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once its last change is old enough, a look costs no more than asking for its times."""
    path = tmp_path / "orders.json"
    path.write_text('["a:1"]', encoding="utf-8")
    reader = _Reader(path)
    parsed = 0

    def parse(data: bytes) -> EndpointSet:
        nonlocal parsed
        parsed += 1
        return EndpointSet(["a:1"]) if data else EndpointSet()

    monkeypatch.setattr(reader, "_parse", parse)
    reader.read()
    reader.read()
    assert parsed == 2  # just changed: a second change could have the same time
    monkeypatch.setattr(module, "SETTLED", -1)
    reader.read()
    reader.read()
    assert parsed == 3
    path.write_text('["a:1"]', encoding="utf-8")
    reader.read()
    assert parsed == 4


def test_one_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong path that leads to a disk image does not fill the memory."""
    monkeypatch.setattr(module, "LARGEST", 10)
    path = tmp_path / "orders.json"
    path.write_bytes(b" " * 11)
    with pytest.raises(ResolveError, match="larger than 10 bytes"):
        _Reader(path).read()


@pytest.mark.parametrize("name", ["orders", "orders.yaml", "orders.JSON"])
def test_the_name_tells_the_format(name: str) -> None:
    """Another ending is refused at once."""
    with pytest.raises(ValueError, match=r"\.toml or \.json"):
        FileResolver(name)


async def test_toml_works_too(tmp_path: Path) -> None:
    """A list by the name `endpoints`."""
    path = tmp_path / "orders.toml"
    path.write_text('endpoints = ["a:1"]', encoding="utf-8")
    stream = FileResolver(path).watch()
    assert await anext(stream) == EndpointSet(["a:1"])
    await stream.aclose()
