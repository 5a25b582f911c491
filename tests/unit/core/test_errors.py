"""The error tree drawn in `core.errors` is the one that the code has."""

import importlib
import pkgutil
from collections.abc import Iterator

import pytest

import loadpath
from loadpath.core import errors
from loadpath.core.errors import InDoubtError, LoadpathError, RejectedError

Class = type[BaseException]


def everything() -> None:
    """Import every module of the house, so that every error exists."""
    for module in pkgutil.walk_packages(loadpath.__path__, "loadpath."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def branches(parent: Class) -> list[Class]:
    """Return the public errors whose first base is `parent`, by name."""
    public = [each for each in parent.__subclasses__() if not each.__name__.startswith("_")]
    ours = [each for each in public if each.__module__.startswith("loadpath.")]
    return sorted((each for each in ours if each.__bases__[0] is parent), key=name)


def name(error: Class) -> str:
    """Return the name that the tree gives an error: those of `core.errors` go without module."""
    module = error.__module__.removeprefix("loadpath.")
    return error.__name__ if module == "core.errors" else f"{module}.{error.__name__}"


def drawn(error: Class, indent: str = "") -> Iterator[str]:
    """Return the lines below an error, its further bases in brackets."""
    below = branches(error)
    for each in below:
        last = each is below[-1]
        bases = ", ".join(base.__name__ for base in each.__bases__[1:])
        yield f"{indent}{'└──' if last else '├──'} {name(each)}" + (f" ({bases})" if bases else "")
        yield from drawn(each, indent + ("    " if last else "│   "))


def test_the_tree_is_drawn_as_it_is() -> None:
    """Every error of every room is in the docstring, below its base; paste what the test shows."""
    everything()
    tree = "\n".join([LoadpathError.__name__, *drawn(LoadpathError)])
    assert tree in (errors.__doc__ or ""), f"the tree is now:\n{tree}"


def test_rejected_and_in_doubt_are_apart() -> None:
    """No error is both: work that was not tried cannot be in doubt."""
    everything()
    both = [
        each
        for each in RejectedError.__subclasses__() + InDoubtError.__subclasses__()
        if issubclass(each, RejectedError) and issubclass(each, InDoubtError)
    ]
    assert not both


@pytest.mark.parametrize("retry_after", [None, 2.5])
def test_a_rejection_says_when_to_come_back(retry_after: float | None) -> None:
    """`retry_after` is a field for programs; the message is for people."""
    error = RejectedError("full; try again later", retry_after=retry_after)
    assert error.retry_after == retry_after
    assert str(error) == "full; try again later"
