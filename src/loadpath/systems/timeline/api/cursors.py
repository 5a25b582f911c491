"""Opaque cursors: where a page ended, signed so that nobody can make one up.

A cursor is the last id of a page and a keyed hash over it and the list it belongs to, so it opens
the next page of that list only. Pages follow ids, not counts: a post that arrives meanwhile moves
nothing (keyset paging).

Source: RFC 7693 (keyed BLAKE2).
"""

import hashlib
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hmac import compare_digest

from loadpath.core.errors import LoadpathError

_ID_BYTES = 8
_MAC_BYTES = 8
_LENGTH = 24  # of the text: 16 bytes in base64, two of them padding that is left out
_PADDING = "=="
_TEXT = _LENGTH - len(_PADDING)
_SHAPE = re.compile(f"[A-Za-z0-9_-]{{{_TEXT}}}")


class CursorError(LoadpathError, ValueError):
    """Refuse a cursor that this system did not give out for this list."""


class Cursors:
    """Make and check cursors.

    Args:
        secret: What signs them; every process of one record must have the same.
    """

    def __init__(self, secret: bytes) -> None:
        if not secret:
            raise ValueError("secret must not be empty: use the record's")
        key = hashlib.blake2b(secret, person=b"cursors").digest()
        self._keyed = hashlib.blake2b(key=key, digest_size=_MAC_BYTES)

    def encode(self, scope: str, last: int) -> str:
        """Return the cursor that opens the page of `scope` after the id `last`."""
        raw = last.to_bytes(_ID_BYTES)
        return urlsafe_b64encode(raw + self._mac(scope, raw))[:_TEXT].decode()

    def decode(self, scope: str, cursor: str) -> int:
        """Return the id after which the page starts.

        Raises:
            CursorError: The cursor is forged, damaged, or of another list.
        """
        if not _SHAPE.fullmatch(cursor):
            raise CursorError("not a cursor of this list: take `next_cursor` from the page before")
        raw = urlsafe_b64decode(cursor + _PADDING)
        last, mac = raw[:_ID_BYTES], raw[_ID_BYTES:]
        # Encoding again refuses other spellings: the last character has bits that mean nothing.
        known = compare_digest(mac, self._mac(scope, last))
        if not known or urlsafe_b64encode(raw)[:_TEXT].decode() != cursor:
            raise CursorError("not a cursor of this list: take `next_cursor` from the page before")
        return int.from_bytes(last)

    def _mac(self, scope: str, raw: bytes) -> bytes:
        mac = self._keyed.copy()
        mac.update(raw)
        mac.update(scope.encode())
        return mac.digest()
