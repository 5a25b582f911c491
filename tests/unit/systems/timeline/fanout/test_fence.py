"""The memory fence, on every kind of CPU."""

from threading import Thread

import pytest

from loadpath.systems.timeline.fanout.fence import fence_for


@pytest.mark.parametrize("machine", ["x86_64", "AMD64", "arm64", "aarch64", "riscv64"])
def test_fence_returns_on_any_cpu(machine: str) -> None:
    """Also when many threads use it at once."""
    fence = fence_for(machine)
    threads = [Thread(target=lambda: [fence() for _ in range(1000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_only_weakly_ordered_cpus_pay() -> None:
    """x86 keeps the order itself."""
    assert fence_for("x86_64") is fence_for("AMD64")
    assert fence_for("x86_64") is not fence_for("arm64")
