"""`callsync source …`: call sources from a terminal, those of the platform too."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
from rich.table import Table
from sqlalchemy.orm import Session

from commands.terminal import make_console, open_database, readable_settings_errors
from shared.configuration.settings import Activity, ServiceSettings
from shared.crypto import TokenCipher
from shared.privacy.audit import Action, Actor, Deed, record_deed
from shared.sources.deliveries import read_counts
from shared.sources.options import Owner, SourceOptions
from shared.sources.setting_up import (
    GivenSecret,
    InvalidSetupError,
    check_name,
    check_options,
    check_source_secret,
    find_adapter,
)
from shared.sources.storing import (
    MOST_SECRETS,
    StoredSource,
    add_secret,
    add_source,
    change_source,
    find_anywhere,
    find_by_name,
    list_all_sources,
    list_sources,
    open_secrets,
    remove_source,
)
from shared.sources.unassigned import assign_waiting, list_unassigned
from sources.adapter import Adapter, Delivery, Event, Ignored, Reading
from sources.registry import ADAPTERS

# What stands in for the owner in the audit trail of a platform's source.
PLATFORM: Final = Owner("platform", "platform")
MOST_REPLAYED_BYTES: Final = 8 * 1024 * 1024

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def source() -> None:
    """List, add and remove call sources; see what one holds back, and what an adapter reads."""


@source.command("list")
@click.option("--user", "user_id", help="Only of this user; with --workspace.")
@click.option("--workspace", "workspace_id", help="See --user.")
@as_json_option
def list_(*, user_id: str | None, workspace_id: str | None, as_json: bool) -> None:
    """List call sources: everybody's, or a tenant's."""
    owner = _read_owner(user_id, workspace_id)
    with open_database() as database, database.begin() as session:
        found = list_sources(session, owner) if owner else list_all_sources(session)
        counts = read_counts(session, [each.id for each in found])
    with readable_settings_errors():
        settings = ServiceSettings.load()
    shown = [
        _as_object(each) | {"url": _address(settings, each), "counts": counts[each.id]}
        for each in found
    ]
    if as_json:
        click.echo(json.dumps(shown, indent=2))
        return
    table = Table("Id", "Vendor", "Name", "Whose", "Secrets", "24 h", "Last call")
    for each in found:
        table.add_row(
            each.id,
            each.vendor,
            each.name + (" (paused)" if each.paused else ""),
            str(each.owner or "the platform's"),
            str(len(each.secrets)),
            ", ".join(f"{n} {kind}" for kind, n in counts[each.id].items() if n) or "nothing",
            f"{each.last_received_at:%Y-%m-%d %H:%M:%S}" if each.last_received_at else "none yet",
        )
    make_console().print(table if found else "There are no call sources.")


@source.command()
@click.argument("vendor", type=click.Choice(sorted(ADAPTERS)))
@click.option("--name", help="By which it is known again; the vendor's name if left out.")
@click.option("--user", "user_id", help="Whose it is; with --workspace.")
@click.option("--workspace", "workspace_id", help="See --user.")
@click.option("--platform", "is_platforms", is_flag=True, help="Each call says whose it is.")
@click.option(
    "--secret",
    envvar="CALLSYNC_SOURCE_SECRET",
    show_envvar=True,
    help="With which the vendor proves its deliveries.",
)
@click.option("--scheme", help="How it does; the vendor's default if left out.")
@click.option("--options", "options_text", help="A JSON object, or @ and a file with one.")
@click.option("--paused", is_flag=True, help="Calls wait until the pause is taken off.")
@as_json_option
def add(
    *,
    vendor: str,
    name: str | None,
    user_id: str | None,
    workspace_id: str | None,
    is_platforms: bool,
    secret: str | None,
    scheme: str | None,
    options_text: str | None,
    paused: bool,
    as_json: bool,
) -> None:
    """Add a call source, and print its address.

    One with that vendor and name is not added twice: what is given of options and secret is changed
    in the one that there is.
    """
    owner = _read_owner(user_id, workspace_id)
    if (owner is None) != is_platforms:
        raise click.UsageError("Give --user and --workspace, or --platform.")
    with readable_settings_errors():
        settings = ServiceSettings.load()
    cipher = TokenCipher(settings.token_encryption_keys)
    try:
        adapter = find_adapter(vendor)
        given = _read_options(options_text)
        options = check_options(adapter, given, is_platforms=is_platforms)
        checked = (
            check_source_secret(adapter, secret, scheme, field="secret")
            if secret is not None
            else None
        )
        chosen = check_name(name or adapter.title)
    except InvalidSetupError as error:
        raise click.ClickException(str(error)) from error
    with open_database() as database:
        with database.begin() as session:
            found = find_by_name(session, owner, vendor, chosen)
            if found is None:
                source_id = add_source(
                    session,
                    owner=owner,
                    vendor=vendor,
                    name=chosen,
                    options=options.stored,
                    paused=paused,
                )
                _record(session, Action.SOURCE_ADDED, owner, source_id)
            else:
                source_id = found.id
                if given is not None:
                    change_source(session, source_id, options=options.stored)
            is_changed = _add_secrets(session, cipher, source_id, checked, options.forwarding)
            if found is not None and (given is not None or is_changed):
                _record(session, Action.SOURCE_CHANGED, owner, source_id)
        with database.begin() as session:
            stored = _require(find_anywhere(session, source_id))
            _assign(session, cipher, stored, settings.activity)
    shown = _as_object(stored) | {"url": _address(settings, stored), "added": found is None}
    if as_json:
        click.echo(json.dumps(shown, indent=2))
        return
    click.echo(f"{'Added' if found is None else 'There already'}: {stored.id}.")
    click.echo(f"Address: {shown['url']}")
    if not stored.secrets:
        click.echo("It takes nothing before it has a secret.")
    for number, step in enumerate(adapter.steps, 1):
        click.echo(f"{number}. {step.replace('{url}', str(shown['url']))}")


@source.command()
@click.argument("source_id")
@click.option("--yes", "is_sure", is_flag=True, help="Do not ask.")
@as_json_option
def remove(*, source_id: str, is_sure: bool, as_json: bool) -> None:
    """Remove a call source; its calls stay, later deliveries are answered with 404."""
    with open_database() as database, database.begin() as session:
        found = _require(find_anywhere(session, source_id))
        if not is_sure and not as_json:
            click.confirm(f"Remove {found.name} of {found.owner or 'the platform'}?", abort=True)
        remove_source(session, source_id)
        _record(session, Action.SOURCE_REMOVED, found.owner, source_id)
    click.echo(json.dumps({"removed": source_id}) if as_json else f"Removed: {source_id}.")


@source.command()
@click.argument("source_id", required=False)
@as_json_option
def unassigned(*, source_id: str | None, as_json: bool) -> None:
    """List calls of platforms' sources that wait until the table of tenants names them, by key."""
    with open_database() as database, database.begin() as session:
        if source_id is not None:
            sources = [_require(find_anywhere(session, source_id))]
        else:
            sources = [each for each in list_all_sources(session) if each.owner is None]
        found = {each.id: list_unassigned(session, each.id) for each in sources}
    rows = [
        {
            "source": each,
            "keys": list(waiting.keys),
            "calls": waiting.calls,
            "since": waiting.since.isoformat(),
        }
        for each, listed in found.items()
        for waiting in listed
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    table = Table("Source", "Any of these keys", "Calls", "Since")
    for row in rows:
        keys = ", ".join(map(str, row["keys"])) or "none that a table can have"  # type: ignore[call-overload]
        table.add_row(str(row["source"]), keys, str(row["calls"]), str(row["since"]))
    make_console().print(table if rows else "Every call has its tenant.")


@source.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--vendor", type=click.Choice(sorted(ADAPTERS)), help="Whose body it is.")
@click.option("--source", "source_id", help="With its options; tells the vendor too.")
@click.option("--options", "options_text", help="A JSON object, or @ and a file with one.")
@as_json_option
def replay(
    *,
    file: Path,
    vendor: str | None,
    source_id: str | None,
    options_text: str | None,
    as_json: bool,
) -> None:
    """Show what an adapter reads in a body; nothing is checked, stored or sent."""
    stored: dict[str, Any] = {}
    if source_id is not None:
        with open_database() as database, database.begin() as session:
            found = _require(find_anywhere(session, source_id))
        vendor, stored = found.vendor, dict(found.options)
    if vendor is None:
        raise click.UsageError("Give --vendor or --source.")
    adapter = ADAPTERS[vendor]
    try:
        options = SourceOptions.read(
            adapter,
            check_options(adapter, _read_options(options_text) or stored, is_platforms=True).stored,
        )
    except InvalidSetupError as error:
        raise click.ClickException(str(error)) from error
    if file.stat().st_size > MOST_REPLAYED_BYTES:
        raise click.ClickException("The body is larger than 8 MiB: it would not be read.")
    delivery = Delivery(
        url=f"https://calls.example.com/api/webhooks/{vendor}/src_replay",
        headers=(),
        body=file.read_bytes(),
        received_at=datetime.now(UTC),
    )
    readings = [_show_reading(each) for each in adapter.read(delivery, options.own)]
    if as_json:
        click.echo(json.dumps(readings, indent=2, ensure_ascii=False, default=_as_text))
        return
    for each in readings:
        click.echo(f"{each.pop('reading')} {each.pop('name')}")
        for key, value in each.items():
            if value not in (None, [], {}, ()):
                shown = json.dumps(value, ensure_ascii=False, default=_as_text)
                click.echo(f"  {key}: {shown}")


def _show_reading(reading: Reading) -> dict[str, Any]:
    if isinstance(reading, Event):
        return {
            "reading": "event",
            "name": reading.name,
            "call": reading.call,
            "occurred_at": reading.occurred_at,
            "rank": reading.rank,
            "is_end": reading.is_end,
            "is_final": reading.is_final,
            "withdrawn": sorted(reading.withdrawn),
            "tenant_keys": list(reading.tenant),
            "user_id": reading.user_id,
            "workspace_id": reading.workspace_id,
            "notices": list(reading.notices),
            "facts": dict(reading.facts),
        }
    if isinstance(reading, Ignored):
        return {"reading": "ignored", "name": reading.name, "message": reading.misplaced}
    return {"reading": "unreadable", "name": reading.name, "message": reading.message}


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _read_owner(user_id: str | None, workspace_id: str | None) -> Owner | None:
    if user_id is None and workspace_id is None:
        return None
    if user_id is None or workspace_id is None:
        raise click.UsageError("Give both --user and --workspace.")
    return Owner(user_id, workspace_id)


def _read_options(text: str | None) -> dict[str, Any] | None:
    """The options as given; None if they were not."""
    if text is None:
        return None
    try:
        read = Path(text[1:]).read_text() if text.startswith("@") else text
        value = json.loads(read)
    except (OSError, ValueError) as error:
        raise click.BadParameter(f"cannot be read: {error}", param_hint="--options") from error
    if not isinstance(value, dict):
        raise click.BadParameter("must be a JSON object", param_hint="--options")
    return value


def _require(found: StoredSource | None) -> StoredSource:
    if found is None:
        raise click.ClickException("There is no such call source; callsync source list names all.")
    return found


def _add_secrets(
    session: Session, cipher: TokenCipher, source_id: str, *given: GivenSecret | None
) -> bool:
    """Add secrets that the source does not have yet; returns whether there were any."""
    known = {(each.scheme, each.value) for each in open_secrets(session, cipher, source_id)}
    new = [each for each in given if each is not None and tuple(each) not in known]
    if len(known) + len(new) > MOST_SECRETS:
        raise click.ClickException(
            f"The source has {MOST_SECRETS} secrets already: remove one in the dashboard first."
        )
    for each in new:
        add_secret(session, cipher, source_id, scheme=each.scheme, value=each.value)
    return bool(new)


def _assign(
    session: Session, cipher: TokenCipher, source: StoredSource, activity: Activity
) -> None:
    """Give away the calls that waited for what the table says now; workers find them later."""
    adapter: Adapter = ADAPTERS[source.vendor]
    tenants = SourceOptions.read(adapter, source.options).general.tenants
    if source.owner is None and tenants is not None:
        assign_waiting(
            session, cipher, source.id, tenants, activity=activity, is_held=source.paused
        )


def _record(session: Session, action: Action, owner: Owner | None, source_id: str) -> None:
    whose = owner or PLATFORM
    details: Mapping[str, Any] = {"source_id": source_id}
    record_deed(
        session,
        Deed(
            user_id=whose.user_id,
            workspace_id=whose.workspace_id,
            actor=Actor.OPERATOR,
            action=action,
            details=details,
        ),
    )


def _address(settings: ServiceSettings, source: StoredSource) -> str:
    return f"{settings.public_url}/api/webhooks/{source.vendor}/{source.id}"


def _as_object(source: StoredSource) -> dict[str, Any]:
    secrets: Sequence[dict[str, Any]] = [
        {"id": each.id, "scheme": each.scheme, "added_at": each.added_at.isoformat()}
        for each in source.secrets
    ]
    last = source.last_received_at
    return {
        "id": source.id,
        "vendor": source.vendor,
        "name": source.name,
        "user_id": source.owner.user_id if source.owner else None,
        "workspace_id": source.owner.workspace_id if source.owner else None,
        "paused": source.paused,
        "options": dict(source.options),
        "secrets": list(secrets),
        "created_at": source.created_at.isoformat(),
        "last_received_at": last.isoformat() if last else None,
    }
