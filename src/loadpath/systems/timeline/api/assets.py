"""The files of the page: read once, sent with rules that keep foreign code out.

Source: W3C Content Security Policy Level 3; RFC 9110 section 13 (conditional requests).
"""

import hashlib
from dataclasses import dataclass, field
from importlib import resources

from loadpath.systems.timeline.api.problems import Headers
from loadpath.systems.timeline.api.web import Answer, Request, header

_FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
_RULES: Headers = (
    (b"cache-control", b"no-cache"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (
        b"content-security-policy",
        (
            b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
            b"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Asset:
    """Hold a file and how it is sent.

    Attributes:
        path: Where it is asked for.
        body: What is in it.
        media_type: What that is.
        headers: Sent along.
    """

    path: str
    body: bytes
    media_type: str
    headers: Headers = field(init=False)

    def __post_init__(self) -> None:
        etag = hashlib.blake2b(self.body, digest_size=8).hexdigest()
        headers = (
            (b"content-type", self.media_type.encode()),
            (b"etag", f'"{etag}"'.encode()),
            *_RULES,
        )
        object.__setattr__(self, "headers", headers)

    async def read(self, request: Request) -> Answer:
        """Answer with the file, or say that the client has it."""
        known = header(request.scope, "If-None-Match")
        if known is not None and known.encode("latin-1") == self.headers[1][1]:
            return Answer(b"", self.headers[1:], 304)
        return Answer(self.body, self.headers)


def page() -> list[Asset]:
    """Return the files of the page (reads the disk)."""
    folder = resources.files(__package__) / "page"
    return [
        Asset(path, (folder / name).read_bytes(), media_type)
        for path, (name, media_type) in _FILES.items()
    ]
