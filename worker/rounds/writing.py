"""Writing notes: mark, create, and distinguish definite responses from ambiguous ones."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from shared.activities.destination import (
    MOST_AT_ONCE,
    Created,
    Creation,
    DestinationError,
    NewActivity,
    NoTokenError,
    OutOfBudgetError,
    Rejected,
    RejectedError,
    TokenRenewedError,
    UnavailableError,
)
from shared.activities.edits import Footprint
from shared.activities.rendering import note_timestamp_ms, render_blocks
from shared.calls.content import CallContent
from shared.calls.merging import fingerprint
from shared.queue.claims import ClaimedCall, load_contents
from shared.queue.marks import Mark
from shared.queue.outcomes import Outcome
from shared.queue.updates import WrittenActivity
from shared.telemetry.metrics import NOTES
from shared.telemetry.tracing import link_to
from worker.rounds import transitions
from worker.rounds.health import retry_jitter
from worker.rounds.round import Round

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

    def render(self) -> "_Rendered":
        """The activity as it is sent; the call's content has been loaded."""
        payload = self.call.payload or {}
        content = CallContent.from_payload(payload)
        blocks, last_line = render_blocks(content, call_id=self.call.call_id, log_id=self.call.id)
        return _Rendered(
            self,
            NewActivity(
                log_id=self.call.id,
                contact_id=self.contact_id,
                timestamp_ms=note_timestamp_ms(content, self.call.received_at),
                body="".join(blocks.values()) + last_line,
            ),
            footprint=Footprint.of_whole(blocks, last_line),
            content_hash=fingerprint(payload).hex(),
        )


@dataclass(frozen=True, slots=True)
class _Rendered:
    """An activity to be sent, and what is to be remembered of it."""

    matched: MatchedCall
    activity: NewActivity
    footprint: Footprint
    content_hash: str

    def written_as(self, activity_id: str) -> WrittenActivity:
        return WrittenActivity(
            log_id=self.activity.log_id,
            activity_id=activity_id,
            footprint=self.footprint.to_json(),
            content_hash=self.content_hash,
            revision=self.matched.call.revision,
        )


_Batch = list[_Rendered]


def write_notes(round_: Round, matched: Sequence[MatchedCall]) -> None:
    """Write the notes of matched calls in as few requests as they fit, recording each answer.

    Contents are loaded for what is written next, and dropped before it is sent.

    Raises:
        OutOfBudgetError: The rest was not sent; its calls are still the round's.
    """
    for group in _cut(matched):
        _write(round_, _render(round_, group))


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


def _render(round_: Round, group: Sequence[MatchedCall]) -> _Batch:
    """The notes of these calls; one whose content was deleted meanwhile gets its outcome instead.

    Raises:
        OutOfBudgetError: Others are at it, and take too long.
    """
    unloaded = [each.call for each in group if each.call.payload is None]
    if not unloaded:
        return [each.render() for each in group]
    # One thread at a time: parsed, a content takes ten times its bytes, and no two threads would
    # parse any faster.
    if not round_.resources.loading.acquire(timeout=LONGEST_WAIT_TO_LOAD_S):
        raise OutOfBudgetError
    try:
        with round_.resources.database.read() as session:
            contents = load_contents(session, unloaded)
        link_to(contents.values())
        notes: _Batch = []
        gone = []
        for each in group:
            content = each.call.payload or contents.pop(each.call.id, None)
            if content is None:
                gone.append(transitions.payload_gone(each.call))
            else:
                notes.append(replace(each.with_content(content).render(), matched=each))
    finally:
        round_.resources.loading.release()
    round_.record(gone)
    return notes


def _write(round_: Round, notes: _Batch) -> None:
    batches = list(_batches(notes))
    batches.reverse()
    while batches:
        batch = batches.pop()
        try:
            _write_batch(round_, batch)
        except TokenRenewedError:
            round_.withdraw(each.matched.call for each in batch)
            batches.append(batch)
        except RejectedError:
            # The whole was refused for a part of it: halves find the part.
            round_.withdraw(each.matched.call for each in batch)
            middle = len(batch) // 2
            batches += [batch[middle:], batch[:middle]]


def _batches(notes: _Batch) -> Iterator[_Batch]:
    batch: _Batch = []
    size = 0
    for each in notes:
        note_size = len(each.activity.body.encode()) + 400
        if batch and (len(batch) == MOST_AT_ONCE or size + note_size > MAX_BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += note_size
    if batch:
        yield batch


def _write_batch(round_: Round, batch: _Batch) -> None:
    """Mark and create one batch.

    Raises:
        RejectedError: HubSpot refused it whole, and it has parts.
        TokenRenewedError: Nothing was written, and the token is a new one now.
    """
    round_.destination.wait_to_write()
    marked = round_.mark([each.matched.mark() for each in batch])
    batch = [each for each in batch if each.matched.call.id in marked]
    if not batch:
        return
    calls = [each.matched.call for each in batch]
    try:
        round_.destination.keep_place_to_write()
        round_.require_lease()
    except OutOfBudgetError:
        round_.withdraw(calls)
        raise
    try:
        responses = round_.destination.create([each.activity for each in batch])
    except RejectedError as error:
        if len(batch) > 1:
            raise
        round_.record([_refused(round_, batch[0].matched, error)])
    except DestinationError as error:
        if error.definite:
            round_.fail(calls, error)
        else:
            round_.doubt([each.matched.mark() for each in batch], error)
    else:
        _record(round_, batch, responses)


def _record(round_: Round, batch: _Batch, responses: Mapping[str, Creation]) -> None:
    outcomes = []
    written = []
    refused = []
    for each in batch:
        matched = each.matched
        match responses[matched.call.id]:
            case Created(activity_id):
                NOTES.labels("created").inc()
                outcomes.append(round_.written(matched.call, activity_id, matched.contact_id))
                written.append(each.written_as(activity_id))
            case Rejected(error):
                refused.append((matched, error))
            case _:
                unclear = UnavailableError(
                    "HubSpot's answer does not say whether it wrote the note"
                )
                outcomes += round_.doubted([matched.mark()], unclear)
    round_.record(outcomes, written)
    # Not before the notes are recorded: each refusal costs a request.
    round_.record([_refused(round_, matched, error) for matched, error in refused])


def _refused(round_: Round, matched: MatchedCall, error: RejectedError) -> Outcome:
    """What becomes of a refused note: a contact that is gone is matched anew."""
    try:
        has_contact = round_.destination.has_contact(matched.contact_id)
    except (OutOfBudgetError, NoTokenError, DestinationError):
        has_contact = False  # not known: matching anew finds out
    if not has_contact:
        number = matched.phone_number or matched.call.phone_number
        if number is not None:
            round_.cache.forget(number)
        return transitions.contact_vanished(matched.call)
    return transitions.errored(matched.call, error, jitter=retry_jitter(), in_doubt=False)
