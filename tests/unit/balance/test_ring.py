"""The ring is the one that other clients have, and moves no key that need not move."""

from bisect import bisect_left
from collections import Counter
from math import floor
from random import Random
from statistics import pstdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from uhashring import HashRing

from loadpath.balance import Endpoint, Ketama, Member
from loadpath.balance.hashing import md5_hash
from loadpath.balance.ring import ketama_points, nginx_points
from tests.unit.balance.members import members, named, start, update

# From libmemcached's own tests: key, its hash, the point it meets, the server of that point.
SERVERS = (600, 300, 200, 350, 1000, 800, 950, 100)
VECTORS = [
    ("SVa_]_V41)", 443691461, 445379617, 7),
    ("*/Z;?V(.\\8", 1422915503, 1428303028, 1),
    ("30C1*Z*S/_", 1473165754, 1480075959, 2),
    ("ERR:EC58G>", 2148406511, 2168579133, 7),
    ("1I=cTMNTKF", 2882686667, 2885206587, 5),
    ("726bW=9*a4", 4213440020, 4213950705, 7),
    ("P1[Ma3=K1/", 1989324036, 1994028240, 8),
    ("D[HE+cFXDK", 2117036136, 2117124014, 3),
    ("EM75N0+[X1", 1558531507, 1559308507, 4),
    ("(,>E`)FT\\4", 580747448, 581063326, 2),
    ("6,cEI`F_P>", 3972869246, 3974773167, 6),
    ("VD6D0]ba_\\", 3842502950, 3842588691, 1),
]
KEYS = [f"user-{number}".encode() for number in range(3_000)]


def ring(*given: Member, bound: float | None = None) -> Ketama:
    """Return a ring of these members."""
    picker = Ketama(Random(1), bound=bound)
    update(picker, given)
    return picker


def owners(picker: Ketama) -> list[Member]:
    """Return who has each key."""
    return [picker.pick(0.0, key, ()) for key in KEYS]


@pytest.mark.parametrize(("key", "value", "point", "server"), VECTORS)
def test_libmemcacheds_vectors(key: str, value: int, point: int, server: int) -> None:
    """Hash, point and server of libmemcached's table, whose weights are relative there."""
    points: dict[int, int] = {}
    for number, weight in enumerate(SERVERS, 1):
        endpoint = Endpoint(host=f"10.0.1.{number}", port=11_211)
        digests = floor(weight / sum(SERVERS) * 40 * len(SERVERS) + 1e-10)
        for each in ketama_points(endpoint, 4 * digests):
            points.setdefault(each, number)
    placed = sorted(points)
    assert md5_hash(key.encode()) == value
    met = placed[bisect_left(placed, value) % len(placed)]
    assert (met, points[met]) == (point, server)


def test_uhashring_agrees() -> None:
    """Another implementation of the same ring gives every key to the same server."""
    servers = named(9)
    peer = HashRing(nodes=[each.endpoint.address for each in servers], hash_fn="ketama")
    ours = [member.endpoint.address for member in owners(ring(*servers))]
    assert ours == [peer.get_node(key.decode()) for key in KEYS]


def test_nginx_points_are_a_chain() -> None:
    """160 points a server, each the CRC-32 of host, port and the point before."""
    points = nginx_points(Endpoint(host="127.0.0.1", port=8001), 160)
    assert len(set(points)) == 160
    assert points == nginx_points(Endpoint(host="127.0.0.1", port=8001), 160)
    assert set(points).isdisjoint(nginx_points(Endpoint(host="127.0.0.1", port=8002), 160))


def test_shares_follow_weights() -> None:
    """With 160 points a unit, shares are the weights' within a quarter."""
    counted = Counter(member.endpoint.host for member in owners(ring(*members(a=1, b=2, c=4))))
    for name, weight in (("a", 1), ("b", 2), ("c", 4)):
        assert counted[name] / len(KEYS) == pytest.approx(weight / 7, rel=0.25)
    even = Counter(owners(ring(*named(10))))
    assert pstdev(even.values()) < 0.2 * len(KEYS) / 10


@settings(max_examples=25)
@given(count=st.integers(2, 12), lost=st.integers(0, 11))
def test_a_member_that_goes_moves_its_own_keys_only(count: int, lost: int) -> None:
    """Removed or only not ready: everybody else's keys stay, and all come back."""
    servers, lost = named(count), lost % count
    picker = ring(*servers)
    before = owners(picker)
    gone = owners(ring(*(each for each in servers if each is not servers[lost])))
    servers[lost].ready = False
    update(picker, servers)
    passed = owners(picker)
    assert gone == passed
    assert {a for a, b in zip(before, passed, strict=True) if a is not b} == {servers[lost]}
    servers[lost].ready = True
    update(picker, servers)
    assert owners(picker) == before


def test_a_member_that_comes_takes_its_share_only() -> None:
    """The eleventh of eleven gets about an eleventh, all of it for itself."""
    servers = named(11)
    before, after = owners(ring(*servers[:10])), owners(ring(*servers))
    moved = [b for a, b in zip(before, after, strict=True) if a is not b]
    assert set(moved) == {servers[10]}
    assert len(moved) / len(KEYS) == pytest.approx(1 / 11, rel=0.4)


def test_bounded_load_holds_for_one_hot_key() -> None:
    """Everybody asks for one key: no member holds more than 1.25 of its share, rounded up."""
    servers = named(10)
    picker = ring(*servers, bound=1.25)
    for total in range(1, 401):
        start(picker.pick(0.0, b"hot", ()))
        assert max(member.active for member in servers) <= -(-1.25 * total // 10)
    assert sum(member.active > 0 for member in servers) == 8  # eight times 1.25 shares are all


def test_bounded_load_moves_few_keys() -> None:
    """With many keys at a moderate load almost every key stays where hashing put it."""
    servers, plain = named(10), named(10)
    free, bounded = ring(*plain), ring(*servers, bound=2.0)
    same = 0
    for key in KEYS:
        member = bounded.pick(0.0, key, ())
        start(member)
        same += member.endpoint == free.pick(0.0, key, ()).endpoint
    assert same / len(KEYS) > 0.95


def test_when_all_are_full_somebody_serves() -> None:
    """A bound that calls elsewhere used up is no reason to refuse."""
    servers = named(3)
    picker = ring(*servers, bound=1.25)
    for member in servers:
        member.active = 100  # not in the tally: as if the balance were broken
    assert picker.pick(0.0, b"key", ()) in servers


def test_the_avoided_are_skipped_unless_nobody_is_left() -> None:
    """A retry walks on along the ring, always to the same next one."""
    servers = named(4)
    picker = ring(*servers)
    first = picker.pick(0.0, b"key", ())
    second = picker.pick(0.0, b"key", [first])
    assert second is not first
    assert picker.pick(0.0, b"key", [first]) is second
    assert picker.pick(0.0, b"key", servers) is first


def test_calls_without_a_key_go_anywhere() -> None:
    """They are spread."""
    picker = ring(*named(4))
    assert len({picker.pick(0.0, None, ()) for _ in range(100)}) == 4


def test_a_huge_ring_is_thinned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights do not multiply points without end, and shares stay those of the weights."""
    monkeypatch.setattr("loadpath.balance.ring.LARGEST_RING", 20_000)
    picker = ring(*named(10, weight=100), *members(a=10))
    assert 15_000 < len(picker._hashes) <= 20_001
    assert len(set(owners(picker))) == 11


def test_arguments_without_meaning_are_refused() -> None:
    """The error names the argument."""
    with pytest.raises(ValueError, match="layout"):
        Ketama(Random(1), layout="twemproxy")  # type: ignore[arg-type] # wrong on purpose
    for bound in (1.0, 0.5, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="bound"):
            Ketama(Random(1), bound=bound)
