"""A scenario: a fault, played on a world, whose end the checker judges."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass

from faults.world import World

# Plays a fault; returns the seconds until everything was recovered, None if not measured.
Play = Callable[[World], float | None]


@dataclass(frozen=True)
class Scenario:
    """A fault by name.

    Attributes:
        name: what it is called on the command line, `group.name`.
        play: the fault itself; its docstring says what happens and what a user sees.
        most_runs: how often it is played at most; for those that take minutes.
        recovers_in_s: what the measured time to recover must stay below.
    """

    name: str
    play: Play
    most_runs: int | None = None
    recovers_in_s: float | None = None

    @property
    def title(self) -> str:
        """What happens, in a line."""
        return inspect.getdoc(self.play).partition("\n")[0].rstrip(".")  # type: ignore[union-attr]

    @property
    def seen_by_user(self) -> str:
        """What a person sees meanwhile and afterwards."""
        text = inspect.getdoc(self.play).partition("\n\n")[2]  # type: ignore[union-attr]
        return " ".join(text.split())


def scenario(
    *, most_runs: int | None = None, recovers_in_s: float | None = None
) -> Callable[[Play], Scenario]:
    """Make a scenario of a function; its name is the module's last part and the function's."""

    def make(play: Play) -> Scenario:
        group = play.__module__.rpartition(".")[2]
        return Scenario(f"{group}.{play.__name__}", play, most_runs, recovers_in_s)

    return make
