"""The faults that are played, by what they strike."""

from typing import Final

from faults.scenario import Scenario
from faults.scenarios import workers

ALL: Final[tuple[Scenario, ...]] = (*workers.SCENARIOS,)
