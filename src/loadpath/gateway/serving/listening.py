"""Sockets that listen, one for each process that serves a port."""

import socket
from contextlib import ExitStack

from loadpath.gateway.errors import PortTakenError
from loadpath.gateway.settings.listening import Listener

BACKLOG = 4_096


def listen(listener: Listener, *, count: int = 1) -> list[socket.socket]:
    """Return sockets that share a port; the system spreads new connections over them.

    A connection waits in its socket's queue, so a process that is replaced loses none as long as
    its socket stays open: whoever calls keeps it.

    Args:
        listener: Where.
        count: How many.

    Raises:
        PortTakenError: Another program listens there, or we may not.
    """
    _check_free(listener)
    with ExitStack() as opened:
        sockets = [opened.enter_context(_bound(listener, shared=True)) for _ in range(count)]
        for each in sockets:
            each.listen(BACKLOG)
        opened.pop_all()
    return sockets


def listen_alone(host: str, port: int) -> socket.socket:
    """Return a socket that shares its port with nobody.

    Raises:
        PortTakenError: Another program listens there, or we may not.
    """
    made = _bound(Listener(host=host, port=port), shared=False)
    made.listen(BACKLOG)
    return made


def _check_free(listener: Listener) -> None:
    """Refuse a port that another program would silently share with us."""
    _bound(listener, shared=False).close()


def _bound(listener: Listener, *, shared: bool) -> socket.socket:
    host, port = listener.host, listener.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((host, port))
        made.setblocking(False)
    except OSError as error:
        made.close()
        why = error.strerror or str(error)
        raise PortTakenError(
            f"cannot listen on {host}:{port} ({why}): choose another port, or stop the program "
            "that has it"
        ) from error
    return made
