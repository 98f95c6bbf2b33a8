"""Writing notes: mark, create, and tell definite answers from ambiguous ones."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from shared.activities.rendering import marker_ref, note_timestamp_ms, render_note
from shared.calls.content import CallContent
from shared.connections.access_tokens import ConnectionEndedError, TokenBusyError
from shared.hubspot.errors import HubSpotError, RejectedError, UnavailableError
from shared.hubspot.models import CreateNotesAnswer, NewNote
from shared.queue.claims import ClaimedCall, load_contents
from shared.queue.marks import Mark
from shared.queue.outcomes import Outcome
from shared.telemetry.metrics import NOTES
from shared.telemetry.tracing import link_to
from worker.rounds import transitions
from worker.rounds.pacing import OutOfBudgetError, TokenRenewedError
from worker.rounds.turn import Turn, retry_jitter

MAX_BATCH_NOTES: Final = 100
# HubSpot takes 1 MB; JSON escapes and our envelope need room.
MAX_BATCH_BYTES: Final = 900_000
# Of contents as text. Twice a full batch: a content is seldom much longer than its note.
MAX_BYTES_LOADED: Final = 2 * 1024 * 1024
LONGEST_WAIT_TO_LOAD_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class MatchedCall:
    """A call whose contact is known; `phone_number` is E.164, None if it was matched earlier."""

    call: ClaimedCall
    contact_id: str
    phone_number: str | None

    def mark(self) -> Mark:
        """The intent to write it."""
        return Mark(self.call, self.contact_id, self.phone_number)

    def with_content(self, payload: Mapping[str, Any]) -> "MatchedCall":
        """The same, with its content loaded."""
        return replace(self, call=replace(self.call, payload=payload))

    def note(self) -> NewNote:
        """The note as it is sent; the call's content has been loaded."""
        content = CallContent.from_payload(self.call.payload or {})
        return NewNote(
            trace_id=self.call.id,
            contact_id=self.contact_id,
            timestamp_ms=note_timestamp_ms(content, self.call.received_at),
            body=render_note(content, call_id=self.call.call_id, log_id=self.call.id),
        )


_Batch = list[tuple[MatchedCall, NewNote]]


def write_notes(turn: Turn, matched: Sequence[MatchedCall]) -> None:
    """Write the notes of matched calls in as few requests as they fit, recording each answer.

    Contents are loaded for what is written next, and dropped before it is sent.

    Raises:
        OutOfBudgetError: The rest was not sent; its calls are still the turn's.
    """
    for group in _cut(matched):
        _write(turn, _render(turn, group))


def _cut(matched: Sequence[MatchedCall]) -> Iterator[list[MatchedCall]]:
    """Groups of calls whose contents may be in memory at once."""
    group: list[MatchedCall] = []
    size = 0
    for each in matched:
        if group and size + each.call.payload_bytes > MAX_BYTES_LOADED:
            yield group
            group, size = [], 0
        group.append(each)
        size += each.call.payload_bytes
    if group:
        yield group


def _render(turn: Turn, group: Sequence[MatchedCall]) -> _Batch:
    """The notes of these calls; one whose content was deleted meanwhile gets its outcome instead.

    Raises:
        OutOfBudgetError: Others are at it, and take too long.
    """
    unloaded = [each.call for each in group if each.call.payload is None]
    if not unloaded:
        return [(each, each.note()) for each in group]
    # One thread at a time: parsed, a content takes ten times its bytes, and no two threads would
    # parse any faster.
    if not turn.resources.loading.acquire(timeout=LONGEST_WAIT_TO_LOAD_S):
        raise OutOfBudgetError
    try:
        with turn.resources.database.read() as session:
            contents = load_contents(session, unloaded)
        link_to(contents.values())
        notes: _Batch = []
        gone = []
        for each in group:
            content = each.call.payload or contents.pop(each.call.id, None)
            if content is None:
                gone.append(transitions.payload_gone(each.call))
            else:
                notes.append((each, each.with_content(content).note()))
    finally:
        turn.resources.loading.release()
    turn.record(gone)
    return notes


def _write(turn: Turn, notes: _Batch) -> None:
    batches = list(_batches(notes))
    batches.reverse()
    while batches:
        batch = batches.pop()
        try:
            _write_batch(turn, batch)
        except TokenRenewedError:
            turn.withdraw(each.call for each, _ in batch)
            batches.append(batch)
        except RejectedError:
            # The whole was refused for a part of it: halves find the part.
            turn.withdraw(each.call for each, _ in batch)
            middle = len(batch) // 2
            batches += [batch[middle:], batch[:middle]]


def _batches(notes: _Batch) -> Iterator[_Batch]:
    batch: _Batch = []
    size = 0
    for matched, note in notes:
        note_size = len(note.body.encode()) + 400
        if batch and (len(batch) == MAX_BATCH_NOTES or size + note_size > MAX_BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append((matched, note))
        size += note_size
    if batch:
        yield batch


def _write_batch(turn: Turn, batch: _Batch) -> None:
    """Mark and create one batch.

    Raises:
        RejectedError: HubSpot refused it whole, and it has parts.
        TokenRenewedError: Nothing was written, and the token is a new one now.
    """
    turn.hubspot.wait_for_request_slot()
    marked = turn.mark([each.mark() for each, _ in batch])
    batch = [(each, note) for each, note in batch if each.call.id in marked]
    if not batch:
        return
    calls = [each.call for each, _ in batch]
    try:
        turn.hubspot.keep_request_slot()
        turn.require_lease()
    except OutOfBudgetError:
        turn.withdraw(calls)
        raise
    try:
        answer = turn.hubspot.create_notes([note for _, note in batch])
    except RejectedError as error:
        if len(batch) > 1:
            raise
        turn.record([_refused(turn, batch[0][0], error)])
    except HubSpotError as error:
        if error.definite:
            turn.fail(calls, error)
        else:
            turn.doubt([each.mark() for each, _ in batch], error)
    else:
        _record(turn, {each.call.id: each for each, _ in batch}, answer)


def _record(turn: Turn, batch: Mapping[str, MatchedCall], answer: CreateNotesAnswer) -> None:
    created = dict(answer.created)
    for note in answer.unmatched:
        ref = marker_ref(note.body)
        if ref is not None and ref in batch:
            created.setdefault(ref, note.id)
    outcomes = []
    refused = []
    for log_id, matched in batch.items():
        if log_id in created:
            outcomes.append(turn.written(matched.call, created[log_id], matched.contact_id))
        elif log_id in answer.rejected:
            refused.append((matched, answer.rejected[log_id]))
        else:
            unclear = UnavailableError("HubSpot's answer does not say whether it wrote the note")
            outcomes += turn.doubted([matched.mark()], unclear)
    NOTES.labels("created").inc(len(created))
    turn.record(outcomes)
    # Not before the notes are recorded: each refusal costs a request.
    turn.record([_refused(turn, matched, error) for matched, error in refused])


def _refused(turn: Turn, matched: MatchedCall, error: RejectedError) -> Outcome:
    """Tell a contact that is gone, which is matched anew, from a note that HubSpot refuses."""
    try:
        contact = turn.hubspot.read_contact(matched.contact_id)
    except (OutOfBudgetError, TokenBusyError, ConnectionEndedError, HubSpotError):
        contact = None  # not known: matching anew finds out
    if contact is None or contact.id != matched.contact_id:
        number = matched.phone_number or matched.call.phone_number
        if number is not None:
            turn.cache.forget(number)
        return transitions.contact_vanished(matched.call)
    return transitions.errored(matched.call, error, jitter=retry_jitter(), in_doubt=False)
