"""Which contacts a number would match: asked of HubSpot within the account's budget.

Nothing is written: no note, no entry in the sync log, no cached match. Only the connection's token
is renewed when it has to be.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from shared.hubspot.errors import UnavailableError
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
from shared.pacing.client import HubSpotAccess, OutOfBudgetError, PacedHubSpot, Patience
from shared.phone import PhoneNumber

MOST_CONTACTS: Final = 10
# A person waits; workers stand in the same line with up to 1.5 s of patience.
PATIENCE: Final = Patience(longest_wait_s=3.0, timeout=(2.0, 8.0))
LONGEST_PREVIEW_S: Final = 30.0
NAMES: Final = ("firstname", "lastname", "email")


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
            NoTokenError, HubSpotError: As `TokenSource.access_token`.
        """
        patience = replace(PATIENCE, deadline=time.monotonic() + LONGEST_PREVIEW_S)
        self._client = PacedHubSpot(
            access, connection_id=connection_id, hub_id=hub_id, patience=patience
        )
        self._client.open()
        self.may_search = self._client.may_search
        self.seen: dict[str, Contact] = {}

    def search_contacts(self, search: ContactSearch) -> ContactPage:
        """As the client's, with names."""
        named = replace(search, properties=(*search.properties, *NAMES))
        page = self._client.search_contacts(named)
        self.seen |= {contact.id: contact for contact in page.contacts}
        return page


def preview_match(
    searcher: PreviewSearcher, number: PhoneNumber, scope: SearchScope
) -> MatchPreview:
    """Look a number up as a worker does, through all stages at once.

    Raises:
        OutOfBudgetError: No search was possible soon enough.
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
        raise OutOfBudgetError
    if isinstance(decision, Refused):
        # Says nothing about the number, so it is as good as no answer.
        raise UnavailableError(decision.error.message, status=decision.error.status)
    return decision
