"""The faults that are played, by what they strike."""

from typing import Final

from faults.scenario import Scenario
from faults.scenarios import (
    hubspot,
    lifecycle,
    neighbours,
    postgres,
    redis,
    tokens,
    webhooks,
    workers,
)

ALL: Final[tuple[Scenario, ...]] = (
    *workers.SCENARIOS,
    *redis.SCENARIOS,
    *postgres.SCENARIOS,
    *hubspot.SCENARIOS,
    *webhooks.SCENARIOS,
    *tokens.SCENARIOS,
    *lifecycle.SCENARIOS,
    *neighbours.SCENARIOS,
)
