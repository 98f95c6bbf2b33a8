"""Asking HubSpot who has many numbers, in searches that nobody else wants; only reads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from redis import RedisError
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from shared.broker.deployment import connect_redis
from shared.configuration.settings import ServiceSettings
from shared.connections.access_tokens import ConnectionEndedError, TokenBusyError, TokenSource
from shared.connections.oauth_states import open_oauth
from shared.crypto import TokenCipher
from shared.database.engines import Database
from shared.hubspot.errors import HubSpotError, RetryLaterError
from shared.hubspot.transport import build_session
from shared.matching.finding import Findings, find_contacts
from shared.matching.hits import Decision, NoMatch
from shared.matching.scope import SearchScope, Stage
from shared.pacing.client import HubSpotAccess, PacedHubSpot, Patience
from shared.pacing.limits import Limits
from shared.phone import PhoneNumber

# So often the progress is told: what one search holds, or two.
NUMBERS_A_LOOKUP: Final = {Stage.CALCULATED: 90, Stage.RAW: 16, Stage.THOROUGH: 5}
# Only slots that are free at once, so that live calls never stand behind the search; looked for
# again after a slot's length.
PATIENCE: Final = Patience(longest_wait_s=0, asks_again_s=0.25)
TRIES: Final = 5
LONGEST_PAUSE_S: Final = 10
NOT_ASKED: Final = (HubSpotError, TokenBusyError, ConnectionEndedError, RedisError)
"""What `look_up` raises."""


@dataclass(frozen=True, slots=True)
class LookUpPlan:
    """Whose contacts are searched, and how: as the connection's worker would."""

    connection_id: str
    hub_id: int
    scope: SearchScope


def open_access(database: Database, settings: ServiceSettings) -> HubSpotAccess:
    """What it takes to ask HubSpot in the name of any connection."""
    redis = connect_redis(settings.redis_url.get_secret_value(), settings.redis_prefix)
    limits, http = Limits(redis), build_session(1)
    tokens = TokenSource(
        database=database,
        redis=redis,
        limits=limits,
        cipher=TokenCipher(settings.token_encryption_keys),
        oauth=open_oauth(settings, http),
    )
    return HubSpotAccess(tokens, limits, http, settings.hubspot_api_url)


def look_up(
    access: HubSpotAccess,
    plan: LookUpPlan,
    numbers: Sequence[PhoneNumber],
    *,
    advance: Callable[[int], None],
) -> dict[str, Decision]:
    """Decide who has each number, as far as HubSpot says so; by E.164.

    Args:
        access: HubSpot.
        plan: How to search.
        numbers: Any number of them, each once.
        advance: Told how many more are decided.

    Raises:
        NOT_ASKED: HubSpot could not be asked, or its limits are not known.
    """
    decisions: dict[str, Decision] = {}
    scope = plan.scope
    for stage in scope.stages:
        waiting = [each for each in numbers if _is_open(decisions.get(each.e164))]
        step = NUMBERS_A_LOOKUP[stage]
        for first in range(0, len(waiting), step):
            found = _find(access, plan, waiting[first : first + step], scope, stage)
            decisions |= found.decisions
            is_last = stage is scope.stages[-1]
            advance(sum(is_last or not _is_open(each) for each in found.decisions.values()))
            scope = _narrow(scope, found)
            if stage is Stage.CALCULATED and scope.is_raw:
                break  # the others are looked up as people typed them
    return decisions


def _is_open(decision: Decision | None) -> bool:
    """What one stage does not find may still be found in the next."""
    return decision is None or isinstance(decision, NoMatch)


def _narrow(scope: SearchScope, found: Findings) -> SearchScope:
    """Leave out what HubSpot has just refused."""
    names = [each for each in scope.phone_properties if each not in found.refused_properties]
    return replace(
        scope,
        phone_properties=tuple(names),
        is_raw=scope.is_raw or found.calculated_unsupported,
    )


def _find(
    access: HubSpotAccess,
    plan: LookUpPlan,
    numbers: Sequence[PhoneNumber],
    scope: SearchScope,
    stage: Stage,
) -> Findings:
    """As `find_contacts`, a few times over while HubSpot or the token is busy."""
    for attempt in Retrying(
        stop=stop_after_attempt(TRIES),
        wait=wait_random_exponential(max=LONGEST_PAUSE_S),
        retry=retry_if_exception_type((RetryLaterError, TokenBusyError)),
        reraise=True,
    ):
        with attempt:
            client = PacedHubSpot(
                access, connection_id=plan.connection_id, hub_id=plan.hub_id, patience=PATIENCE
            )
            found = find_contacts(
                client, numbers, scope=scope, stage=stage, may_search=client.may_search
            )
    return found
