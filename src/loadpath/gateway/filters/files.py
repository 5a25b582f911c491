"""Find and read the files of one folder; nothing outside it, nothing hidden, nothing but files.

Functions here wait for the disk: they run in a thread.
"""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO, NamedTuple
from urllib.parse import unquote_to_bytes

_WELL_KNOWN = b".well-known"
"""The one hidden name that is served (RFC 8615)."""

_ABSENT = frozenset(
    {
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EACCES,
        errno.EPERM,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.EINVAL,
        errno.ENXIO,  # a socket
    }
)


class Found(NamedTuple):
    """Hold an open file.

    Attributes:
        file: The file; whoever gets it closes it.
        size: Its size (bytes).
        modified: When it changed last (Unix s).
        etag: Its strong ETag.
        name: Its name, without the ending of a variant.
        encoding: `Content-Encoding` of the variant, empty for the file itself.
    """

    file: BinaryIO
    size: int
    modified: float
    etag: bytes
    name: str
    encoding: str


class FolderError(Exception):
    """Report a folder where a file is expected."""


def segments_of(path: str) -> list[bytes] | None:
    """Return the names that a path is made of, None when it can be no file.

    Args:
        path: Normalised, percent-encoded, relative to the folder.
    """
    names = [unquote_to_bytes(each) for each in path.split("/") if each]
    return None if any(map(_is_forbidden, names)) else names


def _is_forbidden(name: bytes) -> bool:
    hidden = name.startswith(b".") and name != _WELL_KNOWN
    return hidden or b"/" in name or b"\\" in name or b"\x00" in name


def find(root: Path, names: list[bytes], variants: tuple[tuple[str, str], ...]) -> Found | None:
    """Return an open file, None when there is none that may be served.

    Args:
        root: The folder; a link is followed, so that another version can be put in its place.
        names: Below it.
        variants: Endings to look for before the file itself, each with its encoding.

    Raises:
        FolderError: It is a folder.
        OSError: It cannot be told now: too many files are open, or the disk fails.
    """
    real_root = os.path.realpath(os.fsencode(root))
    path = os.path.join(real_root, *names)  # noqa: PTH118 - names are bytes
    for ending, encoding in (*variants, ("", "")):
        file = _open(real_root, path + ending.encode(), is_variant=bool(ending))
        if file is None:
            continue
        facts = os.fstat(file.fileno())
        suffix = f"-{encoding}" if encoding else ""
        etag = f'"{facts.st_mtime_ns:x}-{facts.st_size:x}{suffix}"'.encode()
        name = os.fsdecode(names[-1]) if names else ""
        return Found(file, facts.st_size, facts.st_mtime, etag, name, encoding)
    return None


def _open(root: bytes, path: bytes, *, is_variant: bool) -> BinaryIO | None:
    real = os.path.realpath(path)
    if os.path.commonpath((root, real)) != root:
        return None  # a link leads out of the folder
    try:
        # A pipe is opened without waiting for whoever writes it, and then refused.
        descriptor = os.open(real, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        raise
    kind = os.fstat(descriptor).st_mode
    if stat.S_ISREG(kind):
        return open(descriptor, "rb", buffering=0)  # noqa: PTH123 - whoever gets it closes it
    os.close(descriptor)
    if stat.S_ISDIR(kind) and not is_variant:
        raise FolderError
    return None
