"""A cookie that brings a client back to its endpoint.

The value is a keyed hash of the address: it survives a reload and a restart, tells nobody an
address, and with a secret nobody can make one up for an endpoint of their choice. When the
endpoint is gone or not available the balancer picks another, and the answer carries its cookie.
"""

from dataclasses import dataclass
from hashlib import blake2b
from string import ascii_letters, digits
from typing import Literal

NAME_CHARACTERS = frozenset(ascii_letters + digits + "!#$%&'*+-.^_`|~")
LONGEST_SECRET = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class StickyCookie:
    """Say how the cookie looks.

    Attributes:
        name: Name of the cookie.
        secret: Key of the hash, at most 64 bytes, the same in every process; without one the
            value is opaque, but whoever knows an address can make it.
        path: Path that it is sent back for.
        max_age: How long the client keeps it (s); None until the browser closes.
        secure: Whether it is sent over HTTPS only.
        same_site: Whether other sites' requests carry it.
    """

    name: str = "loadpath"
    secret: bytes = b""
    path: str = "/"
    max_age: int | None = None
    secure: bool = True
    same_site: Literal["Strict", "Lax", "None"] = "Lax"

    def __post_init__(self) -> None:
        if not self.name or not NAME_CHARACTERS.issuperset(self.name):
            raise ValueError(f"name must be an HTTP token, not {self.name!r}")
        if len(self.secret) > LONGEST_SECRET:
            raise ValueError(f"secret must be at most {LONGEST_SECRET} bytes: hash it first")
        if not self.path.startswith("/") or not self.path.isprintable() or ";" in self.path:
            raise ValueError(f"path must begin with / and have no semicolon, not {self.path!r}")
        if self.max_age is not None and self.max_age < 1:
            raise ValueError(f"max_age must be at least 1 s, or None, not {self.max_age}")

    def value(self, address: str) -> str:
        """Return the cookie's value for an endpoint."""
        return blake2b(address.encode(), key=self.secret, digest_size=16).hexdigest()

    def set_cookie(self, address: str) -> str:
        """Return the `Set-Cookie` header's value for an endpoint."""
        parts = [f"{self.name}={self.value(address)}", f"Path={self.path}", "HttpOnly"]
        if self.max_age is not None:
            parts.append(f"Max-Age={self.max_age}")
        if self.secure:
            parts.append("Secure")
        return "; ".join([*parts, f"SameSite={self.same_site}"])

    def read(self, header: str) -> str | None:
        """Return the value from a request's `Cookie` header, None when it has none."""
        for pair in header.split(";"):
            name, equals, value = pair.strip().partition("=")
            if equals and name == self.name:
                return value
        return None
