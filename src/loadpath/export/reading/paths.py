"""Locations and `proxy_pass` as matches and rewrites."""

import re
from typing import Any
from urllib.parse import urlsplit

from loadpath.export.reading.notes import Notes
from loadpath.export.reading.tree import Directive
from loadpath.export.reading.values import plain
from loadpath.gateway.checks.patterns import pattern_problem
from loadpath.gateway.settings.routes import Match, Rewrite


def read_match(location: Directive, hosts: tuple[str, ...], notes: Notes) -> Match | None:
    """Return what a location matches, None when that cannot be said."""
    words = location.take()
    sign, path = ("", words[0]) if len(words) == 1 else (words[0], words[-1])
    if sign in ("~", "~*"):
        return _pattern(location, sign, path, hosts, notes)
    if not path.startswith("/"):
        notes.add(location, "not understood", "a path begins with `/`")
        return None
    if sign == "=":
        return Match(hosts=hosts, exact=path)
    if not path.endswith("/"):
        notes.add(location, "differs", f"nginx takes {path}s too; here {path} and below it")
    return Match(hosts=hosts, prefix=path)


def _pattern(
    location: Directive, sign: str, pattern: str, hosts: tuple[str, ...], notes: Notes
) -> Match | None:
    """Return a pattern for the whole path; nginx searches in it, wherever it is not anchored."""
    whole = pattern[1:] if pattern.startswith("^") else f".*{pattern}"
    ended = re.search(r"(?<!\\)(?:\\\\)*\$$", whole)
    whole = whole[:-1] if ended else f"{whole}.*"
    if sign == "~*":
        whole = f"(?i:{whole})"
    problem = pattern_problem(whole)
    if problem:
        notes.add(location, "not understood", problem)
        return None
    notes.add(location, "differs", "in nginx a pattern goes before a prefix; here after it")
    return Match(hosts=hosts, regex=whole)


def read_rewrite(match: Match, passed: Directive, location: Directive, notes: Notes) -> Rewrite:
    """Return what `proxy_pass` and `rewrite` make of a path."""
    uri = _uri(passed)
    changes: dict[str, Any] = {}
    if uri and match.exact is not None:
        changes["path"] = uri
    elif uri and match.prefix is not None:
        changes |= _replaced(match.prefix, uri, passed, notes)
    for each in location.all("rewrite"):
        changes |= _rewritten(match, each, notes)
    return Rewrite(**changes)


def _uri(passed: Directive) -> str:
    return urlsplit(passed.args[0]).path


def _replaced(prefix: str, uri: str, passed: Directive, notes: Notes) -> dict[str, Any]:
    """Return the rule of `proxy_pass` with a path: it stands for what the location matched."""
    if prefix.rstrip("/") == uri.rstrip("/") and prefix.endswith("/") == uri.endswith("/"):
        return {}
    if prefix.endswith("/") is not uri.endswith("/"):
        notes.add(
            passed,
            "not understood",
            f"{uri} would be glued to what follows {prefix}; end both with `/` or neither",
        )
        return {}
    return {"prefix": uri}


def _rewritten(match: Match, rewrite: Directive, notes: Notes) -> dict[str, Any]:
    pattern, there, *flags = (*rewrite.args, "", "")
    prefix = re.escape((match.prefix or "").rstrip("/"))
    if flags[:1] == ["break"]:
        if pattern == f"^{prefix}(/.*)$" and match.prefix is not None and there.endswith("$1"):
            kept = plain(there[:-2])
            if kept is not None:
                rewrite.take()
                return {"prefix": kept or "/"}
        whole = plain(there)
        if whole is not None and pattern == f"^{prefix}$":
            rewrite.take()
            return {"prefix": whole}
        if whole is not None and pattern in ("^", ".*", "^.*$"):
            rewrite.take()
            return {"path": whole}
    notes.add(
        rewrite, "not understood", "of rewrites only those of the location's own path, with break"
    )
    return {}
