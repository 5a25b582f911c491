"""What the upstream is asked in place of what the client asked. Pure."""

import re

from loadpath.gateway.settings.routes import Match, Rewrite
from loadpath.http.grammar import PATH

_PATH = re.compile(PATH.decode())


class Rewriting:
    r"""Change paths as a route says.

    Args:
        match: What the route matches.
        rewrite: What it changes.

    Attributes:
        changes: Whether it changes any path.
    """

    __slots__ = ("_match", "_pattern", "_rewrite", "changes")

    def __init__(self, match: Match, rewrite: Rewrite) -> None:
        self._match = match
        self._rewrite = rewrite
        self._pattern = None if match.regex is None else re.compile(match.regex)
        self.changes = rewrite.prefix is not None or rewrite.path is not None

    def path(self, path: str) -> str:
        """Return what stands for a normalised path that the route has taken."""
        rewrite = self._rewrite
        if rewrite.prefix is not None:
            rest = path[len((self._match.prefix or "").rstrip("/")) :]
            return rewrite.prefix.rstrip("/") + rest if rest else rewrite.prefix
        if rewrite.path is None:
            return path
        return rewrite.path if self._pattern is None else self._expanded(self._pattern, path)

    def _expanded(self, pattern: re.Pattern[str], path: str) -> str:
        match = pattern.fullmatch(path)
        assert match is not None
        assert self._rewrite.path is not None
        expanded = match.expand(self._rewrite.path)
        return expanded if _PATH.fullmatch(expanded) else "/"
