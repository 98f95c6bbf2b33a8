"""The faults that are played, by what they strike."""

from typing import Final

from faults.scenario import Scenario
from faults.scenarios import (
    answers,
    disks,
    freezes,
    handovers,
    hubspot,
    lifecycle,
    neighbours,
    networks,
    postgres,
    redis,
    retention,
    silence,
    tokens,
    updates,
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
    *handovers.SCENARIOS,
    *retention.SCENARIOS,
    *silence.SCENARIOS,
    *neighbours.SCENARIOS,
    *updates.SCENARIOS,
)
