"""Hashes are the same everywhere."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from loadpath.balance.hashing import md5_digest, md5_hash, random_key, unit


def test_md5_is_md5() -> None:
    """RFC 1321's vectors, and ketama's word of them."""
    assert md5_digest(b"").hex() == "d41d8cd98f00b204e9800998ecf8427e"
    assert md5_digest(b"message digest").hex() == "f96b697d7cb7938d525a2f31aaf161d0"
    assert md5_hash(b"") == 0xD98C1DD4


@given(key=st.binary(max_size=50))
def test_a_unit_is_one(key: bytes) -> None:
    """Between 0 and 1, the same for the same key."""
    assert 0 <= unit(key) < 1
    assert unit(key) == unit(bytes(key))


def test_random_keys_repeat_with_their_seed() -> None:
    """A seed repeats a run."""
    assert random_key(Random(1)) == random_key(Random(1))
