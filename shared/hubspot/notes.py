"""Bodies and answers of the batch endpoints that create, update, read and list notes."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.hubspot.errors import NotFoundError, RejectedError, UnavailableError
from shared.hubspot.models import (
    CreateNotesAnswer,
    NewNote,
    Note,
    UpdateNotesAnswer,
)
from shared.hubspot.payload import JsonObject, encode, identifier, member, objects
from shared.hubspot.responses import Envelope, results_of
from shared.hubspot.transport import Answer

NOTE_TO_CONTACT = 202
"""Association type id (Associate records guide)."""
NOTE_BODY = "hs_note_body"
OBJECT_NOT_FOUND = "OBJECT_NOT_FOUND"
NO_ASSOCIATIONS_FOUND = "crm.associations.NO_ASSOCIATIONS_FOUND"

UNCERTAIN_CATEGORIES = ("INTERNAL", "SERVER", "TIMEOUT", "UNAVAILABLE", "UNKNOWN", "RATE_LIMIT")
"""Parts of categories that say that HubSpot failed rather than refused. HubSpot publishes no
list, so anything that looks like these leaves its input uncertain, which only costs a read."""


@dataclass(frozen=True, slots=True)
class AssociationsPage:
    """Note ids by contact id; `next_after` has the cursor of each contact with more pages."""

    note_ids: dict[str, tuple[str, ...]]
    next_after: dict[str, str]


def create_body(notes: Sequence[NewNote]) -> bytes:
    """The body of a batch create; `hs_timestamp` goes as epoch milliseconds."""
    return encode({"inputs": [_create_input(note) for note in notes]})


def _create_input(note: NewNote) -> JsonObject:
    return {
        "objectWriteTraceId": note.trace_id,
        "properties": {"hs_timestamp": str(note.timestamp_ms), NOTE_BODY: note.body},
        "associations": [
            {
                "to": {"id": note.contact_id},
                "types": [
                    {
                        "associationCategory": "HUBSPOT_DEFINED",
                        "associationTypeId": NOTE_TO_CONTACT,
                    }
                ],
            }
        ],
    }


def created_notes(answer: Answer, notes: Sequence[NewNote], token: str) -> CreateNotesAnswer:
    """Match the results and errors of a batch create with its inputs, by trace id only.

    An id outweighs an error: it proves that the note exists.

    Raises:
        UnavailableError: the answer has no `results`; every note may exist.
    """
    payload, results = results_of(answer)
    asked = {note.trace_id for note in notes}
    created: dict[str, str] = {}
    unmatched: list[Note] = []
    for result in results:
        note = note_of(result)
        trace_id = identifier(result.get("objectWriteTraceId"))
        if note is None:
            continue
        if trace_id in asked and trace_id not in created:
            created[trace_id] = note.id
        else:
            unmatched.append(note)
    rejected = {
        trace_id: error
        for trace_id, error in _rejections(payload, answer.status, token, ("objectWriteTraceId",))
        if trace_id in asked and trace_id not in created
    }
    return CreateNotesAnswer(
        created=created,
        rejected=rejected,
        missing=frozenset(asked - created.keys() - rejected.keys()),
        unmatched=tuple(unmatched),
    )


def update_body(notes: Sequence[Note]) -> bytes:
    """The body of a batch update; `id` is the record's, so `idProperty` must be left out."""
    return encode(
        {
            "inputs": [
                {
                    "id": each.id,
                    "objectWriteTraceId": each.id,
                    "properties": {NOTE_BODY: each.body},
                }
                for each in notes
            ]
        }
    )


def updated_notes(answer: Answer, notes: Sequence[Note], token: str) -> UpdateNotesAnswer:
    """Match the results and errors of a batch update with its inputs, by note id.

    A result outweighs an error. An error names its inputs by trace id, which is the note id here,
    or by id.

    Raises:
        UnavailableError: the answer has no `results`; every note may have been changed.
    """
    payload, results = results_of(answer)
    asked = {each.id for each in notes}
    found = filter(None, map(note_of, results))
    updated = {note.id: note for note in found if note.id in asked}
    keys = ("objectWriteTraceId", "ids", "id")
    refused = {
        note_id: error
        for note_id, error in _rejections(payload, answer.status, token, keys)
        if note_id in asked and note_id not in updated
    }
    return UpdateNotesAnswer(
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
            envelope.message or "HubSpot refused the note.",
            status=status,
            category=envelope.category,
            correlation_id=envelope.correlation_id or identifier(payload.get("correlationId")),
            definite=True,
        )
        rejections += [(each, error) for key in keys for each in envelope.context_ids(key)]
    return rejections


def _is_refusal(category: str | None) -> bool:
    return category is not None and not any(part in category for part in UNCERTAIN_CATEGORIES)


def read_body(note_ids: Sequence[str]) -> bytes:
    """The body of a batch read; the Notes specification requires all three keys."""
    return encode(
        {
            "inputs": [{"id": note_id} for note_id in note_ids],
            "properties": [NOTE_BODY],
            "propertiesWithHistory": [],
        }
    )


def read_notes(answer: Answer) -> dict[str, Note]:
    """The notes of a batch read by id; those that HubSpot does not find are left out.

    Raises:
        UnavailableError: some could not be read for another reason, so absence proves nothing.
    """
    payload, results = results_of(answer)
    for each in objects(payload.get("errors")):
        envelope = Envelope.of(each) or Envelope()
        if envelope.category != OBJECT_NOT_FOUND:
            raise UnavailableError(
                "HubSpot could not read some of the notes.",
                status=answer.status,
                category=envelope.category,
                correlation_id=envelope.correlation_id,
            )
    notes = filter(None, map(note_of, results))
    return {note.id: note for note in notes}


def search_body(contact_id: str, created_from_ms: int) -> JsonObject:
    """The body of a search for a contact's notes, oldest first (CRM search guide)."""
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
        "properties": [NOTE_BODY],
        "sorts": [{"propertyName": "hs_createdate", "direction": "ASCENDING"}],
        "limit": 200,
    }


def note_of(result: JsonObject) -> Note | None:
    note_id = identifier(result.get("id"))
    body = member(result, "properties", NOTE_BODY)
    return None if note_id is None else Note(note_id, body if isinstance(body, str) else "")


def associations_page(answer: Answer) -> AssociationsPage:
    """Read one page of an associations batch read; contacts that are not in it are unknown.

    A contact without notes is no empty result but an error of subcategory NO_ASSOCIATIONS_FOUND
    (seen in other people's code; not in HubSpot's documentation).

    Raises:
        UnavailableError: the answer has no `results`.
    """
    payload, results = results_of(answer)
    page = AssociationsPage(note_ids={}, next_after={})
    for result in results:
        contact_id = identifier(member(result, "from", "id"))
        targets = result.get("to")
        if contact_id is None or not isinstance(targets, list):
            continue
        note_ids = [identifier(member(target, "toObjectId")) for target in targets]
        page.note_ids[contact_id] = tuple(each for each in note_ids if each is not None)
        after = identifier(member(result, "paging", "next", "after"))
        if after is not None:
            page.next_after[contact_id] = after
    for each in objects(payload.get("errors")):
        envelope = Envelope.of(each) or Envelope()
        if envelope.sub_category == NO_ASSOCIATIONS_FOUND:
            for contact_id in envelope.context_ids("fromObjectId"):
                page.note_ids.setdefault(contact_id, ())
    return page
