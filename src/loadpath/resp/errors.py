"""What a command can come to besides its reply: not sent, in doubt, or refused by the server."""

from loadpath.core.errors import InDoubtError, LoadpathError, RejectedError


class ExtraMissingError(LoadpathError, ImportError):
    """Report that loadpath was installed without the packages that RESP needs."""

    def __init__(self) -> None:
        super().__init__("loadpath.resp needs its extra: pip install 'loadpath[resp]'")


class NotConnectedError(RejectedError, ConnectionError):
    """Report a command that was never sent: there is no connection, or it is closed."""


class TooManyCommandsError(RejectedError, RuntimeError):
    """Refuse a command because as many as allowed wait for a place on the connection."""


class ReplyLostError(InDoubtError, ConnectionError):
    """Report a command that was sent and lost its connection: the server may have run it."""


class CommandError(LoadpathError, RuntimeError):
    """Report the error that the server answered a command with.

    Attributes:
        code: First word of the error, such as `WRONGTYPE`.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.code = message.partition(" ")[0]


class ServerBusyError(CommandError, RejectedError):
    """Report a server that cannot run the command at the moment, and did not."""


class LoadingError(ServerBusyError):
    """Report a server that is still reading its data after a start."""


class ReadOnlyError(CommandError, RejectedError):
    """Report a write that was sent to a replica, and not done: the primary is another server."""


class NotAllowedError(CommandError, PermissionError):
    """Report a wrong user or password, or a command that the user may not run."""


class NoScriptError(CommandError):
    """Report a script that the server does not know by its digest, and did not run."""


class MovedError(CommandError):
    """Report a key that another node of the cluster serves.

    Attributes:
        slot: Slot of the key.
        host: Host of that node; empty for the host that answered.
        port: Port of that node.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        _, slot, address = message.split(" ")[:3]
        host, _, port = address.rpartition(":")
        self.slot = int(slot)
        self.host = host
        self.port = int(port)


class AskError(MovedError):
    """Report a key that moves to another node now: ask that one, this once, after `ASKING`."""
