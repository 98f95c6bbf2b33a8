"""HubSpot as one turn may use it: within budgets, within its time, with live tokens."""

import contextlib
import time
from collections.abc import Callable, Collection, Sequence
from typing import Final, Protocol, TypeVar

from redis import RedisError

from shared.connections.access_tokens import AccessToken, ConnectionEndedError, TokenBusyError
from shared.hubspot.client import HubSpotClient
from shared.hubspot.errors import RateLimitedError, TokenRejectedError
from shared.hubspot.models import (
    Contact,
    ContactNotes,
    ContactPage,
    ContactSearch,
    CreateNotesAnswer,
    NewNote,
    Note,
    RateLimit,
)
from shared.pacing.limits import SEARCH_PER_S
from shared.telemetry.metrics import HUBSPOT_LIMIT_USED
from worker.resources import Resources

# Waiting longer than this for a slot would hold calls that another turn could take.
LONGEST_WAIT_S: Final = 1.5
# A request started with less time left could outlast the turn.
LEAST_TIME_S: Final = 28.0
# A request that is sent later than its slot meets those of later slots in one of HubSpot's windows.
# By so many seconds it may be late and none overflows: of 5 searches in 1 s, of the tenth that is
# left free of the requests in 10 s. A quarter of the searches' is left for the way to HubSpot.
LATEST_SEARCH_S: Final = (5 / SEARCH_PER_S - 1) * 3 / 4
LATEST_REQUEST_S: Final = 1.1

T = TypeVar("T")


class OutOfBudgetError(Exception):
    """No slot soon enough, no time left, or the worker is stopping: give the calls back."""


class TokenRenewedError(Exception):
    """HubSpot refused the old token and did nothing; there is a new one: mark and send again."""


class PacedHubSpot:
    """The HubSpot client of one turn. A request waits for its slot; reads survive one 401.

    Errors are the client's own, and `OutOfBudgetError` for what was not even sent.
    """

    def __init__(
        self,
        resources: Resources,
        *,
        connection_id: str,
        hub_id: int,
        deadline: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make the client of one turn.

        Args:
            resources: The worker's.
            connection_id: Whose tokens to use.
            hub_id: Whose budgets to use.
            deadline: On the clock; nothing is sent that could outlast it.
            clock: Seconds that only grow.
        """
        self.hub_id = hub_id
        self.answered = False
        self._resources = resources
        self._limits = resources.limits
        self._connection_id = connection_id
        self._deadline = deadline
        self._clock = clock
        # When the slots that are held may be used; None when none is.
        self._search_slot: float | None = None
        self._request_slot: float | None = None
        self._renewed = False
        self._token: AccessToken | None = None

    def open(self) -> None:
        """Get a live token; raises what `TokenSource.access_token` raises."""
        self._token = self._resources.tokens.access_token(self._connection_id)

    def wait_for_request_slot(self) -> None:
        """Wait for a slot of the requests that are not searches."""
        self._request_slot = self._wait(self._limits.reserve_request, LATEST_REQUEST_S)

    def keep_request_slot(self) -> None:
        """Wait for another slot if so much time has passed that the one held has gone by."""
        if self._request_slot is None or self._is_late(self._request_slot, LATEST_REQUEST_S):
            self.wait_for_request_slot()

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
        return self._search(lambda: self._client.search_contacts(search))

    def search_notes(self, contact_id: str, *, created_from_ms: int) -> tuple[Note, ...]:
        """As the client's, at the pace of searches."""
        return self._search(
            lambda: self._client.search_notes(
                contact_id, created_from_ms=created_from_ms, before_page=self._use_search_slot
            )
        )

    def notes_of_contacts(self, contact_ids: Collection[str]) -> ContactNotes:
        """As the client's, at the pace of requests."""
        return self._read(
            lambda: self._client.notes_of_contacts(
                contact_ids, before_page=self.wait_for_request_slot
            )
        )

    def read_notes(self, note_ids: Sequence[str]) -> dict[str, Note]:
        """As the client's, at the pace of requests; at most 100 ids."""
        return self._read(lambda: self._client.read_notes(note_ids))

    def read_contact(self, contact_id: str) -> Contact | None:
        """As the client's, at the pace of requests."""
        return self._read(lambda: self._client.read_contact(contact_id))

    def archive_note(self, note_id: str) -> None:
        """As the client's, at the pace of requests."""
        self._read(lambda: self._client.archive_note(note_id))

    def create_notes(self, notes: Sequence[NewNote]) -> CreateNotesAnswer:
        """As the client's, at once: the caller holds a slot since before its marks.

        Raises:
            TokenRenewedError: The token was too old, and is new now.
            TokenRejectedError: It cannot be renewed now, or was refused though it is new.
        """
        try:
            answer = self._client.create_notes(notes)
        except TokenRejectedError as error:
            try:
                self._renew_token(error)
            except (TokenBusyError, ConnectionEndedError):
                raise error from None  # that nothing was written is what the mark must know
            raise TokenRenewedError from error
        self.answered = True
        return answer

    def _search(self, ask: Callable[[], T]) -> T:
        try:
            return self._once_more_if_expired(lambda: self._searched(ask))
        except RateLimitedError:
            self._limits.lower_search_rate(self.hub_id)
            raise

    def _searched(self, ask: Callable[[], T]) -> T:
        self._use_search_slot()
        return ask()

    def _read(self, ask: Callable[[], T]) -> T:
        return self._once_more_if_expired(lambda: self._asked(ask))

    def _asked(self, ask: Callable[[], T]) -> T:
        self.wait_for_request_slot()
        return ask()

    def _once_more_if_expired(self, ask: Callable[[], T]) -> T:
        try:
            answer = ask()
        except TokenRejectedError as error:
            self._renew_token(error)
            answer = ask()
        self.answered = True
        return answer

    def _renew_token(self, error: TokenRejectedError) -> None:
        """Renew the token once a turn; a second refusal is not about its age, and is raised."""
        if self._renewed:
            raise error
        self._renewed = True
        refused = None if self._token is None else self._token.version
        self._token = self._resources.tokens.access_token(
            self._connection_id, refused_version=refused
        )

    @property
    def _client(self) -> HubSpotClient:
        if self._token is None:
            raise RuntimeError("open() comes first")
        return HubSpotClient(
            self._token.value,
            api_url=self._resources.settings.hubspot_api_url,
            session=self._resources.http,
            on_response=self._note_response,
        )

    def _note_response(self, _method: str, _status: int, _seconds: float, limit: RateLimit) -> None:
        if limit.max is not None and limit.interval_ms == 10_000:  # noqa: PLR2004 - the window we pace
            if limit.max and limit.remaining is not None:
                HUBSPOT_LIMIT_USED.observe(1 - limit.remaining / limit.max)
            # HubSpot has answered: whatever Redis says now must not make that uncertain.
            with contextlib.suppress(RedisError):
                self._limits.note_request_limit(self.hub_id, limit.max)

    def _wait(self, reserve: "_Reserve", latest_s: float) -> float:
        """Wait for a slot; returns when it is, on the clock.

        Whoever wakes too late, because the machine stalled, waits for another one.
        """
        while True:
            slot = self._clock()
            seconds = reserve(self.hub_id, longest_wait=LONGEST_WAIT_S)
            time_left = self._deadline - self._clock()
            if (
                seconds is None
                or time_left - seconds < LEAST_TIME_S
                or self._resources.stopping.wait(seconds)
            ):
                raise OutOfBudgetError
            slot += seconds
            if not self._is_late(slot, latest_s):
                return slot

    def _is_late(self, slot: float, latest_s: float) -> bool:
        return self._clock() - slot > latest_s


class _Reserve(Protocol):
    def __call__(self, hub_id: int, *, longest_wait: float) -> float | None: ...
