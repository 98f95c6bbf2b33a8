"""Which contacts a number would match: asked of HubSpot within the account's budget.

Nothing is written: no note, no entry in the sync log, no cached match. Only the connection's token
is renewed when it has to be.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import requests

from shared.connections.access_tokens import AccessToken, TokenSource
from shared.hubspot.client import HubSpotClient
from shared.hubspot.errors import RateLimitedError, TokenRejectedError, UnavailableError
from shared.hubspot.models import Contact, ContactPage, ContactSearch
from shared.matching.finding import find_contacts
from shared.matching.hits import (
    Ambiguous,
    Decision,
    Match,
    NoMatch,
    Refused,
    Undecided,
    numbers_of,
)
from shared.matching.scope import SearchScope
from shared.pacing.limits import Limits
from shared.phone import PhoneNumber

MOST_CONTACTS: Final = 10
# A person waits; workers stand in the same line with up to 1.5 s of patience.
LONGEST_WAIT_S: Final = 3.0
# Seconds to connect and to answer.
TIMEOUT: Final = (2.0, 8.0)
NAMES: Final = ("firstname", "lastname", "email")


class BudgetSpentError(Exception):
    """The account's searches are spoken for over the next seconds."""


@dataclass(frozen=True, slots=True)
class HubSpotAccess:
    """What it takes to ask HubSpot in the name of any connection."""

    tokens: TokenSource
    limits: Limits
    http: requests.Session
    api_url: str


@dataclass(frozen=True, slots=True)
class MatchPreview:
    """The contacts that have the number, at most `MOST_CONTACTS`, and what is made of them.

    The contacts are in the policy's order and carry the properties of `NAMES`. HubSpot refuses to
    search `refused_properties`, which were left out.
    """

    contacts: Sequence[Contact]
    decision: Match | Ambiguous | NoMatch
    refused_properties: tuple[str, ...]


class PreviewSearcher:
    """Searches at the account's pace, and keeps what it was shown."""

    def __init__(self, access: HubSpotAccess, *, connection_id: str, hub_id: int) -> None:
        """Make the searcher of one preview.

        Raises:
            TokenBusyError, ConnectionEndedError, HubSpotError: As `TokenSource.access_token`.
        """
        self._access = access
        self._connection_id = connection_id
        self._hub_id = hub_id
        self._token = access.tokens.access_token(connection_id)
        self.seen: dict[str, Contact] = {}

    def may_search(self) -> bool:
        """Wait for a slot for the next search; False when there is none soon enough."""
        seconds = self._access.limits.reserve_search(self._hub_id, longest_wait=LONGEST_WAIT_S)
        if seconds is None:
            return False
        time.sleep(seconds)
        return True

    def search_contacts(self, search: ContactSearch) -> ContactPage:
        """As the client's, with names, and once more if the token was too old."""
        named = replace(search, properties=(*search.properties, *NAMES))
        try:
            try:
                page = self._client(self._token).search_contacts(named)
            except TokenRejectedError:
                self._token = self._access.tokens.access_token(
                    self._connection_id, refused_version=self._token.version
                )
                page = self._client(self._token).search_contacts(named)
        except RateLimitedError:
            self._access.limits.lower_search_rate(self._hub_id)
            raise
        self.seen |= {contact.id: contact for contact in page.contacts}
        return page

    def _client(self, token: AccessToken) -> HubSpotClient:
        return HubSpotClient(
            token.value, api_url=self._access.api_url, session=self._access.http, timeout=TIMEOUT
        )


def preview_match(
    searcher: PreviewSearcher, number: PhoneNumber, scope: SearchScope
) -> MatchPreview:
    """Look a number up as a worker does, through all stages at once.

    Raises:
        BudgetSpentError: No search was possible soon enough.
        HubSpotError: HubSpot could not be asked.
    """
    refused: tuple[str, ...] = ()
    for stage in scope.stages:
        found = find_contacts(
            searcher, [number], scope=scope, stage=stage, may_search=searcher.may_search
        )
        decision = _require_answer(found.decisions[number.e164])
        refused += found.refused_properties
        left = tuple(name for name in scope.phone_properties if name not in refused)
        scope = replace(scope, phone_properties=left)
        if not isinstance(decision, NoMatch):
            break
    owners = [
        contact for contact in searcher.seen.values() if number.e164 in numbers_of(contact, scope)
    ]
    return MatchPreview(owners[:MOST_CONTACTS], decision, refused)


def _require_answer(decision: Decision) -> Match | Ambiguous | NoMatch:
    if isinstance(decision, Undecided):
        raise BudgetSpentError
    if isinstance(decision, Refused):
        # Says nothing about the number, so it is as good as no answer.
        raise UnavailableError(decision.error.message, status=decision.error.status)
    return decision
