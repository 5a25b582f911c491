"""How large each part of a message may be; nothing a peer sends is kept without a bound.

Source: RFC 9110 section 2.3 and 5.4 (limits), RFC 9112 section 3 (at least 8,000 octets of request
line), 7.1.1 (chunk extensions); RFC 6585 section 5 (431).
"""

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bound what is read of a peer.

    Attributes:
        start_line: Request line or status line (bytes).
        head: Start line and header fields together (bytes).
        fields: Header fields of a head, trailer fields of a trailer.
        chunk_line: Line that begins a chunk, with its extensions (bytes).
        chunk_extensions: All chunk extensions of one body together (bytes).
        trailer: Trailer section of a chunked body (bytes).
        interim: Interim (1xx) responses before a final one.
    """

    start_line: int = 8_192
    head: int = 32_768
    fields: int = 100
    chunk_line: int = 256
    chunk_extensions: int = 4_096
    trailer: int = 8_192
    interim: int = 16

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if value < 1:
                raise ValueError(f"{each.name} must be at least 1, not {value}")


LIMITS = Limits()
"""What a parser obeys unless it is told otherwise."""
