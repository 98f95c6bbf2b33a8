"""`callsync erase`: forgets a person by phone number, and says what it removed."""

from collections.abc import Iterator, Sequence
from typing import Final

import click
from redis import RedisError

from commands.terminal import open_database, readable_settings_errors
from shared.contact_cache import CACHE_S, forget_everybody
from shared.db import Database
from shared.erasure import Erasure, NoteLeft, Person, erase_calls, find_calls
from shared.phone import PhoneError, mask_phone, parse_phone
from shared.queue import connect_redis
from shared.settings import WorkerSettings

ROWS_A_TRANSACTION: Final = 200


@click.command()
@click.option("--phone", required=True, help="The person's number, in any spelling.")
@click.option("--user", "user_id", help="Only calls of this user.")
@click.option("--workspace", "workspace_id", help="Only calls of this workspace.")
@click.option("--dry-run", is_flag=True, help="Only say what it would remove.")
@click.option("--yes", is_flag=True, help="Do not ask before erasing.")
def erase(
    *, phone: str, user_id: str | None, workspace_id: str | None, dry_run: bool, yes: bool
) -> None:
    """Forget a person: every call from or to a phone number.

    Contents (numbers, summary, transcript, recording) and messages are deleted, and calls that
    wait are stopped. The sync log keeps ids, times and outcomes. Notes in HubSpot are the
    customer's own: they are listed, so that they can be deleted there. May be run again at any
    time.
    """
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
            ids = sorted(find_calls(session, person, region=settings.default_region))
        click.echo(f"Calls of {shown}: {len(ids)}.")
        if ids and not dry_run and not yes:
            click.confirm("Erase what says whose they were? This cannot be undone", abort=True)
        erasure = _erase(database, ids, is_rehearsal=dry_run)
    _report(erasure, settings, would=dry_run)
    if not dry_run:
        _forget_matches(settings.redis_url.get_secret_value(), settings.redis_prefix)


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
        what = f"note {note.note_id}" if note.note_id else f"perhaps a note with Ref {note.log_id}"
        base = f"https://{note.ui_domain}" if note.ui_domain else app_url
        link = f"{base}/contacts/{note.hub_id}/record/0-1/{note.contact_id}"
        yield f"  account {note.hub_id}, contact {note.contact_id}, {what}: {link}"


def _forget_matches(redis_url: str, prefix: str) -> None:
    """Empty the cache of matches, which holds keyed hashes of numbers and contact ids."""
    try:
        with connect_redis(redis_url, prefix) as redis:
            forget_everybody(redis)
    except RedisError as error:
        click.echo(
            f"Redis does not answer ({type(error).__name__}): the contact that was matched last,"
            f" kept under a keyed hash of the number, is forgotten in {CACHE_S} s by itself.",
            err=True,
        )
