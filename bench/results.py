"""What the benchmarks found: ours beside a peer's, as ratios with their spread."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, Literal


@dataclass(frozen=True)
class Goal:
    """What a figure must be at least, or at most; of the ratio to the peer, or of ours alone."""

    limit: float
    is_least: bool
    of: Literal["ratio", "ours"] = "ratio"

    def __str__(self) -> str:
        sign = "≥" if self.is_least else "≤"
        return f"{sign} {self.limit:g}" + (" ×" if self.of == "ratio" else "")

    def is_met(self, figure: float) -> bool:
        return figure >= self.limit if self.is_least else figure <= self.limit


@dataclass(frozen=True)
class Result:
    """One line of the table.

    Attributes:
        name: what was measured.
        unit: of `ours` and `peer`.
        ours: a figure for each run.
        peer: the peer's in the same runs, in the same order; empty without one.
        peer_name: who that is.
        goal: what should be reached, None for what is only reported.
        facts: further figures, by what they are.
        is_series: `ours` are figures of different things, in the order of the name.
    """

    name: str
    unit: str
    ours: Sequence[float]
    peer: Sequence[float] = ()
    peer_name: str = ""
    goal: Goal | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    is_series: bool = False

    @property
    def ratios(self) -> list[float]:
        return [mine / theirs for mine, theirs in zip(self.ours, self.peer, strict=False)]

    @property
    def is_met(self) -> bool | None:
        """Whether the median reaches the goal; None without one."""
        if self.goal is None:
            return None
        return self.goal.is_met(median(self.ratios if self.goal.of == "ratio" else self.ours))

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"ratios": self.ratios, "is_met": self.is_met}


def spread(figures: Sequence[float]) -> str:
    """The median, with the least and the most where they differ."""
    if not figures:
        return "–"
    middle = shorten(median(figures))
    if len(figures) == 1:
        return middle
    return f"{middle} [{shorten(min(figures))}–{shorten(max(figures))}]"


def shorten(figure: float) -> str:
    """Three significant digits."""
    if abs(figure) >= 1000:  # noqa: PLR2004
        return f"{figure:,.0f}"
    return f"{figure:.3g}"
