"""Whatever answers in Redis's place: what is no answer counts as a broken connection."""

import random
from collections.abc import Callable, Iterator

import pytest
from redis import RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from faults.proxies.liars import REDIS_LIES, Liar, Speech
from shared.broker.deployment import DeploymentRedis, find_strangers, sign_in
from shared.crypto import TokenCipher
from shared.matching.contact_cache import ContactCache
from shared.pacing.limits import Limits

CIPHER = TokenCipher([b"k" * 32])
ROUNDS = 2


def cache(redis: DeploymentRedis) -> ContactCache:
    return ContactCache(redis, CIPHER, hub_id=1, region="US", policy="skip")


USES: tuple[Callable[[DeploymentRedis], object], ...] = (
    lambda redis: redis.ping(),
    lambda redis: redis.once("a", within_s=1),
    lambda redis: redis.left_s("a", within_s=1),
    lambda redis: redis.clear_unless("zset", "a"),
    lambda redis: sign_in(redis, "a"),
    lambda redis: find_strangers(redis, "a"),
    lambda redis: cache(redis).find(["+12025550123", "+12025550124"]),
    lambda redis: cache(redis).keep({"+12025550123": "1"}),
    lambda redis: Limits(redis).reserve_search(1, longest_wait=1),
    lambda redis: Limits(redis).reserve_request(1, longest_wait=1),
    lambda redis: Limits(redis).enter_round(1, "a", width=1),
    lambda redis: Limits(redis).leave_round(1, "a"),
    lambda redis: Limits(redis).lower_search_rate(1),
)


@pytest.fixture(params=REDIS_LIES[7:], ids=range(len(REDIS_LIES) - 7))
def liar(request: pytest.FixtureRequest) -> Iterator[Liar]:
    lie: Speech = request.param
    liar = Liar(random.Random(7), (*REDIS_LIES[:4], lie))
    yield liar
    liar.close()


def test_lies_of_redis_are_errors_of_redis_and_nothing_else(liar: Liar) -> None:
    with DeploymentRedis.open(
        f"redis://127.0.0.1:{liar.port}/0", socket_timeout=0.1, retry=Retry(NoBackoff(), 0)
    ) as redis:
        for use in USES * ROUNDS:
            try:
                use(redis)
            except RedisError:
                continue
