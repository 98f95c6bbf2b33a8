"""A scenario: a fault, played on a world, whose end the checker judges."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from faults.world import World

# Plays a fault; returns the seconds until everything was recovered, None if not measured.
Play = Callable[[World], float | None]

CALM_UP_TO_S: Final = 60


@dataclass(frozen=True)
class Scenario:
    """A fault by name.

    Attributes:
        name: what it is called on the command line, `group.name`.
        play: the fault itself.
        title: what happens, in a sentence without its full stop.
        seen: what a person sees meanwhile and afterwards.
        recovers_in_s: what the measured time to recover must stay below.
    """

    name: str
    play: Play
    title: str
    seen: str
    recovers_in_s: float | None = None

    @property
    def needs_calm(self) -> bool:
        """Whether its goal is so near that other runs on this machine would show in the figure."""
        return self.recovers_in_s is not None and self.recovers_in_s <= CALM_UP_TO_S


def scenario(*, recovers_in_s: float | None = None) -> Callable[[Play], Scenario]:
    """Make a scenario of a function named after it, in the module that is its group.

    The first line of its docstring is the title, the rest what a user sees.
    """

    def make(play: Play) -> Scenario:
        group = play.__module__.rpartition(".")[2]
        title, _, seen = (inspect.getdoc(play) or "").partition("\n\n")
        return Scenario(
            f"{group}.{play.__name__}",
            play,
            title.rstrip("."),
            " ".join(seen.split()),
            recovers_in_s,
        )

    return make
