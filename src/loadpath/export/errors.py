"""What a target cannot say, named field by field."""

from collections.abc import Sequence
from dataclasses import dataclass

from loadpath.core.errors import LoadpathError


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Name one setting that a target cannot express.

    Attributes:
        path: Where it stands in gateway.toml, as `$.routes[0].authorise`.
        why: What the target lacks.
        instead: What to do about it.
    """

    path: str
    why: str
    instead: str

    def __str__(self) -> str:
        return f"{self.path}: {self.why}; {self.instead}"


class NotExpressibleError(LoadpathError, ValueError):
    """Refuse to write settings of which a part would be lost.

    Attributes:
        target: What was to be written, as `nginx`.
        refusals: Everything that it cannot say.
    """

    def __init__(self, target: str, refusals: Sequence[Refusal]) -> None:
        lines = "".join(f"\n  {each}" for each in refusals)
        super().__init__(f"{target} cannot express {len(refusals)} of the settings:{lines}")
        self.target = target
        self.refusals = tuple(refusals)


class ExtraMissingError(LoadpathError, ImportError):
    """Report that the packages of the `export` extra are not installed."""

    def __init__(self) -> None:
        super().__init__(
            "YAML and TOML are written by packages that are missing: pip install 'loadpath[export]'"
        )
