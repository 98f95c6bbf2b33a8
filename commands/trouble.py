"""`callsync trouble`: what does not mend itself, and the command or the deed that mends it."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

import click
from rich.console import Console
from rich.text import Text

from commands.terminal import make_console, open_database
from shared.log.trouble import FailedCalls, Pile, Trouble, read_trouble
from shared.reasons import Reason

MOST_SHOWN: Final = 20
# What has to be mended before these calls can be replayed at all.
BY_RECONNECTING: Final = "the customer connects HubSpot again; its calls follow by themselves"
CURES: Final[Mapping[str, str]] = {
    Reason.RECONNECT_REQUIRED: BY_RECONNECTING,
    Reason.MISSING_SCOPES: BY_RECONNECTING,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of trouble: a headline, its cases, and what to do about it."""

    headline: str
    cases: Sequence[str]
    cure: str


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def trouble(*, as_json: bool) -> None:
    """Say what does not mend itself: pauses, lost connections, stuck and failed calls.

    Exits with 1 if there is any trouble. The same figures are in /metrics.
    """
    with open_database() as database, database.begin() as session:
        found = read_trouble(session)
    if as_json:
        click.echo(json.dumps(asdict(found), default=_as_text, indent=2))
    else:
        _show(make_console(), list(_examine(found)))
    sys.exit(1 if found.is_any else 0)


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _examine(found: Trouble) -> Iterator[Finding]:
    yield Finding(
        "HubSpot accounts paused",
        [
            f"{each.hub_id} until {_time(each.until)}: {each.reason}"
            for each in found.paused_accounts
        ],
        "nothing: their calls wait and go on by themselves",
    )
    yield Finding(
        "Connections that need their person",
        [
            f"{each.user_id} in {each.workspace_id}, account {each.hub_id},"
            f" since {_time(each.since)}: {each.reason or 'HubSpot withdrew its permission'}"
            for each in found.lost_connections
        ],
        BY_RECONNECTING,
    )
    yield Finding(
        "Calls stuck",
        [
            f"{each.user_id} in {each.workspace_id}: {each.calls}, since {_time(each.since)}"
            for each in found.stuck_calls
        ],
        "see that workers run and reach Postgres, Redis and HubSpot: callsync doctor",
    )
    yield _examine_pile(
        "Calls that lost their worker",
        found.suspects,
        "nothing: each is tried alone, and set aside as poison if it ends its worker three times",
    )
    yield _examine_pile(
        "Writes in doubt",
        found.in_doubt,
        "nothing: HubSpot is asked for the note for a day, then the call ends as unconfirmed",
    )
    yield _examine_pile(
        "Calls waiting for our configuration",
        found.misconfigured,
        "mend HUBSPOT_CLIENT_ID, HUBSPOT_CLIENT_SECRET or TOKEN_ENCRYPTION_KEYS: callsync doctor",
    )
    for each in found.failed_calls:
        yield _examine_failed(each)
    yield Finding(
        "Notes that could not be completed",
        [
            f"{each.user_id} in {each.workspace_id}: {each.updates}, since {_time(each.since)}"
            for each in found.failed_updates
        ],
        "look at the reasons in the sync log (update=failed), then: callsync retry --update failed",
    )
    yield _examine_pile(
        "Second notes not archived yet",
        found.surplus_notes,
        "see that a worker runs, and that the account is connected",
    )
    yield _examine_pile(
        "Ended connections not revoked yet",
        found.revocations,
        "see that a worker runs; given up, and the tokens erased, after a day",
    )


def _examine_pile(headline: str, pile: Pile, cure: str) -> Finding:
    cases = [f"{pile.count}, the oldest since {_time(pile.since)}"] if pile.since else []
    return Finding(headline, cases, cure)


def _examine_failed(failed: FailedCalls) -> Finding:
    return Finding(
        f"Failed calls: {failed.error_code}",
        [f"{failed.calls}, the oldest from {_time(failed.since)}"],
        CURES.get(
            failed.error_code, f"callsync retry --status error --error-code {failed.error_code}"
        ),
    )


def _show(console: Console, findings: Sequence[Finding]) -> None:
    present = [finding for finding in findings if finding.cases]
    for finding in present:
        console.print(Text(finding.headline, style="bold red"), soft_wrap=True)
        for case in finding.cases[:MOST_SHOWN]:
            console.print(Text(f"  {case}"), soft_wrap=True)
        if len(finding.cases) > MOST_SHOWN:
            console.print(Text(f"  and {len(finding.cases) - MOST_SHOWN} more; --json names all"))
        console.print(Text(f"  → {finding.cure}"), soft_wrap=True)
    if not present:
        console.print(Text("✓ ", style="green") + Text("No trouble."))


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
