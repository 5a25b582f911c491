"""gateway.toml as the bootstrap of an Envoy."""

from loadpath.export.envoy.writing import to_envoy

__all__ = ["to_envoy"]
