"""Import what comes with the `export` extra, or say so."""

from loadpath.export.errors import ExtraMissingError

try:
    import tomli_w
    import yaml
except ModuleNotFoundError as error:
    raise ExtraMissingError from error

__all__ = ["tomli_w", "yaml"]
