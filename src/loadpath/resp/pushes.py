"""Who hears what the server sends unasked: by channel for publications, by kind for the rest.

Listeners are called at once and in order. One that raises is reported and harms no other.
"""

from collections.abc import Callable
from dataclasses import dataclass

from loadpath.resp.commands import OnGap, OnMessage
from loadpath.resp.replies import Reply

OnPush = Callable[[list[Reply]], None]
"""Hears one push: what came after its kind."""
MESSAGE = b"message"


@dataclass(slots=True, eq=False)
class Listener:
    """Hold one listener.

    Attributes:
        hear: Called with each push.
        on_gap: Called when pushes may have been missed.
    """

    hear: OnPush
    on_gap: OnGap | None


class Pushes:
    """Remember listeners and tell them.

    Args:
        report: Hears what a listener raised.
    """

    def __init__(self, report: Callable[[Exception], None]) -> None:
        self._report = report
        self._kinds: dict[bytes, list[Listener]] = {}
        self._channels: dict[bytes, list[Listener]] = {}
        self.count = 0

    @property
    def channels(self) -> list[bytes]:
        """The channels that somebody listens to."""
        return list(self._channels)

    def listen(self, kind: bytes, listener: Listener) -> None:
        """Tell the listener every push of a kind."""
        self._kinds.setdefault(kind, []).append(listener)

    def leave(self, kind: bytes, listener: Listener) -> None:
        """Forget a listener; nothing happens when it is forgotten already."""
        _drop(self._kinds, kind, listener)

    def join(self, channel: bytes, on_message: OnMessage, on_gap: OnGap | None) -> Listener:
        """Tell `on_message` every publication of a channel."""
        listener = Listener(lambda push: on_message(push[1]), on_gap)
        self._channels.setdefault(channel, []).append(listener)
        return listener

    def part(self, channel: bytes, listener: Listener) -> bool:
        """Forget a listener and return whether nobody listens to the channel any more."""
        _drop(self._channels, channel, listener)
        return channel not in self._channels

    def deliver(self, push: list[Reply]) -> None:
        """Tell a push to those who listen."""
        self.count += 1
        kind, data = push[0], push[1:]
        if kind == MESSAGE:
            self._tell(self._channels.get(data[0], ()), data)
        self._tell(self._kinds.get(kind, ()), data)

    def gap(self) -> None:
        """Tell everybody that pushes may have been missed."""
        everybody = [*self._channels.values(), *self._kinds.values()]
        for listener in [one for listeners in everybody for one in listeners]:
            if listener.on_gap is not None:
                self._call(listener.on_gap)

    def _tell(self, listeners: "list[Listener] | tuple[()]", data: list[Reply]) -> None:
        for listener in tuple(listeners):
            self._call(listener.hear, data)

    def _call(self, function: Callable[..., None], *arguments: list[Reply]) -> None:
        try:
            function(*arguments)
        except Exception as error:  # noqa: BLE001 - a listener's bug must not cut the connection
            self._report(error)


def _drop(listeners: dict[bytes, list[Listener]], key: bytes, listener: Listener) -> None:
    found = listeners.get(key, [])
    if listener in found:
        found.remove(listener)
    if not found:
        listeners.pop(key, None)
