"""Where a server is and who asks: read from a URL or given field by field."""

import ssl
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

PORT = 6379
_PORTS = 65_535
_SECURE = {"redis": False, "valkey": False, "rediss": True, "valkeys": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Say where a server is and who asks.

    Attributes:
        host: Name or IP address.
        port: TCP port.
        path: Unix socket instead of host and port.
        username: User, None for the default user.
        password: Password, None when the server asks for none.
        database: Database that every connection selects.
        tls: How to speak TLS, None for plain TCP.
    """

    host: str = "127.0.0.1"
    port: int = PORT
    path: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    database: int = 0
    tls: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.port <= _PORTS:
            raise ValueError(f"port must be 1-{_PORTS}, not {self.port}")
        if self.database < 0:
            raise ValueError(f"database must be at least 0, not {self.database}")
        if self.username is not None and self.password is None:
            raise ValueError("a username needs a password")
        if not self.host and self.path is None:
            raise ValueError("host must not be empty")

    @classmethod
    def from_url(cls, url: str, *, tls: ssl.SSLContext | None = None) -> "Address":
        """Return the address in `redis://user:password@host:port/database`, as redis-py reads it.

        `valkey://` is the same, `rediss://` and `valkeys://` speak TLS, and `unix://` names the
        path of a socket.

        Args:
            url: The address.
            tls: For TLS: how; Python's defaults (the system's authorities) when left out.

        Raises:
            ValueError: It is no such address.
        """
        parts = urlsplit(url)
        username, password = _credentials(parts)
        if parts.scheme == "unix":
            return cls(path=parts.path, username=username, password=password)
        secure = _SECURE.get(parts.scheme)
        if secure is None:
            raise ValueError(
                f"url begins with redis://, rediss:// or unix://, not {parts.scheme!r}"
            )
        if tls is not None and not secure:
            raise ValueError("url must begin with rediss:// for TLS")
        return cls(
            host=parts.hostname or "127.0.0.1",
            port=_port(parts),
            username=username,
            password=password,
            database=_database(parts.path),
            tls=(tls or ssl.create_default_context()) if secure else None,
        )

    def __str__(self) -> str:
        return self.path or f"{self.host}:{self.port}"


def _credentials(parts: SplitResult) -> tuple[str | None, str | None]:
    username = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    return username, password


def _port(parts: SplitResult) -> int:
    try:
        return parts.port or PORT
    except ValueError as error:
        raise ValueError(f"url: {error}") from None


def _database(path: str) -> int:
    number = path.strip("/")
    if number and not number.isdigit():
        raise ValueError(f"url must end with the number of a database, not {number!r}")
    return int(number or 0)
