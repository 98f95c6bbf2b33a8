"""Budgets of HubSpot requests: what all workers together may send, measured by Redis's clock."""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

import shared.pacing.limits
from shared.broker.deployment import DeploymentRedis
from shared.pacing.limits import PLACE_S, SEARCH_PER_S, Limits

HUB = 101
SEARCH_LINE = f"callsync:budget:search:{HUB}"
TURNS = f"callsync:turns:{HUB}"
# Times are rounded to microseconds.
SLACK_S = 0.0001
CLOCK = "clock"
SCRIPTS = ("_RESERVE", "_LOWER", "_ENTER", "_KEEP")

Reserve = Callable[[], float | None]


@pytest.fixture
def limits(redis: DeploymentRedis, monkeypatch: pytest.MonkeyPatch) -> Limits:
    """Budgets by a clock that stands still: how busy the machine is shows in no figure."""
    redis.rpush(CLOCK, *redis.time())
    for name in SCRIPTS:
        script = getattr(shared.pacing.limits, name)
        assert "redis.call('TIME')" in script
        stopped = script.replace("redis.call('TIME')", f"redis.call('LRANGE', '{CLOCK}', 0, 1)")
        monkeypatch.setattr(shared.pacing.limits, name, stopped)
    return Limits(redis)


def redis_now(redis: DeploymentRedis) -> float:
    seconds, microseconds = redis.lrange(CLOCK, 0, 1)
    return float(seconds) + int(microseconds) / 1_000_000


def sent_at(redis: DeploymentRedis, reserve: Reserve, count: int) -> list[float]:
    """When that many requests would be sent that four workers reserve at once."""

    def take(_: int) -> float:
        wait = reserve()
        assert wait is not None
        return redis_now(redis) + wait

    with ThreadPoolExecutor(4) as pool:
        return sorted(pool.map(take, range(count)))


def most_within(moments: list[float], seconds: float) -> int:
    """The most of them that fall into any span of so many seconds."""
    return max(
        sum(start <= moment < start + seconds - SLACK_S for moment in moments) for start in moments
    )


def rate_of(moments: list[float], *, burst: int = 1) -> float:
    """Requests a second, once a burst is over."""
    return (len(moments) - burst) / (moments[-1] - moments[0])


def search_rate(redis: DeploymentRedis, limits: Limits) -> float:
    return rate_of(sent_at(redis, lambda: limits.reserve_search(HUB, longest_wait=1e6), 21))


def test_searches_are_spread_evenly_below_five_a_second(
    redis: DeploymentRedis, limits: Limits
) -> None:
    moments = sent_at(redis, lambda: limits.reserve_search(HUB, longest_wait=1e6), 60)
    assert most_within(moments, 1) <= 5
    assert rate_of(moments) == pytest.approx(4.2, rel=0.02)


def test_idle_line_saves_up_no_burst_of_searches(redis: DeploymentRedis, limits: Limits) -> None:
    limits.reserve_search(HUB, longest_wait=0)
    redis.hset(SEARCH_LINE, "tat", redis_now(redis) - 600)
    moments = sent_at(redis, lambda: limits.reserve_search(HUB, longest_wait=1e6), 10)
    assert most_within(moments, 1) <= 5


def test_requests_stay_within_ninety_in_any_ten_seconds(
    redis: DeploymentRedis, limits: Limits
) -> None:
    moments = sent_at(redis, lambda: limits.reserve_request(HUB, longest_wait=1e6), 250)
    assert most_within(moments, 10) <= 90
    assert most_within(moments, 1) >= 10  # a short burst waits for nothing
    assert rate_of(moments, burst=10) == pytest.approx(8, rel=0.02)


@pytest.mark.parametrize(("told", "most"), [(100, 90), (250, 90), (99, 90), (50, 45), (1, 18)])
def test_requests_follow_the_limit_that_hubspot_tells(
    redis: DeploymentRedis, limits: Limits, told: int, most: int
) -> None:
    limits.record_request_limit(HUB, told)
    moments = sent_at(redis, lambda: limits.reserve_request(HUB, longest_wait=1e6), most + 30)
    assert most - 3 <= most_within(moments, 10) <= most


def test_token_endpoint_is_shared_by_the_whole_app(redis: DeploymentRedis, limits: Limits) -> None:
    moments = sent_at(redis, lambda: limits.reserve_token_request(longest_wait=1e6), 40)
    assert most_within(moments, 1) <= 10
    assert most_within(moments, 5) <= 30
    assert rate_of(moments, burst=5) == pytest.approx(5, rel=0.02)


def test_slot_that_is_too_far_away_is_not_taken(limits: Limits) -> None:
    assert limits.reserve_search(HUB, longest_wait=0) == 0
    assert [limits.reserve_search(HUB, longest_wait=0) for _ in range(5)] == [None] * 5
    wait = limits.reserve_search(HUB, longest_wait=0.3)
    assert wait is not None
    assert wait <= 0.24


def test_accounts_and_kinds_of_requests_do_not_share_a_budget(limits: Limits) -> None:
    while limits.reserve_search(HUB, longest_wait=2) is not None:
        pass
    assert limits.reserve_search(HUB + 1, longest_wait=0) == 0
    assert limits.reserve_request(HUB, longest_wait=0) == 0


def test_429_slows_searches_by_thirty_percent_after_a_pause(
    redis: DeploymentRedis, limits: Limits
) -> None:
    limits.lower_search_rate(HUB, pause=3)
    wait = limits.reserve_search(HUB, longest_wait=10)
    assert wait == pytest.approx(3, abs=0.5)
    assert search_rate(redis, limits) == pytest.approx(0.7 * SEARCH_PER_S, rel=0.02)
    limits.lower_search_rate(HUB)
    assert search_rate(redis, limits) == pytest.approx(0.49 * SEARCH_PER_S, rel=0.02)
    assert limits.reserve_request(HUB, longest_wait=0) == 0


def test_pause_moves_no_slot_forward(limits: Limits) -> None:
    for _ in range(43):
        limits.reserve_search(HUB, longest_wait=1e6)
    limits.lower_search_rate(HUB, pause=1)
    wait = limits.reserve_search(HUB, longest_wait=1e6)
    assert wait == pytest.approx(43 / 4.2, abs=0.2)


def test_searches_never_stop_altogether(redis: DeploymentRedis, limits: Limits) -> None:
    for _ in range(50):
        limits.lower_search_rate(HUB)
    assert search_rate(redis, limits) == pytest.approx(SEARCH_PER_S / 20, rel=0.02)


@pytest.mark.parametrize("minutes", [1, 3, 7])
def test_lowered_rate_recovers_by_five_percent_a_minute(
    redis: DeploymentRedis, limits: Limits, minutes: int
) -> None:
    limits.lower_search_rate(HUB)
    redis.hset(SEARCH_LINE, "rate_at", redis_now(redis) - 60 * minutes)
    assert search_rate(redis, limits) == pytest.approx(0.7 * SEARCH_PER_S * 1.05**minutes, rel=0.02)


def test_rate_recovers_to_the_full_one_and_no_further(
    redis: DeploymentRedis, limits: Limits
) -> None:
    limits.lower_search_rate(HUB)
    minutes = math.log(1 / 0.7) / math.log(1.05)
    redis.hset(SEARCH_LINE, "rate_at", redis_now(redis) - 60 * (minutes + 0.1))
    assert search_rate(redis, limits) == pytest.approx(SEARCH_PER_S, rel=0.02)
    assert redis.hkeys(SEARCH_LINE) == [b"tat"]


def test_another_429_lowers_what_has_recovered_so_far(
    redis: DeploymentRedis, limits: Limits
) -> None:
    limits.lower_search_rate(HUB)
    redis.hset(SEARCH_LINE, "rate_at", redis_now(redis) - 300)
    limits.lower_search_rate(HUB)
    assert search_rate(redis, limits) == pytest.approx(0.7 * 1.05**5 * 0.7 * SEARCH_PER_S, rel=0.02)


@pytest.mark.parametrize("width", [1, 2, 4])
def test_no_more_turns_than_the_account_is_wide(limits: Limits, width: int) -> None:
    with ThreadPoolExecutor(8) as pool:
        entered = list(
            pool.map(lambda number: limits.enter_round(HUB, f"{number}", width=width), range(20))
        )
    assert sum(entered) == width
    assert limits.enter_round(HUB + 1, "elsewhere", width=1)


def test_place_is_free_once_its_turn_leaves(limits: Limits) -> None:
    assert limits.enter_round(HUB, "one", width=1)
    limits.leave_round(HUB, "two")
    assert not limits.enter_round(HUB, "two", width=1)
    limits.leave_round(HUB, "one")
    assert limits.enter_round(HUB, "two", width=1)


def test_place_of_a_dead_worker_is_free_after_a_turns_time(
    redis: DeploymentRedis, limits: Limits
) -> None:
    limits.enter_round(HUB, "dead", width=1)
    ends_at = redis.zscore(TURNS, "dead")
    assert ends_at == pytest.approx(redis_now(redis) + PLACE_S, abs=1)
    redis.zadd(TURNS, {"dead": redis_now(redis) - 0.001})
    assert limits.enter_round(HUB, "next", width=1)
    assert redis.zrange(TURNS, 0, -1) == [b"next"]


def test_nothing_is_kept_for_accounts_that_are_idle(redis: DeploymentRedis, limits: Limits) -> None:
    limits.reserve_search(HUB, longest_wait=1)
    limits.lower_search_rate(HUB)
    limits.reserve_request(HUB, longest_wait=1)
    limits.record_request_limit(HUB, 50)
    limits.enter_round(HUB, "one", width=1)
    keys = redis.keys("callsync:*")
    assert len(keys) == 4
    assert all(0 < redis.ttl(key) <= 3600 for key in keys)
