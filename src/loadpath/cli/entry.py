"""From arguments to a command, and from whatever it raises to one clear line and an exit code."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from inspect import cleandoc
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Final

from loadpath.core.errors import LoadpathError

if TYPE_CHECKING:
    from cyclopts import App

FAILED: Final = 1
ASKED_WRONGLY: Final = 2
INTERRUPTED: Final = 130
# Commands whose exit codes 1 and 2 are verdicts: what they end with when they failed, and when they
# were asked wrongly (EX_DATAERR and EX_USAGE of sysexits.h).
VERDICTS: Final = {"check": (65, 64)}
EXTRAS: Final = "pip install '.[all]' in a checkout of loadpath, or make setup"

# What each group of commands does, and what it does with the timeline: told here, where lists of
# commands can tell it without importing them.
SYSTEMS: Final = {
    "demo": (
        "Run a system under load and judge it against the guide.",
        """Run the Twitter-like system on this machine, under load, and print the verdict.

        Starts PostgreSQL and Valkey, builds a follower graph, sends load over HTTP, looks up every
        post afterwards, and leaves the page open until Ctrl-C. Exits with 0 when the verdict holds.
        """,
    ),
    "up": (
        "Run a system until Ctrl-C, with data that stays.",
        "Run the Twitter-like system until Ctrl-C; posts are there again at the next start.",
    ),
    "load": (
        "Send load to a system and look up what became of it.",
        """Load the Twitter-like system and look up every post afterwards.

        Builds a power-law follower graph and sends open-loop load. Without --url and --postgres it
        sets up a system of its own, durable and temporary. Exits with 0 when every request ended
        as asked and every post is where it belongs.
        """,
    ),
}

# The other groups of commands, each a module of its own.
GROUPS: Final = {
    "gateway": (
        "Run a gateway, or check its settings.",
        {
            "run": "Run a gateway until SIGTERM or Ctrl-C.",
            "check": "Say everything that is wrong with settings.",
        },
    ),
    "lock": (
        "Hold a distributed lock around a command, list locks, take one.",
        {
            "hold": "Run a command while holding a lock; kill it when the lease is lost.",
            "ls": "List the locks that are held.",
            "release": "Take a lock away from its holder.",
        },
    ),
    "cache": (
        "Look into a cache on Valkey or Redis, and invalidate in it.",
        {
            "stats": "Count what a cache holds on the server.",
            "get": "Show what the server holds for a key, and whether a reader would get it.",
            "invalidate": "Invalidate by key, tag, pattern or age, for all who share it.",
            "warm": "Fill a cache from a file.",
        },
    ),
    "export": (
        "Write gateway.toml as the file of another gateway.",
        {
            "nginx": "Write an nginx.conf.",
            "haproxy": "Write an haproxy.cfg.",
            "envoy": "Write the bootstrap of an Envoy.",
            "kubernetes": "Write Services and a Gateway with its routes.",
            "aws": "Write an NLB's Service and an ALB's Ingress.",
        },
    ),
    "import": (
        "Read another gateway's file into gateway.toml.",
        {"nginx": "Read an nginx.conf, and name what is not understood."},
    ),
}

MODULES: Final = {"import": "imports"}
"""Modules of groups whose names are words of Python."""


class UsageError(LoadpathError, ValueError):
    """Refuse a command that was asked for wrongly."""


class StoppedError(LoadpathError):
    """Report that a signal asked the command to stop, and that it did.

    Attributes:
        number: The signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by signal {number}")
        self.number = number


def run(arguments: Sequence[str]) -> int:
    """Run a command and return its exit code.

    Args:
        arguments: What to run, without the program's name.
    """
    _prepare_streams()
    if sys.stdout is None:
        closed = OSError("standard output is closed: send it to a file, or to /dev/null")
        _say(str(closed))
        return _code_of(closed, arguments)
    try:
        return _called(arguments)
    except (KeyboardInterrupt, StoppedError) as error:
        return 128 + error.number if isinstance(error, StoppedError) else INTERRUPTED
    except BrokenPipeError as error:
        sys.stdout = None  # nobody reads our output any more: nothing is flushed at exit
        return _code_of(error, arguments)
    except (ImportError, LoadpathError, OSError) as error:
        _say(_explained(error))
        return _code_of(error, arguments)


def _code_of(error: Exception, arguments: Sequence[str]) -> int:
    if arguments and arguments[0] in VERDICTS:
        failed, wrongly = VERDICTS[arguments[0]]
        return wrongly if isinstance(error, UsageError) else failed
    return ASKED_WRONGLY if isinstance(error, ValueError) else FAILED


def _prepare_streams() -> None:
    if sys.stderr is None:  # closed: what people should read must not get among the figures
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - open to the end
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # what the terminal cannot show is shown as an escape
            stream.reconfigure(errors="backslashreplace")


def _say(text: str) -> None:
    print(f"loadpath: {text}", file=sys.stderr)  # noqa: T201 - for people


@contextmanager
def asked() -> Iterator[None]:
    """Turn a refused argument into a command that was asked for wrongly.

    Raises:
        UsageError: A value object that was made in the block refused its values.
    """
    try:
        yield
    except ValueError as error:
        raise UsageError(str(error)) from error


def _called(arguments: Sequence[str]) -> int:
    from cyclopts import CycloptsError  # noqa: PLC0415 - an extra that may be missing

    try:
        code = make_app()(arguments, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        raise UsageError(f"{error} See `loadpath --help`.") from error
    return code if isinstance(code, int) else 0


def make_app() -> "App":
    """Return the tree of commands; none of them is imported yet."""
    from cyclopts import App, Parameter  # noqa: PLC0415 - an extra that may be missing

    from loadpath import __version__  # noqa: PLC0415 - kept beside what it is for

    app = App(
        name="loadpath",
        help="The patterns that let a system scale, correct under failure: run them, measure them.",
        version=__version__,
        default_parameter=Parameter(negative=()),
        result_action="return_value",
    )
    for group, (about, timeline) in SYSTEMS.items():
        commands = App(name=group, help=about)
        commands.command(f"loadpath.cli.{group}:timeline", name="timeline", help=cleandoc(timeline))
        app.command(commands)
    for group, (about, names) in GROUPS.items():
        commands = App(name=group, help=about)
        for name, does in names.items():
            module = MODULES.get(group, group)
            commands.command(f"loadpath.cli.{module}:{name}", name=name, help=does)
        app.command(commands)
    for name, about in (
        ("check", "Judge a history of operations: linearizable, serializable, nothing lost."),
        ("guide", "Say where each chapter of the guide lives."),
        ("doctor", "Say what is installed, what is missing, and what that costs."),
        ("version", "Say which versions run."),
    ):
        app.command(f"loadpath.cli.{name}:{name}", name=name, help=about)
    return app


def _explained(error: Exception) -> str:
    """Return the one line, or more when a server's last lines are part of it.

    Raises:
        ImportError: It is about a module of our own: that is a bug, not an extra.
    """
    if isinstance(error, LoadpathError) or not isinstance(error, ImportError):
        return str(error)
    for cause in _chain(error):
        missing = _missing(cause)
        if missing:
            return f"needs {missing}, which is missing: {EXTRAS}"
    raise error


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it was raised for; importing by name wraps the cause."""
    each: BaseException | None = error
    while each is not None:
        yield each
        each = each.__cause__ or each.__context__


def _missing(error: BaseException) -> str | None:
    """Return what is not installed, None when this error does not tell."""
    if not isinstance(error, ModuleNotFoundError) or error.name is None:
        return None
    package = error.name.partition(".")[0]
    return None if package == "loadpath" else f"the package {package}"
