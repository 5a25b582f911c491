"""gateway.toml as an nginx file."""

from loadpath.export.nginx.writing import to_nginx

__all__ = ["to_nginx"]
