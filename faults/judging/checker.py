"""The judgement that ends every run: history, sync log and HubSpot must tell the same story."""

import html
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from faults.judging.evidence import Evidence, Identity, Row
from faults.judging.history import History, SentCall
from sandbox.client import SandboxRecord

# Written anew here: a checker that shares the code it checks shares its mistakes.
MARKER: Final = re.compile(r"Call ID: ([^<]*) · Ref: (hs_[0-9a-z]+)</p>\Z")
SHOWN: Final = (
    "call_id",
    "phone_number",
    "status",
    "error_code",
    "error_message",
    "contact_id",
    "engagement_id",
    "attempts",
)
# What a person must be told, in words that stand nowhere in the service.
TOLD: Final = {
    "contact_not_found": r"no .*contact has this phone number",
    "not_connected": r"not connected when|another HubSpot account",
    "rejected_by_hubspot": r"\w",
    "unconfirmed": r"note may have been written",
    "poison": r"ended its worker three times",
}

_Places = list[tuple[int, SandboxRecord]]


@dataclass(frozen=True)
class Verdict:
    """How many calls there were, what became of them, and everything that is wrong.

    Attributes:
        calls: how many were acknowledged.
        lost: how many of them did not end as they must.
        duplicated: notes beyond the first of a call.
        withdrawn: notes that were written and archived again, so that a person may have seen two.
        problems: what is wrong, in words.
    """

    calls: int
    lost: int
    duplicated: int
    problems: tuple[str, ...]
    withdrawn: int = 0


def judge(history: History, evidence: Evidence) -> Verdict:
    """Compare what was sent and acknowledged with the sync log and with HubSpot."""
    acknowledged = history.acknowledged
    sent = history.sent
    summaries = history.summaries
    openings = {each.splitlines()[0] for said in summaries.values() for each in said}
    notes = _notes_by_ref(evidence)
    lost = 0
    duplicated = 0
    problems: list[str] = []
    for identity, log_ids in acknowledged.items():
        row = evidence.rows.get(identity) or evidence.pruned.get(identity)
        found = list(_wrong_with(sent[identity], log_ids, row, notes))
        if row is not None:
            found += _wrong_with_words(sent[identity], row)
            own = summaries[identity]
            others = {each for each in openings if not any(each in said for said in own)}
            found += _wrong_with_text(sent[identity], own, others, notes.get(row["id"], ()))
            if identity in evidence.rows:
                found += _wrong_with_attempts(row, evidence.attempts.get(row["id"], ()))
        lost += bool(found)
        problems += [f"{identity[2]}: {each}" for each in found]
    for call, count in _count_notes(acknowledged, notes).items():
        duplicated += count - 1
        if count > 1:
            problems.append(f"{call if isinstance(call, str) else call[2]}: has {count} notes")
    problems += _wrong_with_answers(history)
    problems += _of_nobody(history, evidence, notes)
    problems += _wrong_in_dashboard(evidence)
    problems += [
        f"{count} requests beyond HubSpot's limits on {hub_id}"
        for hub_id, count in evidence.violations.items()
        if count
    ]
    problems += evidence.leftovers
    withdrawn = sum(note.archived for each in evidence.notes.values() for note in each)
    return Verdict(len(acknowledged), lost, duplicated, tuple(problems), withdrawn)


def _notes_by_ref(evidence: Evidence) -> dict[str, _Places]:
    """The live notes by the log id in their last line; under an empty one those without it."""
    found: dict[str, _Places] = {}
    for hub_id, notes in evidence.notes.items():
        for note in notes:
            if not note.archived:
                match = MARKER.search(note.body)
                found.setdefault(match[2] if match else "", []).append((hub_id, note))
    return found


def _count_notes(
    acknowledged: Mapping[Identity, Collection[str]], notes: Mapping[str, _Places]
) -> Counter[Identity | str]:
    """Live notes by call, under whichever of its log ids; by log id where nobody was told of it."""
    calls = {log_id: identity for identity, ids in acknowledged.items() for log_id in ids}
    found: Counter[Identity | str] = Counter()
    for ref, places in notes.items():
        found[calls.get(ref, ref)] += len(places)
    return found


def _wrong_with(
    call: SentCall, log_ids: Collection[str], row: Row | None, notes: Mapping[str, _Places]
) -> Iterator[str]:
    """Say what is wrong with one acknowledged call."""
    if row is None:
        yield "was acknowledged and is not in the sync log"
        return
    if set(log_ids) != {row["id"]}:
        yield f"was answered with {sorted(log_ids)}, and its row is {row['id']}"
    ending = (row["status"], row["error_code"])
    if ending not in call.endings:
        yield f"ended as {ending}, not as any of {sorted(call.endings, key=str)}"
    if row["claimed_by"] is not None:
        yield "is still claimed"
    if row["last_write_at"] is not None and row["error_code"] != "unconfirmed":
        yield "is still marked"
    places = notes.get(row["id"], [])
    if row["status"] == "success":
        yield from _wrong_with_notes(call, row, places)
    elif places and row["error_code"] != "unconfirmed":
        yield f"ended as {ending}, and has a note"


def _wrong_with_notes(call: SentCall, row: Row, places: _Places) -> Iterator[str]:
    """Say what is wrong with the notes of a success."""
    if row["hub_id"] != call.hub_id:
        yield f"its log names the account {row['hub_id']}, not {call.hub_id}"
    if not any(note.id == row["engagement_id"] for _, note in places):
        yield f"is a success without its note {row['engagement_id']}"
    for hub_id, note in places:
        if hub_id != call.hub_id or not set(note.contact_ids) <= set(call.contact_ids):
            yield f"has a note on {note.contact_ids} of {hub_id}, not on {call.contact_ids}"
        if not note.contact_ids:
            yield "has a note on nobody's timeline"
        if row["contact_id"] not in note.contact_ids and len(call.contact_ids) == 1:
            yield f"its log names the contact {row['contact_id']}, its note is elsewhere"


def _wrong_with_words(call: SentCall, row: Row) -> Iterator[str]:
    """Say what is wrong with whose call it is in the log, and with the words of its reason."""
    spellings = {call.number}
    if row["status"] != "success":
        spellings.add(call.data.get("phone_number"))
    if row["phone_number"] not in spellings:
        yield f"is of {call.number}, and its log has the number {row['phone_number']}"
    code, message = row["error_code"], row["error_message"]
    if code == "contact_not_found" and row["contact_id"] is not None:
        yield f"was found by nobody, and its log names the contact {row['contact_id']}"
    if (code is None) != (message is None):
        yield f"ended with the reason {code} and the words {message}"
    if code in TOLD and not re.search(TOLD[code], message or "", re.IGNORECASE):
        yield f"ended as {code} with the words {message}"


def _wrong_with_text(
    call: SentCall,
    summaries: Collection[str],
    others: Collection[str],
    places: Collection[tuple[int, SandboxRecord]],
) -> Iterator[str]:
    """Say what is wrong with what a call's notes say: the last line may be right, the rest not."""
    for _, note in places:
        match = MARKER.search(note.body)
        if match is None or html.unescape(match[1]) != call.call_id:
            yield "has a note whose last line names another call"
        text = html.unescape(note.body[: match.start()] if match else note.body)
        if not any(all(line in text for line in said.splitlines()) for said in summaries):
            yield "has a note that tells of something else"
        if any(each in text for each in others):
            yield "has a note that tells of another call as well"


def _wrong_with_attempts(row: Row, outcomes: Collection[str]) -> Iterator[str]:
    """Say what is wrong with the attempts that the dashboard shows."""
    if len(outcomes) != row["attempts"]:
        yield f"counts {row['attempts']} attempts and shows {len(outcomes)}"
    successes = sum(each == "success" for each in outcomes)
    if successes != (row["status"] == "success"):
        yield f"is {row['status']} after {successes} successful attempts"


def _wrong_with_answers(history: History) -> Iterator[str]:
    """Say what the producer should not have been answered."""
    taken_for_new = Counter(each.call.identity for each in history.deliveries if each.is_new)
    for identity, times in taken_for_new.items():
        if times > 1:
            yield f"{identity[2]}: was taken for a new call {times} times"
    for each in history.deliveries:
        if each.is_acknowledged and not each.log_id:
            yield f"{each.call.call_id}: was acknowledged without an id"
        if (each.status or 0) >= HTTPStatus.INTERNAL_SERVER_ERROR and (
            each.status != HTTPStatus.SERVICE_UNAVAILABLE
        ):
            yield f"{each.call.call_id}: was answered with {each.status}"


def _of_nobody(history: History, evidence: Evidence, notes: Mapping[str, _Places]) -> Iterator[str]:
    """Say which notes and rows nobody asked for, and who was set aside without guilt."""
    sent = history.sent
    rows = [*evidence.rows.values(), *evidence.pruned.values()]
    for ref in notes.keys() - {row["id"] for row in rows}:
        yield f"{ref}: a note of a call that was never sent" if ref else "a note without last line"
    for identity, row in evidence.rows.items():
        if identity not in history.acknowledged:
            known = "acknowledged" if identity in sent else "sent"
            yield f"{identity}: a row of a call that was never {known}"
        expected = sent[identity].endings if identity in sent else ()
        if row["error_code"] == "poison" and ("error", "poison") not in expected:
            yield f"{row['call_id']}: is innocent and was set aside as poison"


def _wrong_in_dashboard(evidence: Evidence) -> Iterator[str]:
    """Say where the API and its counts differ from the sync log."""
    rows = {row["id"]: row for row in evidence.rows.values()}
    for log_id in rows.keys() | evidence.shown.keys():
        shown, row = evidence.shown.get(log_id), rows.get(log_id)
        if shown is None or row is None or any(shown[name] != row[name] for name in SHOWN):
            yield f"{log_id}: the API shows something else than the sync log holds"
    counted = Counter(
        (row["user_id"], row["workspace_id"], row["status"])
        for row in (*rows.values(), *evidence.pruned.values())
        if row["status"] != "pending"
    )
    if counted != evidence.tallies:
        yield f"the dashboard counts {dict(evidence.tallies)}, there are {dict(counted)}"
