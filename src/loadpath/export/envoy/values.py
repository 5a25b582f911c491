"""Values as Envoy's messages write them."""

from typing import Any, Final

API: Final = "type.googleapis.com/envoy"


def duration(value: float) -> str:
    """Return a time."""
    return f"{value:.3f}s".rstrip("s").rstrip("0").rstrip(".") + "s"


def formatted(text: str) -> str:
    """Return a text for a field that is read as a format, in which `%` begins something."""
    return text.replace("%", "%%")


def typed(name: str, **fields: Any) -> dict[str, Any]:
    """Return a message that says its own type."""
    return {"@type": f"{API}.{name}", **fields}


def address(host: str, port: int) -> dict[str, Any]:
    """Return a TCP address."""
    return {"socket_address": {"address": host, "port_value": port}}


def network(text: str) -> dict[str, Any]:
    """Return an address or a network."""
    prefix, _, size = text.partition("/")
    whole = 128 if ":" in prefix else 32
    return {"address_prefix": prefix, "prefix_len": int(size) if size else whole}
