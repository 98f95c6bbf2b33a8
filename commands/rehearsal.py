"""`callsync import --dry-run`: what an import would bring, and how much of it would match."""

import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout, suppress

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from commands.lookups import NOT_ASKED, LookUpPlan, look_up, open_access
from shared.calls.intake import NewCall, find_stored
from shared.configuration.settings import ServiceSettings
from shared.connections.accounts import load_account
from shared.connections.lifecycle import CONNECTED, find_connection
from shared.database.engines import Database
from shared.matching.hits import Ambiguous, Decision, Match, Refused, Undecided
from shared.matching.preferences import scope_of
from shared.phone import PhoneError, PhoneNumber, parse_phone

Tenant = tuple[str, str]
CallsByNumber = Counter[str | None]


class Rehearsal:
    """Takes the calls of a file without storing them.

    It keeps the identity of each and every number, so its memory grows with the file.

    Attributes:
        calls: How many new calls each number has, as it came, by user and workspace.
    """

    def __init__(self, database: Database) -> None:
        self.calls: dict[Tenant, CallsByNumber] = defaultdict(Counter)
        self._database = database
        self._known: set[tuple[str, str, str]] = set()

    def take(self, batch: Sequence[NewCall]) -> tuple[int, int]:
        """Note calls; returns how many of them are stored, or came before in the file.

        Whether those would be completed is not looked into: the second number is 0.
        """
        with self._database.begin() as session:
            self._known.update(find_stored(session, batch))
        new = 0
        for call in batch:
            if call.identity not in self._known:
                self._known.add(call.identity)
                self.calls[call.user_id, call.workspace_id][call.phone_number] += 1
                new += 1
        return len(batch) - new, 0


class _PausedError(Exception):
    """The account is being left alone."""


class MatchReport:
    """Says how many calls would match, asking HubSpot in the name of each connection."""

    def __init__(self, database: Database, settings: ServiceSettings, console: Console) -> None:
        self._database = database
        self._settings = settings
        self._console = console
        self._access = open_access(database, settings)

    def tell(self, tenant: Tenant, calls: CallsByNumber) -> bool:
        """Print one line for a user and workspace; False if HubSpot could not be asked."""
        is_told = True
        try:
            told = self._describe(tenant, calls)
        except (*NOT_ASKED, _PausedError) as error:
            told = f"HubSpot could not be asked: {str(error) or type(error).__name__}"
            is_told = False
        click.echo(f"{tenant[0]} in {tenant[1]}: {told}")
        return is_told

    def _describe(self, tenant: Tenant, calls: CallsByNumber) -> str:
        plan = self._plan(tenant)
        if plan is None:
            return f"0 of {calls.total()} calls would match, HubSpot is not connected."
        numbers = _parse_all(calls, plan.scope.region)
        decisions = self._look_up(plan, {each.e164: each for each in numbers.values()})
        matched = {e164 for e164, decision in decisions.items() if isinstance(decision, Match)}
        several = sum(isinstance(decision, Ambiguous) for decision in decisions.values())
        unclear = sum(isinstance(decision, Undecided | Refused) for decision in decisions.values())
        would = sum(calls[raw] for raw, number in numbers.items() if number.e164 in matched)
        without = calls.total() - sum(calls[raw] for raw in numbers)
        told = [
            f"{would} of {calls.total()} calls would match",
            f"{len(matched)} of {len(decisions)} numbers are in HubSpot",
        ]
        if several:
            told.append(f"of several contacts, which the policy skips: {several}")
        if unclear:
            told.append(f"not told by HubSpot: {unclear}")
        if without:
            told.append(f"without a number that can be looked up: {without}")
        return "; ".join(told) + "."

    def _plan(self, tenant: Tenant) -> LookUpPlan | None:
        with self._database.begin() as session:
            connection = find_connection(session, user_id=tenant[0], workspace_id=tenant[1])
            if connection is None or connection.state != CONNECTED or connection.hub_id is None:
                return None
            account = load_account(session, connection.hub_id)
        if account.paused_for > 0:
            raise _PausedError(f"it is left alone for {account.paused_for:.0f} more seconds.")
        return LookUpPlan(
            connection_id=connection.id,
            hub_id=account.hub_id,
            scope=scope_of(connection, account, self._settings),
        )

    def _look_up(self, plan: LookUpPlan, numbers: Mapping[str, PhoneNumber]) -> dict[str, Decision]:
        # What is logged on the way, a token renewed say, is not the answer.
        with redirect_stdout(sys.stderr), _progress(self._console) as progress:
            task = progress.add_task("Asking HubSpot", total=len(numbers))
            return look_up(
                self._access,
                plan,
                tuple(numbers.values()),
                advance=lambda decided: progress.advance(task, decided),
            )


def _parse_all(raw_numbers: Mapping[str | None, int], region: str) -> dict[str | None, PhoneNumber]:
    """Those numbers that can be looked up, by how they came."""
    found = {}
    for raw in raw_numbers:
        with suppress(PhoneError):
            found[raw] = parse_phone(raw, region)
    return found


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
