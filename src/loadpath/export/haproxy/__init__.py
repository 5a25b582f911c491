"""gateway.toml as an HAProxy file."""

from loadpath.export.haproxy.writing import to_haproxy

__all__ = ["to_haproxy"]
