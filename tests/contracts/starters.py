"""Every kind of server that the contract holds for."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

from loadpath.local import nginx, postgres, valkey
from loadpath.local.server import Server

Starter = Callable[..., AbstractAsyncContextManager[Server]]


def simple_nginx(**given: object) -> AbstractAsyncContextManager[Server]:
    """Start an nginx that answers everything with 200."""
    return nginx(server="location / { return 200 'hello'; }", **given)  # type: ignore[arg-type] # passed on


STARTERS = [postgres, valkey, simple_nginx]
every_server = pytest.mark.parametrize("starter", STARTERS, ids=["postgres", "valkey", "nginx"])
