"""One stream of messages between two processes: a length, then MessagePack."""

import asyncio
import socket
import struct
from typing import Any, Generic, TypeVar

import msgspec

LARGEST = 2**26
"""Largest message (bytes)."""

BEHIND = 2**25
"""Bytes that a process may be behind; one that takes nothing is given up."""

_LENGTH = struct.Struct(">I")
T = TypeVar("T")


class Channel(Generic[T]):
    """Send messages of any kind and receive those of one; made by `open_channel`.

    Args:
        reader: Where they come from.
        writer: Where they go.
        kind: What is received.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kind: Any
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder: msgspec.msgpack.Decoder[T] = msgspec.msgpack.Decoder(kind)

    def send(self, message: msgspec.Struct) -> None:
        """Send a message; the other side gets those of one sender in their order."""
        data = self._encoder.encode(message)
        transport = self._writer.transport
        if transport.get_write_buffer_size() > BEHIND:
            transport.abort()
        if not transport.is_closing():
            transport.write(_LENGTH.pack(len(data)) + data)

    async def receive(self) -> T | None:
        """Return the next message, None when the other side is gone."""
        try:
            (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
            if length > LARGEST:
                return None
            return self._decoder.decode(await self._reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    def close(self) -> None:
        """End."""
        self._writer.close()


async def open_channel(end: socket.socket, kind: Any) -> Channel[Any]:
    """Return the channel over one end of a pair of sockets."""
    reader, writer = await asyncio.open_connection(sock=end)
    return Channel(reader, writer, kind)
