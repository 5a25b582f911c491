"""gateway.toml as Services, EndpointSlices and a Gateway with its routes."""

from loadpath.export.kubernetes.writing import to_kubernetes

__all__ = ["to_kubernetes"]
