"""Documents in YAML; the library quotes what needs it."""

from collections.abc import Sequence
from typing import Any

from loadpath.export.extras import yaml


def to_yaml(documents: Sequence[dict[str, Any]]) -> str:
    """Return one or more documents."""
    return yaml.safe_dump_all(
        documents, sort_keys=False, allow_unicode=True, explicit_start=len(documents) > 1, width=100
    )
