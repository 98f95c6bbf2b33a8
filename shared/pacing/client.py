"""HubSpot within an account's budgets, with a live token, and with as much patience as is due."""

import contextlib
import math
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Final, Protocol, TypeVar

import requests
from redis import RedisError

from shared.hubspot.client import HubSpotClient
from shared.hubspot.errors import RateLimitedError, TokenRejectedError
from shared.hubspot.models import (
    Contact,
    ContactEngagements,
    ContactPage,
    ContactSearch,
    CreateAnswer,
    Engagement,
    EngagementType,
    NewEngagement,
    RateLimit,
    UpdateAnswer,
)
from shared.hubspot.transport import DEFAULT_TIMEOUT
from shared.pacing.limits import SEARCH_PER_S, Limits
from shared.telemetry.metrics import HUBSPOT_LIMIT_USED

# A request that is sent later than its slot meets those of later slots in one of HubSpot's windows.
# By so many seconds it may be late and none overflows: of 5 searches in 1 s, of the tenth that is
# left free of the requests in 10 s. A quarter of the searches' is left for the way to HubSpot.
LATEST_SEARCH_S: Final = (5 / SEARCH_PER_S - 1) * 3 / 4
LATEST_REQUEST_S: Final = 1.1

T = TypeVar("T")


class OutOfBudgetError(Exception):
    """No slot soon enough, no time left, or the process is stopping: nothing was sent."""


class NoTokenError(Exception):
    """There is no usable access token, now or for good."""


class TokenRenewedError(Exception):
    """HubSpot refused the old token and did nothing; there is a new one: mark and send again."""


class AccessToken(Protocol):
    """A token in the clear, and which version of the connection's tokens it is."""

    @property
    def value(self) -> str: ...
    @property
    def version(self) -> int: ...


class TokenSource(Protocol):
    """Hands out access tokens; raises `NoTokenError` or an error of HubSpot's."""

    def access_token(
        self, connection_id: str, *, refused_version: int | None = None
    ) -> AccessToken: ...


@dataclass(frozen=True, slots=True)
class HubSpotAccess:
    """What it takes to ask HubSpot in the name of any connection."""

    tokens: TokenSource
    limits: Limits
    http: requests.Session
    api_url: str


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a client waits for slots and answers.

    Attributes:
        longest_wait_s: For a slot. Others stand in the same line, with a patience of their own.
        asks_again_s: When no slot is near enough, wait so long and ask again, for ever; None to
            give up.
        deadline: On the client's clock; nothing is sent with less than `least_time_s` left.
        least_time_s: What a request may take at most.
        stopping: Ends every wait once it is set.
        timeout: Seconds to connect and to answer.
    """

    longest_wait_s: float
    asks_again_s: float | None = None
    deadline: float = math.inf
    least_time_s: float = 0.0
    stopping: Event = field(default_factory=Event)
    timeout: tuple[float, float] = DEFAULT_TIMEOUT


class PacedHubSpot:
    """The HubSpot client of one connection. A request waits for its slot; reads survive one 401.

    Errors are the client's own, `NoTokenError`, and `OutOfBudgetError` for what was not even sent.
    """

    def __init__(
        self,
        access: HubSpotAccess,
        *,
        connection_id: str,
        hub_id: int,
        patience: Patience,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make the client; it asks for a token with its first request, or when told to.

        Args:
            access: How to reach HubSpot.
            connection_id: Whose tokens to use.
            hub_id: Whose budgets to use.
            patience: How long to wait.
            clock: Seconds that only grow.
        """
        self.hub_id = hub_id
        self.has_answered = False
        self._access = access
        self._limits = access.limits
        self._connection_id = connection_id
        self._patience = patience
        self._clock = clock
        # When the slots that are held may be used; None when none is.
        self._search_slot: float | None = None
        self._request_slot: float | None = None
        self._renewed = False
        self._token: AccessToken | None = None

    def open(self) -> AccessToken:
        """Get a live token; raises what `TokenSource.access_token` raises."""
        self._token = self._access.tokens.access_token(self._connection_id)
        return self._token

    def wait_for_request_slot(self) -> None:
        """Wait for a slot of the requests that are not searches."""
        self._request_slot = self._wait(self._limits.reserve_request, LATEST_REQUEST_S)

    def keep_request_slot(self) -> None:
        """Wait for another slot if so much time has passed that the one held has gone by."""
        if self._request_slot is None or self._is_late(self._request_slot, LATEST_REQUEST_S):
            self.wait_for_request_slot()

    def _use_request_slot(self) -> None:
        self.keep_request_slot()
        self._request_slot = None

    def may_search(self) -> bool:
        """Wait for a slot for the next search; False when there is none soon enough."""
        try:
            self._keep_search_slot()
        except OutOfBudgetError:
            return False
        return True

    def _keep_search_slot(self) -> None:
        if self._search_slot is None or self._is_late(self._search_slot, LATEST_SEARCH_S):
            self._search_slot = self._wait(self._limits.reserve_search, LATEST_SEARCH_S)

    def _use_search_slot(self) -> None:
        self._keep_search_slot()
        self._search_slot = None

    def search_contacts(self, search: ContactSearch) -> ContactPage:
        """As the client's, at the pace of searches."""
        return self._search(lambda client: client.search_contacts(search))

    def search_engagements(
        self, kind: EngagementType, contact_id: str, *, created_from_ms: int
    ) -> tuple[Engagement, ...]:
        """As the client's, at the pace of searches."""
        return self._search(
            lambda client: client.search_engagements(
                kind,
                contact_id,
                created_from_ms=created_from_ms,
                before_page=self._use_search_slot,
            )
        )

    def engagements_of_contacts(
        self, kind: EngagementType, contact_ids: Collection[str]
    ) -> ContactEngagements:
        """As the client's, at the pace of requests."""
        return self._read(
            lambda client: client.engagements_of_contacts(
                kind, contact_ids, before_page=self._use_request_slot
            )
        )

    def read_engagements(self, kind: EngagementType, ids: Sequence[str]) -> dict[str, Engagement]:
        """As the client's, at the pace of requests; at most 100 ids."""
        return self._read(lambda client: client.read_engagements(kind, ids))

    def read_contact(self, contact_id: str) -> Contact | None:
        """As the client's, at the pace of requests."""
        return self._read(lambda client: client.read_contact(contact_id))

    def archive_engagement(self, kind: EngagementType, engagement_id: str) -> None:
        """As the client's, at the pace of requests."""
        self._read(lambda client: client.archive_engagement(kind, engagement_id))

    def create_engagements(
        self, kind: EngagementType, new: Sequence[NewEngagement]
    ) -> CreateAnswer:
        """As the client's, at once: the caller holds a slot since before its marks.

        Raises:
            TokenRenewedError: The token was too old, and is new now.
            TokenRejectedError: It cannot be renewed now, or was refused though it is new.
        """
        return self._write(lambda client: client.create_engagements(kind, new))

    def update_engagements(
        self, kind: EngagementType, changes: Sequence[Engagement]
    ) -> UpdateAnswer:
        """As the client's, at once, and raises as `create_engagements` does."""
        return self._write(lambda client: client.update_engagements(kind, changes))

    def _write(self, ask: Callable[[HubSpotClient], T]) -> T:
        self._request_slot = None
        try:
            answer = ask(self._client)
        except TokenRejectedError as error:
            try:
                self._renew_token(error)
            except NoTokenError:
                raise error from None  # that nothing was written is what the mark must know
            raise TokenRenewedError from error
        self.has_answered = True
        return answer

    def _search(self, ask: Callable[[HubSpotClient], T]) -> T:
        try:
            return self._once_more_if_expired(self._use_search_slot, ask)
        except RateLimitedError:
            self._limits.lower_search_rate(self.hub_id)
            raise

    def _read(self, ask: Callable[[HubSpotClient], T]) -> T:
        return self._once_more_if_expired(self._use_request_slot, ask)

    def _once_more_if_expired(
        self, wait: Callable[[], None], ask: Callable[[HubSpotClient], T]
    ) -> T:
        wait()
        try:
            answer = ask(self._client)
        except TokenRejectedError as error:
            self._renew_token(error)
            wait()
            answer = ask(self._client)
        self.has_answered = True
        return answer

    def _renew_token(self, error: TokenRejectedError) -> None:
        """Renew the token once; a second refusal is not about its age, and is raised."""
        if self._renewed:
            raise error
        self._renewed = True
        refused = None if self._token is None else self._token.version
        self._token = self._access.tokens.access_token(self._connection_id, refused_version=refused)

    @property
    def _client(self) -> HubSpotClient:
        token = self._token or self.open()
        return HubSpotClient(
            token.value,
            api_url=self._access.api_url,
            session=self._access.http,
            timeout=self._patience.timeout,
            on_response=self._note_limit,
        )

    def _note_limit(self, _method: str, _status: int, _seconds: float, limit: RateLimit) -> None:
        if limit.max is not None and limit.interval_ms == 10_000:  # noqa: PLR2004 - the window we pace
            if limit.max and limit.remaining is not None:
                HUBSPOT_LIMIT_USED.observe(1 - limit.remaining / limit.max)
            # HubSpot has answered: whatever Redis says now must not make that uncertain.
            with contextlib.suppress(RedisError):
                self._limits.record_request_limit(self.hub_id, limit.max)

    def _wait(self, reserve: "_Reserve", latest_s: float) -> float:
        """Wait for a slot; returns when it is, on the clock.

        Whoever wakes too late, because the machine stalled, waits for another one.
        """
        patience = self._patience
        while True:
            slot = self._clock()
            seconds = reserve(self.hub_id, longest_wait=patience.longest_wait_s)
            is_slot = seconds is not None
            if seconds is None:
                seconds = patience.asks_again_s
            time_left = patience.deadline - self._clock()
            if (
                seconds is None
                or time_left - seconds < patience.least_time_s
                or patience.stopping.wait(seconds)
            ):
                raise OutOfBudgetError
            slot += seconds
            if is_slot and not self._is_late(slot, latest_s):
                return slot

    def _is_late(self, slot: float, latest_s: float) -> bool:
        return self._clock() - slot > latest_s


class _Reserve(Protocol):
    def __call__(self, hub_id: int, *, longest_wait: float) -> float | None: ...
