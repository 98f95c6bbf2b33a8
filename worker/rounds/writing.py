"""Writing activities: mark, create, and distinguish definite responses from ambiguous ones."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from shared.activities.composing import compose
from shared.activities.destination import (
    MOST_AT_ONCE,
    ActivityKind,
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
from shared.activities.planning import leave_footprint
from shared.activities.properties import (
    is_of_any_value,
    refused_of,
    to_remember,
    without_refused,
)
from shared.activities.rendering import note_timestamp_ms
from shared.calls.content import CallContent
from shared.calls.merging import fingerprint
from shared.queue.claims import ClaimedCall, load_contents
from shared.queue.marks import Mark
from shared.queue.updates import WrittenActivity
from shared.telemetry.metrics import NOTES
from shared.telemetry.tracing import link_to
from worker.rounds import transitions
from worker.rounds.health import retry_jitter
from worker.rounds.round import Round

# HubSpot takes 1 MB; JSON escapes and our envelope need room.
MAX_BATCH_BYTES: Final = 900_000
ENVELOPE_BYTES: Final = 400
# Statuses of a refusal that may be about a part of what was sent.
OF_THE_CONTENT: Final = frozenset({200, 201, 207, 400})
# Of contents as text. Twice a full batch: a content is seldom much longer than its note.
MAX_BYTES_LOADED: Final = 2 * 1024 * 1024
LONGEST_WAIT_TO_LOAD_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class MatchedCall:
    """A call whose contact is known.

    Attributes:
        call: The call.
        contact_id: Whose timeline it goes to.
        phone_number: In E.164; None if the call was matched earlier.
        left_out: Properties of its activity that HubSpot has refused in this round.
    """

    call: ClaimedCall
    contact_id: str
    phone_number: str | None
    left_out: frozenset[str] = frozenset()

    def mark(self) -> Mark:
        """The intent to write it."""
        return Mark(self.call, self.contact_id, self.phone_number)

    def with_content(self, payload: Mapping[str, Any]) -> "MatchedCall":
        """The same, with its content loaded."""
        return replace(self, call=replace(self.call, payload=payload))

    def render(self, *, region: str, refused: Collection[str]) -> "_Rendered":
        """The activity as it is sent; the call's content has been loaded."""
        payload = self.call.payload or {}
        content = CallContent.from_payload(payload)
        composed = compose(
            ActivityKind(self.call.activity),
            content,
            call_id=self.call.call_id,
            log_id=self.call.id,
            region=region,
            refused={*refused, *self.left_out},
        )
        return _Rendered(
            self,
            NewActivity(
                log_id=self.call.id,
                contact_id=self.contact_id,
                timestamp_ms=note_timestamp_ms(content, self.call.received_at),
                body=composed.body,
                kind=composed.kind,
                properties=composed.properties,
            ),
            footprint=leave_footprint(composed),
            content_hash=fingerprint(payload).hex(),
            notices=composed.notices,
        )


@dataclass(frozen=True, slots=True)
class _Rendered:
    """An activity to be sent, and what is to be remembered of it.

    `notices` say what is left out of it.
    """

    matched: MatchedCall
    activity: NewActivity
    footprint: Footprint
    content_hash: str
    notices: tuple[str, ...]

    def mark(self) -> Mark:
        """The intent to write it."""
        return replace(self.matched.mark(), footprint=self.footprint.to_json())

    def written_as(self, activity_id: str) -> WrittenActivity:
        return WrittenActivity(
            log_id=self.activity.log_id,
            activity_id=activity_id,
            footprint=self.footprint.to_json(),
            content_hash=self.content_hash,
            revision=self.matched.call.revision,
        )

    def without(self, names: Collection[str]) -> MatchedCall:
        """The call, to be rendered without these properties."""
        return replace(self.matched, left_out=self.matched.left_out | frozenset(names))


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
    """The activities of these calls; one whose content is gone gets its outcome instead.

    Raises:
        OutOfBudgetError: Others are at it, and take too long.
    """
    unloaded = [each.call for each in group if each.call.payload is None]
    if not unloaded:
        return [_render_one(round_, each, each) for each in group]
    # One thread at a time: parsed, a content takes ten times its bytes, and no two threads would
    # parse any faster.
    if not round_.resources.loading.acquire(timeout=LONGEST_WAIT_TO_LOAD_S):
        raise OutOfBudgetError
    try:
        with round_.resources.database.read() as session:
            contents = load_contents(session, unloaded)
        link_to(contents.values())
        rendered: _Batch = []
        gone = []
        for each in group:
            content = each.call.payload or contents.pop(each.call.id, None)
            if content is None:
                gone.append(transitions.payload_gone(each.call))
            else:
                rendered.append(_render_one(round_, each, each.with_content(content)))
    finally:
        round_.resources.loading.release()
    round_.record(gone)
    return rendered


def _render_one(round_: Round, matched: MatchedCall, loaded: MatchedCall) -> _Rendered:
    """The activity of `loaded`, beside the call as it was: contents are not kept for longer."""
    rendered = loaded.render(region=round_.region, refused=round_.refused)
    return replace(rendered, matched=matched)


def _write(round_: Round, rendered: _Batch) -> None:
    batches = _cut_batches(rendered)
    while batches:
        batch = batches.pop()
        try:
            batch = _leave_out_refused(round_, batch)
            again = _write_batch(round_, batch)
        except TokenRenewedError:
            round_.withdraw(each.matched.call for each in batch)
            batches.append(batch)
        except RejectedError as error:
            round_.withdraw(each.matched.call for each in batch)
            if len(batch) == 1:
                again = _settle_refusals(round_, [(batch[0], error)])
                batches += _cut_batches(_render(round_, again))
            elif lacking := _lacking(batch, error):
                round_.remember_refused(lacking)
                batches.append(batch)
            else:
                # The whole was refused for a part of it: halves find the part.
                middle = len(batch) // 2
                batches += [batch[middle:], batch[:middle]]
        else:
            batches += _cut_batches(_render(round_, again))


def _cut_batches(rendered: _Batch) -> list[_Batch]:
    """Batches of one kind each, the first one last."""
    by_kind = sorted(rendered, key=lambda each: each.activity.kind, reverse=True)
    return list(_batches(by_kind))[::-1]


def _batches(rendered: _Batch) -> Iterator[_Batch]:
    batch: _Batch = []
    size = 0
    for each in rendered:
        texts = (each.activity.body, *each.activity.properties.values())
        bytes_sent = sum(len(text.encode()) for text in texts) + ENVELOPE_BYTES
        if batch and (
            len(batch) == MOST_AT_ONCE
            or size + bytes_sent > MAX_BATCH_BYTES
            or batch[0].activity.kind != each.activity.kind
        ):
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += bytes_sent
    if batch:
        yield batch


def _leave_out_refused(round_: Round, batch: _Batch) -> _Batch:
    """The same batch, without what HubSpot has refused since it was rendered."""
    outdated = [
        each.matched
        for each in batch
        if without_refused(each.activity.properties, round_.refused)[1]
    ]
    if not outdated:
        return batch
    anew = {each.matched.call.id: each for each in _render(round_, outdated)}
    gone = {each.call.id for each in outdated} - anew.keys()
    return [
        anew.get(each.matched.call.id, each) for each in batch if each.matched.call.id not in gone
    ]


def _write_batch(round_: Round, batch: _Batch) -> list[MatchedCall]:
    """Mark and create one batch; returns the calls to be rendered and written once more.

    Raises:
        RejectedError: HubSpot refused it whole.
        TokenRenewedError: Nothing was written, and the token is a new one now.
    """
    if not batch:
        return []
    round_.destination.wait_to_write()
    marked = round_.mark([each.mark() for each in batch])
    batch = [each for each in batch if each.matched.call.id in marked]
    if not batch:
        return []
    calls = [each.matched.call for each in batch]
    try:
        round_.destination.keep_place_to_write()
        round_.require_lease()
    except OutOfBudgetError:
        round_.withdraw(calls)
        raise
    try:
        responses = round_.destination.create([each.activity for each in batch])
    except RejectedError:
        raise
    except DestinationError as error:
        if error.definite:
            round_.fail(calls, error)
        else:
            round_.doubt([each.matched.mark() for each in batch], error)
        return []
    return _record(round_, batch, responses)


def _record(round_: Round, batch: _Batch, responses: Mapping[str, Creation]) -> list[MatchedCall]:
    """Record what became of a batch; returns the calls to be rendered and written once more."""
    outcomes = []
    written = []
    refused = []
    for each in batch:
        matched = each.matched
        match responses[matched.call.id]:
            case Created(activity_id):
                NOTES.labels("created").inc()
                outcome = round_.written(matched.call, activity_id, matched.contact_id)
                outcomes.append(replace(outcome, notices=each.notices))
                written.append(each.written_as(activity_id))
            case Rejected(error):
                refused.append((each, error))
            case _:
                unclear = UnavailableError(
                    "HubSpot's answer does not say whether it wrote the note"
                )
                outcomes += round_.doubted([matched.mark()], unclear)
    round_.record(outcomes, written)
    # Not before what is written is recorded: a refusal may cost a request.
    round_.withdraw(each.matched.call for each, _ in refused)
    return _settle_refusals(round_, refused)


def _settle_refusals(
    round_: Round, refused: Sequence[tuple[_Rendered, RejectedError]]
) -> list[MatchedCall]:
    """Record refusals, but for calls that can do without what was refused: these are returned."""
    again = []
    for each, error in refused:
        sent = each.activity.properties
        names = refused_of(error.properties, sent)
        if names:
            round_.remember_refused(to_remember(names, sent, error.message))
            again.append(each.without(names))
        elif not _has_contact(round_, each.matched):
            round_.record([transitions.contact_vanished(each.matched.call)])
        elif sent and error.status in OF_THE_CONTENT:
            # It names nothing that was sent: without the body and the time there is no activity.
            again.append(each.without(sent))
        else:
            jitter = retry_jitter()
            outcome = transitions.errored(each.matched.call, error, jitter=jitter, in_doubt=False)
            round_.record([outcome])
    return again


def _lacking(batch: _Batch, error: RejectedError) -> frozenset[str]:
    """Properties of this batch that the account does not take from us, whatever their value."""
    if not is_of_any_value(error.message):
        return frozenset()
    sent = {name: value for each in batch for name, value in each.activity.properties.items()}
    return refused_of(error.properties, sent)


def _has_contact(round_: Round, matched: MatchedCall) -> bool:
    """Whether the contact is still there; if not, other calls of its number match anew."""
    try:
        has_contact = round_.destination.has_contact(matched.contact_id)
    except (OutOfBudgetError, NoTokenError, DestinationError):
        has_contact = False  # not known: matching anew finds out
    number = matched.phone_number or matched.call.phone_number
    if not has_contact and number is not None:
        round_.cache.forget(number)
    return has_contact
