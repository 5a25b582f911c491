"""Behaviour of a written bootstrap in a real Envoy."""

import subprocess
from importlib.util import find_spec
from pathlib import Path

import msgspec

from loadpath.export.envoy import to_envoy
from loadpath.gateway.settings.gateway import GatewaySettings
from tests.integration.http.certificates import Authority
from tests.unit.export.documents import EVERYTHING_IN_ENVOY


def test_the_real_envoy_takes_everything_that_can_be_said(tmp_path: Path) -> None:
    """`--mode validate` builds every listener, route and cluster."""
    spec = find_spec("envoy")
    assert spec is not None
    assert spec.origin is not None
    program = Path(spec.origin).parent / "_bin" / "envoy"
    file = tmp_path / "envoy.yaml"
    Authority(tmp_path).serving("a.example.com")
    pem = str(tmp_path / "a.example.com.pem")
    text = msgspec.json.encode(EVERYTHING_IN_ENVOY).decode().replace("PEM", pem)
    file.write_text(to_envoy(msgspec.json.decode(text, type=GatewaySettings)))
    done = subprocess.run(
        [program, "--mode", "validate", "-c", str(file), "-l", "warning"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "deprecated" not in done.stderr.lower()
