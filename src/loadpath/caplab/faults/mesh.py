"""The links between nodes, one for each direction of connecting and each port.

A grudge names who does not hear whom; here it becomes the cuts of links. Bytes from A to B travel
forward on the links that A connects to B with, and back on those that B connects to A with.
"""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from types import TracebackType
from typing import Final, Self

from loadpath.caplab.faults.grudge import NO_GRUDGE, Grudge
from loadpath.testing.link import Link
from loadpath.testing.pacing import CALM, Conditions, Cut

_CUTS: Final[dict[tuple[bool, bool], Cut]] = {
    (False, False): "none",
    (True, False): "forward",
    (False, True): "back",
    (True, True): "both",
}


class Mesh:
    """Own the links of one network; an async context manager that ends them all.

    Args:
        seed: Decides the jitter of its links.
    """

    def __init__(self, *, seed: int = 0) -> None:
        self._seed = seed
        self._links: dict[tuple[str, str, str], Link] = {}
        self._grudge: Grudge = NO_GRUDGE
        self._conditions = CALM
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    @property
    def links(self) -> Mapping[tuple[str, str, str], Link]:
        """The links, by who connects, to whom, and for what."""
        return self._links

    @property
    def grudge(self) -> Grudge:
        """Who does not hear whom now."""
        return self._grudge

    async def join(self, source: str, target: str, purpose: str, port: int) -> Link:
        """Lay a link from `source` to a port of `target`.

        Args:
            source: Who connects.
            target: Whose port it is.
            purpose: What for: a pair of nodes may have several.
            port: Where the target listens, on loopback.

        Raises:
            ValueError: There is such a link already.
        """
        name = (source, target, purpose)
        if name in self._links:
            raise ValueError(f"a link for {purpose} from {source} to {target} is there already")
        link = Link(port, seed=self._seed + len(self._links))
        await self._stack.enter_async_context(link)
        self._links[name] = link
        self._set(name)
        return link

    def apply(self, grudge: Grudge) -> None:
        """Cut what the grudge names, and only that, from now on."""
        self._grudge = grudge
        for name in self._links:
            self._set(name)

    def weather(self, conditions: Conditions) -> None:
        """Let every link between two nodes carry bytes this way; cuts stay as they are."""
        self._conditions = conditions
        for name in self._links:
            self._set(name)

    def reset(self) -> None:
        """Reset every connection between two nodes."""
        for (source, target, _), link in self._links.items():
            if source != target:
                link.reset()

    def _set(self, name: tuple[str, str, str]) -> None:
        source, target, _ = name
        if source == target:
            return
        cut = _CUTS[(source, target) in self._grudge, (target, source) in self._grudge]
        wanted = replace(self._conditions, cut=cut)
        if self._links[name].conditions != wanted:
            self._links[name].set(wanted)
