"""What became of each call, by the sync log and by HubSpot, against what should have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local.demo.cast import DemoCall
from sandbox.client import SandboxRecord


@dataclass(frozen=True)
class Verdict:
    """One call: its sync log (None if there is none), its notes, and what is wrong with them."""

    call: DemoCall
    log: Mapping[str, Any] | None
    notes: Sequence[SandboxRecord]
    faults: tuple[str, ...]


def judge(
    calls: Sequence[DemoCall],
    logs: Mapping[str, Mapping[str, Any]],
    notes: Sequence[SandboxRecord],
    contact_ids: Mapping[str, str],
) -> list[Verdict]:
    """Compare every call with its sync log and with the notes that bear the log's id."""
    verdicts = []
    for call in calls:
        log = logs.get(call.call_id)
        own = [note for note in notes if log and log["id"] in note.body]
        faults = _find_faults(call, log, own, contact_ids) if log else ["is not in the sync log"]
        verdicts.append(Verdict(call, log, own, tuple(faults)))
    return verdicts


def _find_faults(
    call: DemoCall,
    log: Mapping[str, Any],
    notes: Sequence[SandboxRecord],
    contact_ids: Mapping[str, str],
) -> list[str]:
    faults = []
    if (log["status"], log["error_code"]) != (call.status, call.reason):
        expected = f"{call.status} {call.reason or ''}".strip()
        faults.append(f"is {log['status']} {log['error_code'] or ''}, not {expected}")
    if call.contact is None:
        if notes:
            faults.append(f"has {len(notes)} notes in HubSpot, not none")
        return faults
    contact_id = contact_ids[call.contact]
    if [note.contact_ids for note in notes] != [(contact_id,)]:
        places = [", ".join(note.contact_ids) for note in notes]
        faults.append(f"has notes on the contacts {places}, not one on {call.contact}")
    if log["contact_id"] != contact_id or [log["engagement_id"]] != [note.id for note in notes]:
        faults.append("its sync log names another contact or note than HubSpot")
    if call.grows and not all(call.summary in note.body for note in notes):
        faults.append("its note was not completed with what came later")
    return faults
