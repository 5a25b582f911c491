"""What is raised when a history cannot be read."""

from loadpath.core.errors import LoadpathError


class HistoryError(LoadpathError, ValueError):
    """Report a history that cannot be read, or that no client could have written.

    Attributes:
        file: Name of the file, `-` for standard input.
        line: Line of the operation, None when it is about the whole history.
    """

    def __init__(self, message: str, *, file: str = "history", line: int | None = None) -> None:
        where = file if line is None else f"{file}:{line}"
        super().__init__(f"{where}: {message}")
        self.file = file
        self.line = line
