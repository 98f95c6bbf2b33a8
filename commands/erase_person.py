"""`callsync erase --phone`: forgets a person, and says what it removed and what it left."""

from collections.abc import Iterator, Sequence
from typing import Final

import click

from commands.terminal import forget_matches, log_deed, open_database, readable_settings_errors
from shared.configuration.settings import WorkerSettings
from shared.crypto import TokenCipher
from shared.database.engines import Database
from shared.phone import PhoneError, mask_phone, parse_phone
from shared.privacy.erasure import Erasure, NoteLeft, erase_calls
from shared.privacy.persons import Findings, Person, find_calls, find_unassigned
from shared.sources.unassigned import drop_unassigned

ROWS_A_TRANSACTION: Final = 200


def erase_person(
    phone: str,
    *,
    user_id: str | None,
    workspace_id: str | None,
    includes_near: bool,
    is_rehearsal: bool,
    is_sure: bool,
) -> None:
    """Forget every call from or to a number; `includes_near` also those that may be meant."""
    with readable_settings_errors():
        settings = WorkerSettings.load()
    person = Person(
        spelling=phone,
        e164=_read_number(phone, settings.default_region),
        user_id=user_id,
        workspace_id=workspace_id,
    )
    shown = mask_phone(person.e164 or phone)
    with open_database() as database:
        with database.begin() as session:
            found = find_calls(session, person, region=settings.default_region)
            waiting = find_unassigned(
                session,
                TokenCipher(settings.token_encryption_keys),
                person,
                region=settings.default_region,
            )
        ids = sorted(found.certain | (found.near.keys() if includes_near else set()))
        unassigned = waiting.certain | (waiting.near.keys() if includes_near else set())
        click.echo(f"Calls of {shown}: {len(found.certain)}.")
        if waiting.certain or waiting.near:
            click.echo(f"Deliveries that wait for their tenant: {len(waiting.certain)}.")
        _list_near(found, included=includes_near)
        _list_near(waiting, included=includes_near)
        if (ids or unassigned) and not is_rehearsal and not is_sure:
            click.confirm("Erase what says whose they were? This cannot be undone", abort=True)
        erasure = _erase(database, ids, is_rehearsal=is_rehearsal)
        if unassigned and not is_rehearsal:
            with database.begin() as session:
                drop_unassigned(session, unassigned)
    _report(erasure, settings, would=is_rehearsal)
    if not is_rehearsal:
        forget_matches(settings)
        log_deed(
            "person_erased",
            calls=erasure.calls,
            contents=erasure.contents,
            stopped=erasure.stopped,
            left_to_decide=0 if includes_near else len(found.near),
        )


def _list_near(found: Findings, *, included: bool) -> None:
    if not found.near:
        return
    fate = "erased too" if included else "left alone; --include-mentions erases them too"
    click.echo(f"Calls that may be meant, {fate}: {len(found.near)}.")
    for log_id, why in sorted(found.near.items()):
        click.echo(f"  {log_id}: {why}")


def _read_number(phone: str, region: str) -> str | None:
    try:
        return parse_phone(phone, region).e164
    except PhoneError as error:
        click.echo(f"{error} Only calls that were stored with this very text are found.", err=True)
        return None


def _erase(database: Database, ids: Sequence[str], *, is_rehearsal: bool) -> Erasure:
    erasure = Erasure()
    for start in range(0, len(ids), ROWS_A_TRANSACTION):
        with database.begin() as session:
            batch = erase_calls(session, ids[start : start + ROWS_A_TRANSACTION])
            if is_rehearsal:
                session.rollback()
        erasure.add(batch)
    return erasure


def _report(erasure: Erasure, settings: WorkerSettings, *, would: bool) -> None:
    verb = "would be" if would else "were"
    click.echo(f"Numbers and messages in the sync log that {verb} removed: {erasure.calls}.")
    click.echo(f"Contents that {verb} deleted: {erasure.contents}.")
    click.echo(f"Messages of attempts that {verb} removed: {erasure.messages}.")
    click.echo(f"Waiting calls that {verb} stopped: {erasure.stopped}.")
    if erasure.notes:
        click.echo("In HubSpot the customer has to delete:")
    for line in _describe_notes(erasure.notes, settings.hubspot_app_url):
        click.echo(line)


def _describe_notes(notes: Sequence[NoteLeft], app_url: str) -> Iterator[str]:
    for note in notes:
        what = f"{note.activity} {note.note_id}"
        if not note.note_id:
            what = f"perhaps a {note.activity} with Ref {note.log_id}"
        base = f"https://{note.ui_domain}" if note.ui_domain else app_url
        link = f"{base}/contacts/{note.hub_id}/record/0-1/{note.contact_id}"
        yield f"  account {note.hub_id}, contact {note.contact_id}, {what}: {link}"
