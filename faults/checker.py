"""The judgement that ends every run: history, sync log and HubSpot must tell the same story."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from faults.history import History, SentCall
from local.hubspot.client import SandboxRecord

# Written anew here: a checker that shares the code it checks shares its mistakes.
MARKER: Final = re.compile(r"Call ID: [^<]* · Ref: (hs_[0-9a-z]+)</p>\Z")

Row = Mapping[str, Any]
Identity = tuple[str, str, str]


@dataclass(frozen=True)
class Evidence:
    """What is found at the end of a run.

    Attributes:
        rows: the rows of the sync log, by identity.
        shown: what the API's sync log shows of them, by log id.
        notes: the live notes of each account.
        violations: requests beyond HubSpot's limits, by account.
    """

    rows: Mapping[Identity, Row]
    shown: Mapping[str, Row]
    notes: Mapping[int, Collection[SandboxRecord]]
    violations: Mapping[int, int]


@dataclass(frozen=True)
class Verdict:
    """How many calls there were, what became of them, and everything that is wrong."""

    calls: int
    lost: int
    duplicated: int
    problems: tuple[str, ...]


def judge(history: History, evidence: Evidence) -> Verdict:
    """Compare what was sent and acknowledged with the sync log and with HubSpot."""
    acknowledged = history.acknowledged
    sent = history.sent
    notes = _notes_by_ref(evidence)
    lost = 0
    duplicated = 0
    problems: list[str] = []
    for identity, log_ids in acknowledged.items():
        found = list(_wrong_with(sent[identity], log_ids, evidence.rows.get(identity), notes))
        lost += bool(found)
        problems += [f"{identity[2]}: {each}" for each in found]
    for ref, places in notes.items():
        duplicated += len(places) - 1
        if len(places) > 1:
            problems.append(f"{ref}: has {len(places)} notes")
    problems += _wrong_in_sum(sent, evidence, notes)
    return Verdict(len(acknowledged), lost, duplicated, tuple(problems))


_Places = list[tuple[int, SandboxRecord]]


def _notes_by_ref(evidence: Evidence) -> dict[str, _Places]:
    found: dict[str, _Places] = {}
    for hub_id, notes in evidence.notes.items():
        for note in notes:
            match = MARKER.search(note.body)
            if match:
                found.setdefault(match[1], []).append((hub_id, note))
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
    places = notes.get(row["id"], [])
    if row["status"] == "success":
        yield from _wrong_with_notes(call, row, places)
    elif places and row["error_code"] != "unconfirmed":
        yield f"ended as {ending}, and has a note"


def _wrong_with_notes(call: SentCall, row: Row, places: _Places) -> Iterator[str]:
    """Say what is wrong with the notes of a success."""
    if not any(note.id == row["engagement_id"] for _, note in places):
        yield f"is a success without its note {row['engagement_id']}"
    for hub_id, note in places:
        if hub_id != call.hub_id or not set(note.contact_ids) <= set(call.contact_ids):
            yield f"has a note on {note.contact_ids} of {hub_id}, not on {call.contact_ids}"
        if row["contact_id"] not in note.contact_ids and len(call.contact_ids) == 1:
            yield f"its log names the contact {row['contact_id']}, its note is elsewhere"


def _wrong_in_sum(
    sent: Mapping[Identity, SentCall], evidence: Evidence, notes: Mapping[str, _Places]
) -> Iterator[str]:
    """Say what is wrong with the whole: notes and rows of nobody, the API, the limits."""
    ids = {row["id"] for row in evidence.rows.values()}
    for ref in notes.keys() - ids:
        yield f"{ref}: a note of a call that was never sent"
    for identity in evidence.rows.keys() - sent.keys():
        yield f"{identity}: a row of a call that was never sent"
    for row in evidence.rows.values():
        shown = evidence.shown.get(row["id"])
        if shown is None or any(
            shown[name] != row[name]
            for name in ("call_id", "status", "error_code", "contact_id", "engagement_id")
        ):
            yield f"{row['call_id']}: the API shows something else than the sync log holds"
    for identity, row in evidence.rows.items():
        expected = sent[identity].endings if identity in sent else ()
        if row["error_code"] == "poison" and ("error", "poison") not in expected:
            yield f"{row['call_id']}: is innocent and was set aside as poison"
    for hub_id, count in evidence.violations.items():
        if count:
            yield f"{count} requests beyond HubSpot's limits on {hub_id}"
