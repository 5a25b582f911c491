"""What a benchmark reports: one figure, its peer's, and whether the goal is met."""

from typing import Literal

import msgspec


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """Hold one figure of ours beside the peer's from the same run.

    Attributes:
        name: What was measured.
        ours: Our figure, in `unit`.
        unit: Unit of both figures.
        better: Which direction is better.
        goal: What `goal_on` must reach (at most this for a lower-is-better figure on `ours`).
        peer_name: What a user would pick instead, None for a figure without a peer.
        peer: The peer's figure.
        goal_on: Whether the goal is on the ratio or on our figure.
        stretch: A further goal, not required.
    """

    name: str
    ours: float
    unit: str
    better: Literal["lower", "higher"]
    goal: float
    peer_name: str | None = None
    peer: float | None = None
    goal_on: Literal["ratio", "ours"] = "ratio"
    stretch: float | None = None

    @property
    def ratio(self) -> float | None:
        """How many times better ours is than the peer."""
        if not self.peer or not self.ours:
            return None
        return self.ours / self.peer if self.better == "higher" else self.peer / self.ours

    @property
    def met(self) -> bool:
        """Whether the goal is reached."""
        if self.goal_on == "ratio":
            return self.ratio is not None and self.ratio >= self.goal
        return self.ours >= self.goal if self.better == "higher" else self.ours <= self.goal

    def as_json(self) -> dict[str, object]:
        """Return the figure as the runner prints it."""
        return {**msgspec.structs.asdict(self), "ratio": self.ratio, "met": self.met}
