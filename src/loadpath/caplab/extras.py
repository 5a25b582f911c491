"""Import what comes with the `caplab` extra, or say so."""

from loadpath.core.errors import LoadpathError


class ExtraMissingError(LoadpathError, ImportError):
    """Report that loadpath was installed without what the lab's databases need."""

    def __init__(self) -> None:
        super().__init__(
            "loadpath.caplab needs its extra (asyncpg missing): pip install 'loadpath[caplab]'"
        )


try:
    import asyncpg
except ModuleNotFoundError as error:
    raise ExtraMissingError from error

__all__ = ["asyncpg"]
