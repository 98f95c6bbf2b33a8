"""A rehearsed import says what would come of it, asks HubSpot, and stores nothing."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import func, select

from api.app import create_app
from sandbox.client import SandboxControl
from shared.broker.deployment import connect_redis
from shared.configuration.settings import ApiSettings
from shared.connections.accounts import pause_account
from shared.database.engines import Database
from shared.models import Call, SyncLog
from tests.api.asking import JWT_SECRET, Asker
from tests.cli.conftest import Invoke

HEADER: Final = "call_id,user_id,workspace_id,phone_number\n"
DRY_RUN: Final = "--dry-run"
Connect = Callable[..., int]


@pytest.fixture
def sandbox(environment: dict[str, str]) -> Iterator[SandboxControl]:
    connect_redis(environment["REDIS_URL"]).flushdb()
    with SandboxControl(environment["HUBSPOT_API_URL"]) as control:
        control.reset()
        yield control


@pytest.fixture
def connect(
    environment: dict[str, str], empty_database: Database, sandbox: SandboxControl
) -> Connect:
    """Connects a user to an account of contacts with these numbers; returns its hub id."""
    settings = ApiSettings.load({**environment, "JWT_SECRET": JWT_SECRET})
    client = create_app(settings, database=empty_database).test_client()

    def run(
        user_id: str,
        *numbers: str,
        match_policy: str = "most_recent",
        phone_properties: Sequence[str] = (),
        **account: Any,
    ) -> int:
        hub_id = sandbox.add_account(secrets.randbelow(10**9), **account)
        asker = Asker(client, user_id, "ws_1")
        asker.visit(sandbox.approve(asker.initiate(), hub_id))
        asker.ask(
            "PATCH",
            "settings",
            json={"match_policy": match_policy, "phone_properties": list(phone_properties)},
        )
        sandbox.add_contacts(hub_id, [{"phone": number} for number in numbers])
        return hub_id

    return run


@pytest.fixture
def csv_file(tmp_path: Path) -> Path:
    return tmp_path / "calls.csv"


def rows(user_id: str, *numbers: str) -> str:
    """A row for each number; equal numbers are different calls."""
    return "".join(
        f"{user_id}_{place},{user_id},ws_1,{number}\n" for place, number in enumerate(numbers)
    )


def count_stored(database: Database) -> int:
    with database.begin() as session:
        logs = session.scalars(select(func.count()).select_from(SyncLog)).one()
        return logs + session.scalars(select(func.count()).select_from(Call)).one()


def test_calls_that_would_match_are_counted_for_each_user_and_nothing_is_stored(
    invoke: Invoke,
    connect: Connect,
    csv_file: Path,
    sandbox: SandboxControl,
    empty_database: Database,
) -> None:
    one = connect("user_1", "+1 202 555 0123", "(202) 555-0124")
    connect("user_2", "+12025550123")
    csv_file.write_text(
        HEADER
        + rows(
            "user_1", "+12025550123", "202-555-0123", "+12025550124", "+12025550125", "anonymous"
        )
        + rows("user_2", "+12025550123")
        + rows("user_3", "+12025550123")
    )

    result = invoke("import", csv_file, DRY_RUN)

    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "Dry run: nothing is stored.",
        "7 accepted, 0 already known, 0 rejected.",
        (
            "user_1 in ws_1: 3 of 5 calls would match; 2 of 3 numbers are in HubSpot;"
            " without a number that can be looked up: 1."
        ),
        "user_2 in ws_1: 1 of 1 calls would match; 1 of 1 numbers are in HubSpot.",
        "user_3 in ws_1: 0 of 1 calls would match, HubSpot is not connected.",
    ]
    assert count_stored(empty_database) == 0
    assert {each.endpoint for each in sandbox.requests(hub_id=one)} <= {
        *("oauth.token", "oauth.introspect", "account.details", "contacts.search")
    }
    assert sandbox.notes(one) == []


def test_bad_known_and_repeated_rows_are_counted_apart_and_not_asked_for(
    invoke: Invoke, connect: Connect, csv_file: Path
) -> None:
    connect("user_1", "+12025550123")
    csv_file.write_text(HEADER + rows("user_1", "+12025550123"))
    invoke("import", csv_file)
    csv_file.write_text(
        HEADER
        + rows("user_1", "+12025550123", "+12025550124")
        + "user_1_1,user_1,ws_1,+12025550125\n"
        + ",user_1,ws_1,+12025550126\n"
    )

    result = invoke("import", csv_file, DRY_RUN)

    assert result.exit_code == 1
    assert "line 5: call_id" in result.stderr
    assert "1 accepted, 2 already known, 1 rejected." in result.stdout
    assert "0 of 1 calls would match; 0 of 1 numbers are in HubSpot." in result.stdout


def test_many_numbers_share_a_search(
    invoke: Invoke, connect: Connect, csv_file: Path, sandbox: SandboxControl
) -> None:
    numbers = [f"+1202555{number:04d}" for number in range(100, 280)]
    hub_id = connect("user_1", *numbers)
    csv_file.write_text(HEADER + rows("user_1", *numbers))

    result = invoke("import", csv_file, DRY_RUN)

    assert "180 of 180 calls would match" in result.stdout
    searches = [e for e in sandbox.requests(hub_id=hub_id) if e.endpoint == "contacts.search"]
    assert len(searches) <= 4


def test_number_of_several_contacts_does_not_match_where_such_calls_are_skipped(
    invoke: Invoke, connect: Connect, csv_file: Path
) -> None:
    connect("user_1", "+12025550123", "+12025550123", match_policy="skip")
    csv_file.write_text(HEADER + rows("user_1", "+12025550123"))

    result = invoke("import", csv_file, DRY_RUN)

    assert "0 of 1 calls would match" in result.stdout
    assert "of several contacts, which the policy skips: 1" in result.stdout


def test_account_without_calculated_properties_is_searched_as_people_typed(
    invoke: Invoke, connect: Connect, csv_file: Path, sandbox: SandboxControl
) -> None:
    hidden = [
        "hs_searchable_calculated_phone_number",
        "hs_searchable_calculated_mobile_number",
    ]
    hub_id = connect("user_1", "(202) 555-0123", hidden_properties=hidden)
    csv_file.write_text(HEADER + rows("user_1", "+12025550123", "+12025550124"))

    assert "1 of 2 calls would match" in invoke("import", csv_file, DRY_RUN).stdout
    assert sum(each.status == 400 for each in sandbox.requests(hub_id=hub_id)) == 1


def test_numbers_among_other_words_and_in_further_properties_match(
    invoke: Invoke, connect: Connect, csv_file: Path, sandbox: SandboxControl
) -> None:
    further = ["direct_line", "fax"]
    hub_id = connect("user_1", "+1 202 555 0123 / +1 202 555 0124 (home)", phone_properties=further)
    sandbox.add_contacts(hub_id, [{"fax": "(202) 555-0125"}])
    numbers = ["+12025550123", "+12025550124", "+12025550125", "+12025550126"]
    csv_file.write_text(HEADER + rows("user_1", *numbers))
    assert "3 of 4 calls would match" in invoke("import", csv_file, DRY_RUN).stdout


def test_passing_trouble_of_hubspot_is_waited_out(
    invoke: Invoke, connect: Connect, csv_file: Path, sandbox: SandboxControl
) -> None:
    hub_id = connect("user_1", "+12025550123")
    sandbox.expire_tokens(hub_id)
    sandbox.add_fault("contacts.search", "html", times=1, hub_id=hub_id)
    csv_file.write_text(HEADER + rows("user_1", "+12025550123"))

    result = invoke("import", csv_file, DRY_RUN)

    assert result.stdout.splitlines()[-1] == (
        "user_1 in ws_1: 1 of 1 calls would match; 1 of 1 numbers are in HubSpot."
    )
    assert len(result.stdout.splitlines()) == 3


def test_account_that_cannot_be_asked_is_named_and_does_not_stop_the_others(
    invoke: Invoke,
    connect: Connect,
    csv_file: Path,
    sandbox: SandboxControl,
    empty_database: Database,
) -> None:
    revoked = connect("user_1", "+12025550123")
    sandbox.revoke_grants(revoked)
    paused = connect("user_2", "+12025550123")
    with empty_database.begin() as session:
        pause_account(session, paused, seconds=600, reason="daily limit")
    connect("user_3", "+12025550123")
    csv_file.write_text(
        HEADER + "".join(rows(f"user_{number}", "+12025550123") for number in (1, 2, 3))
    )

    result = invoke("import", csv_file, DRY_RUN)

    assert result.exit_code == 1
    assert result.stdout.count("HubSpot could not be asked") == 2
    assert "user_3 in ws_1: 1 of 1 calls would match" in result.stdout


def test_settings_of_hubspot_are_needed_before_the_file_is_read(
    invoke: Invoke, csv_file: Path
) -> None:
    csv_file.write_text(HEADER)
    result = invoke("import", csv_file, DRY_RUN, TOKEN_ENCRYPTION_KEYS=None)
    assert result.exit_code == 1
    assert "TOKEN_ENCRYPTION_KEYS" in result.stderr
