"""What needs an extra is imported when it is asked for, and a missing one is named."""

import subprocess
import sys

import pytest

import loadpath.upstream

HIDDEN = """
import sys
sys.modules[{module!r}] = None
import loadpath.upstream
try:
    loadpath.upstream.{name}
except ImportError as error:
    print(error.extra)
"""
PARTS = [
    ("HttpxTransport", "httpx", "httpx"),
    ("Httpx2Transport", "httpx2", "httpx2"),
    ("AiohttpMiddleware", "aiohttp", "aiohttp"),
    ("DnsResolver", "dns", "dns"),
    ("SrvResolver", "dns", "dns"),
]


@pytest.mark.parametrize(("name", "module", "extra"), PARTS)
def test_a_missing_extra_is_named(name: str, module: str, extra: str) -> None:
    """Without its package a part raises an error that says what to install; the room imports."""
    ran = subprocess.run(
        [sys.executable, "-c", HIDDEN.format(name=name, module=module)],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.stdout.strip() == extra


def test_the_room_pulls_in_no_client() -> None:
    """Importing the room imports neither httpx, nor aiohttp, nor dnspython, nor a driver."""
    found = "print(*(each for each in ('httpx', 'httpx2', 'aiohttp', 'dns', 'redis', 'asyncpg')"
    found += " if each in sys.modules))"
    ran = subprocess.run(
        [sys.executable, "-c", f"import sys, loadpath.upstream; {found}"],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.stdout.strip() == ""


def test_everything_public_is_there() -> None:
    """Each name of `__all__` can be had; another one is an error as usual."""
    assert all(getattr(loadpath.upstream, name) for name in loadpath.upstream.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        loadpath.upstream.nothing  # noqa: B018 - asking is the test
