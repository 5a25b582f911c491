"""The command line: `loadpath up|demo|load|gateway|lock|cache|guide|doctor|version`.

Commands live in small modules that are imported when they are called, so that asking for help
costs nothing. Figures go to standard output, progress and errors to standard error where figures
are printed for programs (`--json`). Exit codes: 0 done and good, 1 failed, 2 asked wrongly, 130
ended by Ctrl-C.
"""

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit.

    Args:
        arguments: What to run, `sys.argv` by default.
    """
    try:
        from loadpath.cli.entry import run  # noqa: PLC0415 - importing takes a moment, too

        code = run(sys.argv[1:] if arguments is None else list(arguments))
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)
