"""Whatever a command is made of arrives as it was, and what would harm others is refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.resp.encoding import REFUSED, Argument, encode, pack

arguments: st.SearchStrategy[Argument] = st.one_of(
    st.binary(),
    st.binary().map(bytearray),
    st.binary().map(memoryview),
    st.text(),
    st.integers(),
    st.floats(allow_nan=False),
)


def words_of(packed: bytes) -> list[bytes]:
    """Read an array of bulk strings, as a server does."""
    head, _, rest = packed.partition(b"\r\n")
    words = []
    for _ in range(int(head.removeprefix(b"*"))):
        length, _, rest = rest.partition(b"\r\n")
        size = int(length.removeprefix(b"$"))
        words.append(rest[:size])
        assert rest[size : size + 2] == b"\r\n"
        rest = rest[size + 2 :]
    assert not rest
    return words


def same(word: bytes, argument: Argument) -> bool:
    """Return whether a word says what the argument was."""
    if isinstance(argument, str):
        return word == argument.encode()
    if isinstance(argument, float):
        return float(word) == argument
    if isinstance(argument, int):
        return int(word) == argument
    return word == bytes(argument)


@given(command=st.lists(arguments, min_size=1, max_size=20))
def test_any_arguments_arrive_as_they_were(command: list[Argument]) -> None:
    """Bytes of any value, text of any script, numbers of any size: every word is whole."""
    words = words_of(pack(command))
    assert len(words) == len(command)
    assert all(same(word, argument) for word, argument in zip(words, command, strict=True))


@given(name=st.sampled_from(sorted(REFUSED)), seed=st.randoms(), kind=st.sampled_from([str, bytes]))
def test_a_command_that_would_harm_others_is_refused_in_any_spelling(
    name: str, seed: Any, kind: type
) -> None:
    """Upper case, lower case or mixed, as str or bytes."""
    spelt = "".join(seed.choice((letter.lower(), letter)) for letter in name)
    with pytest.raises(ValueError, match=f"{name} .*(use|poll)"):
        encode([spelt if kind is str else spelt.encode(), "x"])


@pytest.mark.parametrize(
    "command",
    [
        ["client", "reply", "off"],
        ["XREAD", "COUNT", 2, "block", 0, "STREAMS", "s", "$"],
        [b"XREADGROUP", "GROUP", "g", "c", b"BLOCK", 5, "STREAMS", "s", ">"],
    ],
)
def test_options_that_would_harm_others_are_refused(command: list[Argument]) -> None:
    """The same command without the option is fine."""
    with pytest.raises(ValueError, match=r"BLOCK|REPLY"):
        encode(command)


def test_a_key_may_be_called_as_an_option() -> None:
    """What follows `STREAMS` are keys."""
    assert encode(["XREAD", "STREAMS", "BLOCK", "0"])
    assert encode(["CLIENT", "ID"])


@pytest.mark.parametrize("wrong", [None, True, object(), ["nested"]])
def test_other_types_are_refused(wrong: Any) -> None:
    """None, a boolean or a list has no one obvious form."""
    with pytest.raises(TypeError, match="bytes, str, int or float"):
        encode(["SET", "key", wrong])


@pytest.mark.parametrize("name", [1, None, bytearray(b"GET")])
def test_a_command_begins_with_its_name(name: Any) -> None:
    """A number or nothing is no name."""
    with pytest.raises(TypeError, match="name of a command"):
        encode([name])
    with pytest.raises(ValueError, match="at least a name"):
        encode([])
