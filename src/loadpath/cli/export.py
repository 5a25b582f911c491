"""`loadpath export`: gateway.toml as the file of another gateway."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from loadpath.cli.output import print_json, write_file
from loadpath.export import NotExpressibleError, Refusal, Target, fates_of, writer_of
from loadpath.gateway.reading import read_settings

File = Annotated[Path, Parameter(name=["--config", "-c"])]


def nginx(*, config: File = Path("gateway.toml"), out: str = "-", json: bool = False) -> int:
    """Write an nginx.conf; exits with 2 when nginx cannot do all that the settings say.

    Args:
        config: The settings.
        out: File to write, `-` for standard output.
        json: Print what cannot be expressed, and what has no meaning there, instead of the file.
    """
    return _export("nginx", config, out, json=json)


def haproxy(*, config: File = Path("gateway.toml"), out: str = "-", json: bool = False) -> int:
    """Write an haproxy.cfg; exits with 2 when HAProxy cannot do all that the settings say.

    Args:
        config: The settings.
        out: File to write, `-` for standard output.
        json: Print what cannot be expressed, and what has no meaning there, instead of the file.
    """
    return _export("haproxy", config, out, json=json)


def envoy(*, config: File = Path("gateway.toml"), out: str = "-", json: bool = False) -> int:
    """Write an Envoy's bootstrap; exits with 2 when Envoy cannot do all that the settings say.

    Args:
        config: The settings.
        out: File to write, `-` for standard output.
        json: Print what cannot be expressed, and what has no meaning there, instead of the file.
    """
    return _export("envoy", config, out, json=json)


def kubernetes(*, config: File = Path("gateway.toml"), out: str = "-", json: bool = False) -> int:
    """Write Services and a Gateway with routes; exits with 2 when they cannot say all of it.

    Args:
        config: The settings.
        out: File to write, `-` for standard output.
        json: Print what cannot be expressed, and what has no meaning there, instead of the file.
    """
    return _export("kubernetes", config, out, json=json)


def aws(*, config: File = Path("gateway.toml"), out: str = "-", json: bool = False) -> int:
    """Write an NLB's Service and an ALB's Ingress; exits with 2 when the ALB cannot do all of it.

    Args:
        config: The settings.
        out: File to write, `-` for standard output.
        json: Print what cannot be expressed, and what has no meaning there, instead of the file.
    """
    return _export("aws", config, out, json=json)


def _export(target: Target, config: Path, out: str, *, json: bool) -> int:
    settings = read_settings(config)
    refused: tuple[Refusal, ...] = ()
    text = ""
    try:
        text = writer_of(target)(settings)
    except NotExpressibleError as error:
        if not json:
            raise
        refused = error.refusals
    if json:
        print_json(_verdict(target, refused))
    if text and (not json or out != "-"):
        write_file(out, text)
    return 2 if refused else 0


def _verdict(target: Target, refused: tuple[Refusal, ...]) -> dict[str, Any]:
    fates = fates_of(target).items()
    return {
        "target": target,
        "expressible": not refused,
        "not_expressible": [
            {"path": each.path, "why": each.why, "instead": each.instead} for each in refused
        ],
        "without_meaning": [
            {"field": field, "why": fate.why} for field, fate in fates if fate.kind == "meaningless"
        ],
        "refused_unless_default": [
            {"field": field, "why": fate.why, "instead": fate.instead}
            for field, fate in fates
            if fate.kind == "refused"
        ],
    }
