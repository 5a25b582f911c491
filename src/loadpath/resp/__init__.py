"""One multiplexed RESP3 connection to Valkey or Redis: many tasks share one socket.

Guide: chapter 4 "분산 락 구현" (the distributed lock) and chapter 5 "다층 캐싱 전략" (the cache)
stand on it.
"""

from loadpath.resp.address import Address
from loadpath.resp.client import RespClient
from loadpath.resp.commands import Commands, Pinning, Publications, Sharded
from loadpath.resp.errors import (
    AskError,
    CommandError,
    ExtraMissingError,
    LoadingError,
    MovedError,
    NoScriptError,
    NotAllowedError,
    NotConnectedError,
    ReadOnlyError,
    ReplyLostError,
    ServerBusyError,
    TooManyCommandsError,
)
from loadpath.resp.limits import Limits
from loadpath.resp.replies import Reply
from loadpath.resp.scripts import Script, run_script
from loadpath.resp.stats import RespStats

__all__ = [
    "Address",
    "AskError",
    "CommandError",
    "Commands",
    "ExtraMissingError",
    "Limits",
    "LoadingError",
    "MovedError",
    "NoScriptError",
    "NotAllowedError",
    "NotConnectedError",
    "Pinning",
    "Publications",
    "ReadOnlyError",
    "Reply",
    "ReplyLostError",
    "RespClient",
    "RespStats",
    "Script",
    "ServerBusyError",
    "Sharded",
    "TooManyCommandsError",
    "run_script",
]
