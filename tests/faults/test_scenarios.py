"""A quick part of the fault suite, with real processes; `make faults` plays all of it."""

from collections.abc import Iterator

import pytest

from faults.cluster import Cluster
from faults.results import Result, play
from faults.scenario import Scenario
from faults.scenarios import ALL

SEED = 7
QUICK = {
    "workers.killed_after_the_claim",
    "workers.killed_after_the_mark",
    "workers.killed_after_the_create",
    "workers.killed_before_recording",
    "freezes.between_mark_and_create_for_minutes_and_unanswered",
    "redis.flushed",
    "redis.killed_and_restarted_empty",
    "redis.wake_up_lost_after_its_pop",
    "postgres.killed_in_mid_load",
    "postgres.commit_of_intake_unanswered",
    "postgres.commit_of_outcomes_unanswered",
    "disks.full_for_the_write_ahead_log",
    "hubspot.two_workspaces_with_the_same_calls",
    "hubspot.marker_spoken_by_another_call",
    "hubspot.contact_merged_between_mark_and_read_back",
    "answers.reset_after_batch",
    "webhooks.fifty_copies_at_once",
    "webhooks.replayed_after_the_tolerance",
    "webhooks.answer_lost",
    "tokens.grant_is_revoked",
    "lifecycle.disconnected_and_reconnected",
    "retention.worker_killed_while_it_prunes",
    "neighbours.leader_of_the_sweep_killed",
    "updates.html_is_normalised",
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(workers=2) as cluster:
        yield cluster


def test_every_quick_scenario_exists() -> None:
    assert {each.name for each in ALL} >= QUICK


@pytest.mark.parametrize(
    "scenario", [each for each in ALL if each.name in QUICK], ids=lambda each: each.name
)
def test_nothing_is_lost_and_nothing_is_written_twice(cluster: Cluster, scenario: Scenario) -> None:
    # How fast it recovers is `make faults`' question, on a machine with nothing else to do.
    result = Result(scenario, [play(scenario, cluster, SEED, is_timed=False)])

    assert result.problems == []
    assert result.calls > 0
