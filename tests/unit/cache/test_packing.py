"""Large bodies made small."""

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from loadpath.cache import MemoryStore, MultiLayerCache
from loadpath.cache.codec import VERSION, decode, encode
from loadpath.cache.errors import UndecodableError
from loadpath.cache.packing import LARGEST, MAGIC, pack, unpack

STAMP = b"1764040000000000"


@given(text=st.text(), times=st.integers(1, 2_000))
def test_what_is_packed_comes_back(text: str, times: int) -> None:
    """Packed or not, an entry is the same, and tells its size unpacked."""
    body = encode([text] * times, created=1.0, fresh=2.0)
    packed = pack(body)
    assert unpack(packed) == unpack(body) == body
    assert len(packed) <= len(body)
    assert decode(VERSION + STAMP + packed) == decode(VERSION + STAMP + body)


@given(junk=st.binary(max_size=100))
def test_damage_is_undecodable(junk: bytes) -> None:
    """Whatever follows the magic number is an error that a cache counts as a miss."""
    try:
        unpack(MAGIC + junk)
    except UndecodableError:
        return
    assert zstandard.frame_content_size(MAGIC + junk) > 0


def test_a_bomb_is_not_unpacked() -> None:
    """A frame that claims to be huge, and one that does not say, are refused before any memory."""
    huge = zstandard.ZstdCompressor(write_content_size=True).compressobj(size=LARGEST + 1)
    claims = huge.compress(b"\0" * (LARGEST + 1)) + huge.flush()
    assert len(claims) < 100_000
    unknown = zstandard.ZstdCompressor(write_content_size=False).compress(b"\0" * 1_000)
    for each in (claims, unknown):
        with pytest.raises(UndecodableError):
            unpack(each)


async def test_a_cache_packs_what_is_large_enough() -> None:
    """The shared layer holds it small; memory counts it as large as it is there."""
    value = {"text": "again and again " * 1_000}
    store = MemoryStore()
    async with MultiLayerCache(store, pack_above=1_000) as one, MultiLayerCache(store) as other:
        await one.set("large", value)
        await one.set("small", "s")
        _, large, small = await store.read(("large", "small"))
        assert large is not None
        assert small is not None
        assert len(large) < 1_000
        assert decode(small).value == "s"
        assert await other.get("large") == value
        for cache in (one, other):
            stats = cache.snapshot().l1
            assert stats is not None
            assert stats.bytes > 16_000


def test_a_bound_below_zero_is_refused() -> None:
    """The argument is checked when it is given."""
    with pytest.raises(ValueError, match="pack_above"):
        MultiLayerCache(pack_above=-1)
