"""The faults that are played, by what they strike."""

from typing import Final

from faults.scenario import Scenario
from faults.scenarios import (
    answers,
    disks,
    freezes,
    hubspot,
    lifecycle,
    neighbours,
    networks,
    postgres,
    redis,
    tokens,
    webhooks,
    workers,
)

ALL: Final[tuple[Scenario, ...]] = (
    *workers.SCENARIOS,
    *freezes.SCENARIOS,
    *redis.SCENARIOS,
    *postgres.SCENARIOS,
    *disks.SCENARIOS,
    *networks.SCENARIOS,
    *hubspot.SCENARIOS,
    *answers.SCENARIOS,
    *webhooks.SCENARIOS,
    *tokens.SCENARIOS,
    *lifecycle.SCENARIOS,
    *neighbours.SCENARIOS,
)
