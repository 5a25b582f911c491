"""Listeners hear what is theirs, in order, and one that fails harms no other."""

from loadpath.resp.pushes import Listener, Pushes


def test_a_publication_goes_to_its_channel_only() -> None:
    """Two listeners of one channel both hear it, those of another do not."""
    heard: list[tuple[str, bytes]] = []
    pushes = Pushes(lambda _: None)
    pushes.join(b"a", lambda payload: heard.append(("first", payload)), None)
    pushes.join(b"a", lambda payload: heard.append(("second", payload)), None)
    pushes.join(b"b", lambda payload: heard.append(("other", payload)), None)
    pushes.deliver([b"message", b"a", b"1"])
    pushes.deliver([b"message", b"nobody", b"2"])
    assert heard == [("first", b"1"), ("second", b"1")]
    assert pushes.count == 2


def test_other_pushes_go_by_their_kind() -> None:
    """An invalidation brings its keys, None when all are meant."""
    heard: list[list[object]] = []
    listener = Listener(heard.append, None)
    pushes = Pushes(lambda _: None)
    pushes.listen(b"invalidate", listener)
    pushes.deliver([b"invalidate", [b"k"]])
    pushes.deliver([b"invalidate", None])
    pushes.leave(b"invalidate", listener)
    pushes.leave(b"invalidate", listener)
    pushes.deliver([b"invalidate", [b"later"]])
    assert heard == [[[b"k"]], [None]]


def test_a_listener_that_raises_is_reported_and_harms_no_other() -> None:
    """The next one hears the push all the same."""
    errors: list[Exception] = []
    heard: list[bytes] = []
    pushes = Pushes(errors.append)

    def broken(_: bytes) -> None:
        raise RuntimeError("a bug")

    pushes.join(b"a", broken, None)
    pushes.join(b"a", heard.append, None)
    pushes.deliver([b"message", b"a", b"1"])
    assert heard == [b"1"]
    assert [str(error) for error in errors] == ["a bug"]


def test_the_last_to_leave_closes_the_channel() -> None:
    """Until then the channel is heard."""
    pushes = Pushes(lambda _: None)
    one = pushes.join(b"a", lambda _: None, None)
    two = pushes.join(b"a", lambda _: None, None)
    assert not pushes.part(b"a", one)
    assert pushes.channels == [b"a"]
    assert pushes.part(b"a", two)
    assert pushes.channels == []


def test_a_gap_is_told_to_everybody_who_asked() -> None:
    """Those of channels and those of kinds; one may leave while it hears of it."""
    told: list[str] = []
    pushes = Pushes(lambda _: None)
    pushes.join(b"a", lambda _: None, lambda: told.append("channel"))
    pushes.join(b"a", lambda _: None, None)
    kind = Listener(lambda _: None, lambda: told.append("kind"))
    pushes.listen(b"invalidate", kind)
    pushes.gap()
    assert sorted(told) == ["channel", "kind"]


def test_a_listener_may_leave_while_it_hears() -> None:
    """The others still hear the same push."""
    heard: list[bytes] = []
    pushes = Pushes(lambda _: None)
    first = pushes.join(b"a", lambda _: leave(), None)
    pushes.join(b"a", heard.append, None)

    def leave() -> None:
        pushes.part(b"a", first)

    pushes.deliver([b"message", b"a", b"1"])
    assert heard == [b"1"]
