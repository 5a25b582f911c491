"""What every test stands on: blocked-loop detection and, on demand, real servers."""

import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx
from hypothesis import HealthCheck, settings

from loadpath.local.folders import disk_base

# A busy machine is no bug: the test timeout bounds an example, not the clock of one run.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")


# Started by a script with `&`, we would pass ignored signals on to the processes under test.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def _loop_is_never_blocked(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test in which loadpath blocks the running event loop."""
    if request.node.get_closest_marker("blocking"):
        yield
        return
    with blockbuster_ctx("loadpath"):
        yield


@pytest.fixture
def disk_path() -> Iterator[Path]:
    """Give a folder on a real disk, wherever the usual temporary ones are."""
    folder = Path(tempfile.mkdtemp(dir=disk_base(), prefix="test-loadpath-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
