"""What a client asked, as routes name it: lower case, no port, no dot at the end. Pure."""

from functools import lru_cache


@lru_cache(maxsize=1024)
def host_of(authority: bytes) -> str:
    """Return the host of `host` or `host:port`."""
    text = authority.decode("ascii").lower()
    if text.startswith("["):
        return text[: text.index("]") + 1]
    return text.partition(":")[0].rstrip(".")


def parents(host: str) -> list[str]:
    """Return what a wildcard may stand before, the longest first: `b.c` and `c` of `a.b.c`."""
    labels = host.split(".")
    return [".".join(labels[place:]) for place in range(1, len(labels))]
