"""Bodies and answers of the batch endpoints that create, update, read and list notes or calls."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.hubspot.errors import NotFoundError, RejectedError, UnavailableError
from shared.hubspot.models import (
    CreateAnswer,
    Engagement,
    EngagementType,
    NewEngagement,
    UpdateAnswer,
)
from shared.hubspot.payload import JsonObject, as_object, encode, identifier, member, objects
from shared.hubspot.responses import Envelope, results_of
from shared.hubspot.transport import Answer

OBJECT_NOT_FOUND = "OBJECT_NOT_FOUND"
NO_ASSOCIATIONS_FOUND = "crm.associations.NO_ASSOCIATIONS_FOUND"

UNCERTAIN_CATEGORIES = ("INTERNAL", "SERVER", "TIMEOUT", "UNAVAILABLE", "UNKNOWN", "RATE_LIMIT")
"""Parts of categories that say that HubSpot failed rather than refused. HubSpot publishes no
list, so anything that looks like these leaves its input uncertain, which only costs a read."""


@dataclass(frozen=True, slots=True)
class AssociationsPage:
    """Ids by contact id; `next_after` has the cursor of each contact with more pages."""

    ids: dict[str, tuple[str, ...]]
    next_after: dict[str, str]


def create_body(kind: EngagementType, new: Sequence[NewEngagement]) -> bytes:
    """The body of a batch create; `hs_timestamp` goes as epoch milliseconds."""
    return encode({"inputs": [_create_input(kind, each) for each in new]})


def _create_input(kind: EngagementType, new: NewEngagement) -> JsonObject:
    return {
        "objectWriteTraceId": new.trace_id,
        "properties": {"hs_timestamp": str(new.timestamp_ms), **new.properties},
        "associations": [
            {
                "to": {"id": new.contact_id},
                "types": [
                    {
                        "associationCategory": "HUBSPOT_DEFINED",
                        "associationTypeId": kind.to_contact,
                    }
                ],
            }
        ],
    }


def read_created(answer: Answer, new: Sequence[NewEngagement], token: str) -> CreateAnswer:
    """Match the results and errors of a batch create with its inputs, by trace id only.

    An id outweighs an error: it proves that the engagement exists.

    Raises:
        UnavailableError: the answer has no `results`; all of them may exist.
    """
    payload, results = results_of(answer)
    asked = {each.trace_id for each in new}
    created: dict[str, str] = {}
    unmatched: list[Engagement] = []
    for result in results:
        found = engagement_of(result)
        trace_id = identifier(result.get("objectWriteTraceId"))
        if found is None:
            continue
        if trace_id in asked and trace_id not in created:
            created[trace_id] = found.id
        else:
            unmatched.append(found)
    rejected = {
        trace_id: error
        for trace_id, error in _rejections(payload, answer.status, token, ("objectWriteTraceId",))
        if trace_id in asked and trace_id not in created
    }
    return CreateAnswer(
        created=created,
        rejected=rejected,
        missing=frozenset(asked - created.keys() - rejected.keys()),
        unmatched=tuple(unmatched),
    )


def update_body(changes: Sequence[Engagement]) -> bytes:
    """The body of a batch update; `id` is the record's, so `idProperty` must be left out."""
    return encode(
        {
            "inputs": [
                {
                    "id": each.id,
                    "objectWriteTraceId": each.id,
                    "properties": dict(each.properties),
                }
                for each in changes
            ]
        }
    )


def read_updated(answer: Answer, changes: Sequence[Engagement], token: str) -> UpdateAnswer:
    """Match the results and errors of a batch update with its inputs, by id.

    A result outweighs an error. An error names its inputs by trace id, which is the id here, or by
    id.

    Raises:
        UnavailableError: the answer has no `results`; all of them may have been changed.
    """
    payload, results = results_of(answer)
    asked = {each.id for each in changes}
    found = filter(None, map(engagement_of, results))
    updated = {each.id: each for each in found if each.id in asked}
    keys = ("objectWriteTraceId", "ids", "id")
    refused = {
        changed_id: error
        for changed_id, error in _rejections(payload, answer.status, token, keys)
        if changed_id in asked and changed_id not in updated
    }
    return UpdateAnswer(
        updated=updated,
        refused=refused,
        missing=frozenset(asked - updated.keys() - refused.keys()),
    )


def _rejections(
    payload: JsonObject, status: int, token: str, keys: Sequence[str]
) -> list[tuple[str, RejectedError]]:
    """Each id that an item of `errors` names by one of `keys`, if it is certainly a refusal."""
    rejections = []
    for each in objects(payload.get("errors")):
        envelope = Envelope.of(each, [token])
        if envelope is None or not _is_refusal(envelope.category):
            continue
        error_type = NotFoundError if envelope.category == OBJECT_NOT_FOUND else RejectedError
        error = error_type(
            envelope.message or "HubSpot refused the entry.",
            status=status,
            category=envelope.category,
            correlation_id=envelope.correlation_id or identifier(payload.get("correlationId")),
            definite=True,
            properties=envelope.properties,
        )
        rejections += [(each, error) for key in keys for each in envelope.context_ids(key)]
    return rejections


def _is_refusal(category: str | None) -> bool:
    return category is not None and not any(part in category for part in UNCERTAIN_CATEGORIES)


def read_body(kind: EngagementType, ids: Sequence[str]) -> bytes:
    """The body of a batch read; the Notes specification requires all three keys."""
    return encode(
        {
            "inputs": [{"id": each} for each in ids],
            "properties": list(kind.properties),
            "propertiesWithHistory": [],
        }
    )


def read_found(answer: Answer) -> dict[str, Engagement]:
    """What a batch read has found, by id; what HubSpot does not find is left out.

    Raises:
        UnavailableError: some could not be read for another reason, so absence proves nothing.
    """
    payload, results = results_of(answer)
    for each in objects(payload.get("errors")):
        envelope = Envelope.of(each) or Envelope()
        if envelope.category != OBJECT_NOT_FOUND:
            raise UnavailableError(
                "HubSpot could not read some of the entries.",
                status=answer.status,
                category=envelope.category,
                correlation_id=envelope.correlation_id,
            )
    found = filter(None, map(engagement_of, results))
    return {each.id: each for each in found}


def search_body(kind: EngagementType, contact_id: str, created_from_ms: int) -> JsonObject:
    """The body of a search for a contact's engagements, oldest first (CRM search guide)."""
    return {
        "filterGroups": [
            {
                "filters": [
                    {
                        "propertyName": "associations.contact",
                        "operator": "EQ",
                        "value": contact_id,
                    },
                    {
                        "propertyName": "hs_createdate",
                        "operator": "GTE",
                        "value": str(created_from_ms),
                    },
                ]
            }
        ],
        "properties": list(kind.properties),
        "sorts": [{"propertyName": "hs_createdate", "direction": "ASCENDING"}],
        "limit": 200,
    }


def engagement_of(result: JsonObject) -> Engagement | None:
    """One result, None if it has no id; what HubSpot left out or gave as null is empty."""
    found_id = identifier(result.get("id"))
    if found_id is None:
        return None
    properties = as_object(result.get("properties")).items()
    return Engagement(
        found_id, {name: value for name, value in properties if isinstance(value, str) and value}
    )


def associations_page(answer: Answer) -> AssociationsPage:
    """Read one page of an associations batch read; contacts that are not in it are unknown.

    A contact without any is no empty result but an error of subcategory NO_ASSOCIATIONS_FOUND
    (seen in other people's code; not in HubSpot's documentation).

    Raises:
        UnavailableError: the answer has no `results`.
    """
    payload, results = results_of(answer)
    page = AssociationsPage(ids={}, next_after={})
    for result in results:
        contact_id = identifier(member(result, "from", "id"))
        targets = result.get("to")
        if contact_id is None or not isinstance(targets, list):
            continue
        ids = [identifier(member(target, "toObjectId")) for target in targets]
        page.ids[contact_id] = tuple(each for each in ids if each is not None)
        after = identifier(member(result, "paging", "next", "after"))
        if after is not None:
            page.next_after[contact_id] = after
    for each in objects(payload.get("errors")):
        envelope = Envelope.of(each) or Envelope()
        if envelope.sub_category == NO_ASSOCIATIONS_FOUND:
            for contact_id in envelope.context_ids("fromObjectId"):
                page.ids.setdefault(contact_id, ())
    return page
