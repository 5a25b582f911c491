"""Whom to connect to: scheme, host and port, and the name that its certificate must have."""

from typing import Self
from urllib.parse import urlsplit

import msgspec

from loadpath.http.authority import checked_authority
from loadpath.http.errors import ProtocolError

PORTS = {"http": 80, "https": 443}


class Origin(msgspec.Struct, frozen=True, order=True, cache_hash=True):
    """Name one server; equal origins share connections.

    Attributes:
        host: Name or address, IPv6 without brackets.
        port: TCP port.
        tls: Whether it speaks TLS.
        server_name: Name for SNI and the certificate, where that is not the host.
    """

    host: str
    port: int
    tls: bool = False
    server_name: str | None = None

    def __post_init__(self) -> None:
        try:
            checked_authority(self.authority, what="the origin")
        except (ProtocolError, UnicodeEncodeError) as error:
            raise ValueError(f"host must be a name or an address: {self.host!r}") from error
        if not 1 <= self.port <= 65_535:  # noqa: PLR2004 - TCP's
            raise ValueError(f"port must be 1-65535, not {self.port}")

    @classmethod
    def parse(cls, url: str, *, server_name: str | None = None) -> Self:
        """Read `http://host:port` or `https://host`.

        Raises:
            ValueError: It is none of them, or goes on after the port.
        """
        parts = urlsplit(url)
        port = PORTS.get(parts.scheme)
        if port is None or not parts.hostname or parts.username is not None:
            raise ValueError(f"origin must look like http://host:port, not {url!r}")
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            raise ValueError(f"origin must end after the port: {url!r}")
        if parts.port is not None:
            port = parts.port
        return cls(parts.hostname, port, parts.scheme == "https", server_name)

    @property
    def authority(self) -> bytes:
        """What `Host` says by default: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = PORTS["https" if self.tls else "http"]
        return (host if self.port == usual else f"{host}:{self.port}").encode("ascii")

    def __str__(self) -> str:
        """Return it as an address."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"
