"""HubSpot's CRM as one connection sees it: one typed method per endpoint that we use.

Every method raises the errors of `shared.hubspot.errors` and repeats nothing by itself. Paths are
dated (`API_VERSION`); docstrings name the page of developers.hubspot.com that documents the
endpoint. "Assumed" marks behaviour that no published source shows.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from urllib.parse import quote

import requests

from shared.hubspot import engagements
from shared.hubspot.errors import NotFoundError, TokenRejectedError
from shared.hubspot.models import (
    MAX_ENGAGEMENTS,
    AccountDetails,
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
from shared.hubspot.payload import (
    JsonObject,
    as_object,
    encode,
    identifier,
    member,
    text,
    whole_number,
)
from shared.hubspot.responses import error_of, object_of, rate_limit, results_of, shapeless
from shared.hubspot.transport import DEFAULT_TIMEOUT, Answer, send
from shared.hubspot.version import API_VERSION

MAX_CONTACTS = 1000
"""Contacts in one associations batch read (Associations guide)."""
MAX_PAGES = 10
"""Pages that are followed for one contact's notes or calls."""

OnResponse = Callable[[str, int, float, RateLimit], None]
"""Told of each answer: the method's name, HTTP status, seconds, rate-limit headers."""


def _at_once() -> None:
    """Do not wait before a further page."""


class HubSpotClient:
    """HubSpot with one access token; cheap to make, holds nothing but what it is given."""

    def __init__(
        self,
        access_token: str,
        *,
        api_url: str,
        session: requests.Session,
        timeout: tuple[float, float] = DEFAULT_TIMEOUT,
        on_response: OnResponse | None = None,
    ) -> None:
        self._access_token = access_token
        self._api_url = api_url.rstrip("/")
        self._session = session
        self._timeout = timeout
        self._on_response = on_response

    def __repr__(self) -> str:
        return f"HubSpotClient(api_url={self._api_url!r})"

    def search_contacts(self, search: ContactSearch) -> ContactPage:
        """Find contacts: `POST /crm/objects/{version}/contacts/search` (CRM search guide).

        Verified: at most 5 searches a second and account, no rate-limit headers, an index that
        lags, 400 above 3,000 characters or 10,000 results. Assumed: a bare 400, without a
        category, for a property that the account lacks.
        """
        path = f"/crm/objects/{API_VERSION}/contacts/search"
        answer = self._request("search_contacts", "POST", path, search.body())
        payload, results = results_of(answer)
        total = whole_number(payload.get("total"))
        return ContactPage(
            total=len(results) if total is None else total,
            contacts=tuple(_contact(result, answer) for result in results),
            next_after=identifier(member(payload, "paging", "next", "after")),
        )

    def create_engagements(
        self, kind: EngagementType, new: Sequence[NewEngagement]
    ) -> CreateAnswer:
        """Write up to 100 notes or calls (Notes guide, Calls guide).

        `POST /crm/objects/{version}/{notes|calls}/batch/create`.
        Verified: with a unique `objectWriteTraceId` on every input one bad input does not fail
        the others (207, Error handling page), and there is no idempotency key. Assumed: results
        carry the trace id; one that does not is in `unmatched`.

        Raises:
            HubSpotError: unless it is `definite`, any of them may exist.
        """
        path = f"/crm/objects/{API_VERSION}/{kind.name}/batch/create"
        body = engagements.create_body(kind, new)
        answer = self._request(f"create_{kind.name}", "POST", path, body)
        return engagements.read_created(answer, new, self._access_token)

    def update_engagements(
        self, kind: EngagementType, changes: Sequence[Engagement]
    ) -> UpdateAnswer:
        """Change the properties that are given of up to 100 notes or calls, each named once.

        `POST /crm/objects/{version}/{notes|calls}/batch/update` (Notes guide, Calls guide).
        Verified: associations and other properties stay as they are, and an empty string clears a
        property. Assumed: as with a batch create, one bad input does not fail the others (207), and
        results carry what was changed as HubSpot keeps it.

        Raises:
            HubSpotError: unless it is `definite`, any of them may have been changed.
        """
        path = f"/crm/objects/{API_VERSION}/{kind.name}/batch/update"
        body = engagements.update_body(changes)
        answer = self._request(f"update_{kind.name}", "POST", path, body)
        return engagements.read_updated(answer, changes, self._access_token)

    def engagements_of_contacts(
        self,
        kind: EngagementType,
        contact_ids: Collection[str],
        *,
        before_page: Callable[[], object] = _at_once,
    ) -> ContactEngagements:
        """List the notes or calls on contacts, without the search index's lag.

        `POST /crm/associations/{version}/contacts/{notes|calls}/batch/read` (Associations guide),
        one request for up to 1,000 contacts and for each further page, of which there are at most
        10; `before_page` is called before each of these.
        Assumed: a merged or deleted contact may be answered like one without any, so read the
        contact before an empty answer is taken for a miss.
        """
        path = f"/crm/associations/{API_VERSION}/contacts/{kind.name}/batch/read"
        name = f"{kind.name}_of_contacts"
        found_ids: dict[str, tuple[str, ...]] = {}
        unknown: set[str] = set()
        pending: dict[str, JsonObject] = {each: {"id": each} for each in contact_ids}
        for page in range(MAX_PAGES):
            following: dict[str, JsonObject] = {}
            if page and pending:
                before_page()
            for chunk in _chunks(list(pending), MAX_CONTACTS):
                body = encode({"inputs": [pending[each] for each in chunk]})
                try:
                    answer = self._request(name, "POST", path, body)
                except NotFoundError:
                    unknown.update(chunk)
                    continue
                answered = engagements.associations_page(answer)
                for each in chunk:
                    if each not in answered.ids:
                        unknown.add(each)
                        continue
                    found_ids[each] = found_ids.get(each, ()) + answered.ids[each]
                    if each in answered.next_after:
                        following[each] = {"id": each, "after": answered.next_after[each]}
            pending = following
        return ContactEngagements(
            ids={key: value for key, value in found_ids.items() if key not in unknown},
            unknown=frozenset(unknown),
            truncated=frozenset(pending),
        )

    def read_engagements(self, kind: EngagementType, ids: Sequence[str]) -> dict[str, Engagement]:
        """Read notes or calls by id: `POST …/{notes|calls}/batch/read` (Notes guide, Calls guide).

        One request per 100. What is absent is archived, or was never in this account.
        """
        path = f"/crm/objects/{API_VERSION}/{kind.name}/batch/read"
        found: dict[str, Engagement] = {}
        for chunk in _chunks(ids, MAX_ENGAGEMENTS):
            body = engagements.read_body(kind, chunk)
            answer = self._request(f"read_{kind.name}", "POST", path, body)
            found |= engagements.read_found(answer)
        return found

    def search_engagements(
        self,
        kind: EngagementType,
        contact_id: str,
        *,
        created_from_ms: int,
        before_page: Callable[[], object] = _at_once,
    ) -> tuple[Engagement, ...]:
        """Find a contact's notes or calls created since a time (CRM search guide).

        `POST /crm/objects/{version}/{notes|calls}/search`. For timelines too long to list, and only
        when the index has caught up. Oldest first, at most 2,000: what was written at that time is
        among the first. `before_page` is called before each further request.
        """
        path = f"/crm/objects/{API_VERSION}/{kind.name}/search"
        body = engagements.search_body(kind, contact_id, created_from_ms)
        found: list[Engagement] = []
        for page in range(MAX_PAGES):
            if page:
                before_page()
            answer = self._request(f"search_{kind.name}", "POST", path, encode(body))
            payload, results = results_of(answer)
            found += filter(None, map(engagements.engagement_of, results))
            after = identifier(member(payload, "paging", "next", "after"))
            if after is None:
                break
            body["after"] = after
        return tuple(found)

    def read_contact(self, contact_id: str) -> Contact | None:
        """Read a contact, or None if there is none (Contacts guide).

        `GET /crm/objects/{version}/contacts/{id}`. Assumed: the id of a contact that was merged
        away answers with the surviving contact, whose id differs from the one asked for.
        """
        path = f"/crm/objects/{API_VERSION}/contacts/{quote(contact_id, safe='')}"
        try:
            answer = self._request("read_contact", "GET", path)
        except NotFoundError:
            return None
        return _contact(object_of(answer), answer)

    def archive_engagement(self, kind: EngagementType, engagement_id: str) -> None:
        """Move a note or call to the recycle bin; one that is gone already counts as archived.

        `DELETE /crm/objects/{version}/{notes|calls}/{id}` (Notes guide, Calls guide). Assumed: 204
        when repeated.
        """
        path = f"/crm/objects/{API_VERSION}/{kind.name}/{quote(engagement_id, safe='')}"
        try:
            self._request(f"archive_{kind.name}", "DELETE", path)
        except NotFoundError:
            return

    def account_details(self) -> AccountDetails:
        """Which account this is: `GET /account-info/{version}/details` (Account information)."""
        answer = self._request("account_details", "GET", f"/account-info/{API_VERSION}/details")
        payload = object_of(answer)
        hub_id = whole_number(payload.get("portalId"))
        if hub_id is None:
            raise shapeless(answer)
        return AccountDetails(hub_id=hub_id, ui_domain=text(payload.get("uiDomain")))

    def uninstall(self) -> None:
        """Uninstall our app from the account; HubSpot mails its admins (App uninstalls page).

        `DELETE /appinstalls/{version}/external-install`, 204. It ends every grant of the account.
        """
        self._request("uninstall", "DELETE", f"/appinstalls/{API_VERSION}/external-install")

    def _request(self, name: str, method: str, path: str, body: bytes | None = None) -> Answer:
        if not (self._access_token.isascii() and self._access_token.isprintable()):
            # http.client would refuse the header with a message that quotes it.
            raise TokenRejectedError("The access token is malformed.", sent=False, definite=True)
        answer = send(
            self._session,
            name,
            method,
            self._api_url + path,
            timeout=self._timeout,
            body=body,
            bearer=self._access_token,
        )
        if self._on_response is not None:
            self._on_response(name, answer.status, answer.seconds, rate_limit(answer.headers))
        error = error_of(answer, [self._access_token])
        if error is not None:
            raise error
        return answer


def _contact(result: JsonObject, answer: Answer) -> Contact:
    contact_id = identifier(result.get("id"))
    if contact_id is None:
        raise shapeless(answer)
    properties = as_object(result.get("properties"))
    return Contact(
        contact_id,
        {key: value if isinstance(value, str) else None for key, value in properties.items()},
    )


def _chunks(ids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), size):
        yield ids[start : start + size]
