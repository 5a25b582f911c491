"""The values that settings share."""

from typing import Annotated

import msgspec
from msgspec import Meta

Port = Annotated[int, Meta(ge=1, le=65_535)]
Count = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]
"""A wait or an interval, at most a day (s)."""
Share = Annotated[float, Meta(ge=0, le=1)]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,100}$")]
"""What routes, upstreams and keys are called in logs, metrics and exported files."""
Text = Annotated[str, Meta(min_length=1)]
Status = Annotated[int, Meta(ge=200, le=599)]


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Be one table of the settings: never changed, and no field of it misspelt."""
