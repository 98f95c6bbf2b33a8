"""A person who asks to be forgotten is, in whatever spelling the number was stored."""

import json
from collections.abc import Callable
from typing import Any, Final

import click.testing
import pytest
from redis import Redis
from sqlalchemy import select, text, update

from cli import main
from commands import erase_person as erase_command
from shared.broker.deployment import connect_redis
from shared.calls.intake import NewCall, store_calls
from shared.database.engines import Database
from shared.models import AuditEntry, Base, Connection
from shared.privacy import persons
from shared.queue.outcomes import Outcome
from shared.reasons import Lane
from tests.emptying import empty
from tests.queue.tenants import HUB, Tenant, written
from tests.settings.environment import make_environ

NUMBER: Final = "+12025550123"
OTHER: Final = "+12025550199"
PERSONAL: Final = ("2025550123", "555-0123", "Mildred")

Erase = Callable[..., click.testing.Result]


@pytest.fixture
def tenant(database: Database) -> Tenant:
    empty(database)
    return Tenant(database)


@pytest.fixture
def redis(valkey_url: str) -> Redis:
    client = connect_redis(valkey_url)
    client.flushdb()
    return client


@pytest.fixture
def erase(postgres_url: str, valkey_url: str) -> Erase:
    """Runs `callsync erase` with these arguments."""
    environ = make_environ(DATABASE_URL=postgres_url, REDIS_URL=valkey_url)

    def run(*arguments: str, **options: Any) -> click.testing.Result:
        runner = click.testing.CliRunner(env=environ)
        return runner.invoke(main, ["erase", *arguments], **options)

    return run


def store(tenant: Tenant, call_id: str, number: str | None, **payload: Any) -> str:
    with tenant.database.begin() as session:
        return store_calls(
            session,
            [
                NewCall(
                    user_id=tenant.user_id,
                    workspace_id=tenant.workspace_id,
                    call_id=call_id,
                    phone_number=number,
                    payload={"call_id": call_id, "summary": "Mildred wants a cat", **payload},
                )
            ],
            lane=Lane.LIVE,
        )[0].log_id


def fail(call_id: str, fence: int) -> Outcome:
    return Outcome(
        call_id,
        fence,
        "error",
        error_code="rejected_by_hubspot",
        error_message="(202) 555-0123 of Mildred is not valid",
        correlation_id="c-1",
    )


def dump(tenant: Tenant) -> str:
    """Every row of every table as text, as in a backup."""
    with tenant.database.begin() as session:
        return "\n".join(
            str(session.execute(text(f"SELECT t::text FROM {table} t")).scalars().all())  # noqa: S608
            for table in Base.metadata.tables
        )


def is_personal(shown: str) -> bool:
    return any(words in shown for words in PERSONAL)


@pytest.mark.parametrize(
    "stored",
    [
        NUMBER,
        "(202) 555-0123",
        "202.555.0123",
        "1-202-555-0123",
        "001 202 555 0123",
        "202-555-0123 ext. 45",
        '"Unit 9" <+12025550123>',
        "202-555-0123 / 303-555-0199",
        "sip:+12025550123@pbx.example:5060",
        "２０２ ５５５ ０１２３",
        "٢٠٢٥٥٥٠١٢٣",
        "2025550123, 3035550199",
        "303 555 0199 202 555 0123",
        "+13035550199+12025550123",
        "+1 303 555 0199; home +1 202 555 0123",
        "2025550199/2025550123",
        "+1 1 202 555 0123",
        "Mildred, see notes " + "x" * 300 + " 202 555 0123",
    ],
)
@pytest.mark.parametrize("given", [NUMBER, "(202) 555-0123"])
def test_call_is_found_in_any_spelling(
    tenant: Tenant, erase: Erase, stored: str, given: str
) -> None:
    log_id = store(tenant, "call_1", stored)
    store(tenant, "call_2", OTHER)

    result = erase("--phone", given, "--yes")

    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("Calls of ***0123: 1.\n")
    assert tenant.log(log_id).phone_number is None


@pytest.mark.parametrize("given", ["+52 55 1234 5678", "+52 1 55 1234 5678"])
@pytest.mark.parametrize("stored", ["+525512345678", "+5215512345678"])
def test_call_is_found_under_the_number_before_a_renumbering_and_after(
    tenant: Tenant, erase: Erase, stored: str, given: str
) -> None:
    log_id = store(tenant, "call_1", stored)
    erase("--phone", given, "--yes")
    assert tenant.log(log_id).phone_number is None


def test_number_without_country_is_read_in_its_connections_region(
    tenant: Tenant, erase: Erase
) -> None:
    tenant.connect()
    with tenant.database.begin() as session:
        session.execute(update(Connection).values(default_region="GB"))
    log_id = store(tenant, "call_1", "020 7946 0018")
    erase("--phone", "+44 20 7946 0018", "--yes")
    assert tenant.log(log_id).phone_number is None


def test_what_is_no_full_number_is_found_as_it_was_stored(tenant: Tenant, erase: Erase) -> None:
    log_id, other_id = store(tenant, "call_1", "sip:mildred@x"), store(tenant, "call_2", "sip:m@x")
    result = erase("--phone", "sip:mildred@x", "--yes")
    assert "very text" in result.stderr
    assert tenant.log(log_id).phone_number is None
    assert tenant.log(other_id).phone_number is not None


def test_person_is_forgotten_everywhere_and_the_log_stays(tenant: Tenant, erase: Erase) -> None:
    tenant.connect()
    synced = store(tenant, "synced", NUMBER, from_number=NUMBER)
    failed = store(tenant, "failed", "(202) 555-0123")
    for call in tenant.claim():
        tenant.record(written(call) if call.id == synced else fail(call.id, call.fence))
    other_end = store(tenant, "other_end", OTHER, to_number="+1 (202) 555-0123")
    waiting = store(tenant, "waiting", NUMBER)
    assert is_personal(dump(tenant))

    result = erase("--phone", NUMBER, "--yes")

    assert not is_personal(dump(tenant))
    assert result.stdout.splitlines() == [
        "Calls of ***0123: 4.",
        "Numbers and messages in the sync log that were removed: 4.",
        "Contents that were deleted: 4.",
        "Messages of attempts that were removed: 1.",
        "Waiting calls that were stopped: 2.",
        "In HubSpot the customer has to delete:",
        "  account 101, contact 7, note 9: https://app.hubspot.com/contacts/101/record/0-1/7",
    ]
    logs = tenant.logs([synced, failed, other_end, waiting])
    assert [(log.call_id, log.status, log.error_code) for log in logs] == [
        ("synced", "success", None),
        ("failed", "error", "rejected_by_hubspot"),
        ("other_end", "error", "payload_expired"),
        ("waiting", "error", "payload_expired"),
    ]
    assert logs[0].engagement_id == "9"
    assert all("forgotten" in (log.error_message or "") for log in logs[1:])
    assert [each.correlation_id for each in tenant.attempts(failed)] == ["c-1"]
    assert tenant.claim() == []


def test_others_keep_everything(tenant: Tenant, erase: Erase) -> None:
    store(tenant, "call_1", OTHER, from_number=OTHER, to_number="+12025550100")
    before = dump(tenant)
    result = erase("--phone", NUMBER, "--yes")
    assert result.stdout.startswith("Calls of ***0123: 0.\n")
    assert dump(tenant) == before


def test_only_the_workspace_that_is_meant_forgets(tenant: Tenant, erase: Erase) -> None:
    neighbour = Tenant(tenant.database, "user_2")
    mine, theirs = store(tenant, "call_1", NUMBER), store(neighbour, "call_1", NUMBER)
    raw = store(neighbour, "call_2", "202 555 0123", from_number=NUMBER)
    erase("--phone", NUMBER, "--yes", "--user", "user_1", "--workspace", "ws_1")
    assert tenant.log(mine).phone_number is None
    assert neighbour.log(theirs).phone_number == NUMBER
    assert neighbour.log(raw).phone_number == "202 555 0123"


def test_dry_run_says_what_it_would_do_and_changes_nothing(tenant: Tenant, erase: Erase) -> None:
    store(tenant, "call_1", NUMBER)
    before = dump(tenant)
    result = erase("--phone", NUMBER, "--dry-run")
    assert "Contents that would be deleted: 1." in result.stdout
    assert dump(tenant) == before


def test_nothing_is_erased_without_confirmation(tenant: Tenant, erase: Erase) -> None:
    log_id = store(tenant, "call_1", NUMBER)
    assert erase("--phone", NUMBER, input="n\n").exit_code == 1
    assert tenant.log(log_id).phone_number == NUMBER
    assert erase("--phone", NUMBER, input="y\n").exit_code == 0
    assert tenant.log(log_id).phone_number is None


def test_erasing_again_finds_nothing(tenant: Tenant, erase: Erase) -> None:
    store(tenant, "call_1", NUMBER)
    erase("--phone", NUMBER, "--yes")
    assert erase("--phone", NUMBER, "--yes").stdout.startswith("Calls of ***0123: 0.\n")


# Nobody was found for it, so it is looked up again, and may be written then.
LOOKED_UP_AGAIN: dict[str, Any] = {
    "status": "skipped",
    "error_code": "contact_not_found",
    "error_message": "x",
}


@pytest.mark.parametrize(
    ("row", "code"), [({}, "payload_expired"), (LOOKED_UP_AGAIN, "contact_not_found")]
)
def test_worker_that_holds_an_erased_call_may_not_write_it(
    tenant: Tenant, erase: Erase, row: dict[str, Any], code: str
) -> None:
    tenant.connect()
    log_id = store(tenant, "call_1", NUMBER)
    tenant.change([log_id], **row)
    calls = tenant.claim()
    erase("--phone", NUMBER, "--yes")
    assert tenant.mark(calls) == frozenset()
    tenant.record(fail(log_id, calls[0].fence))
    assert not is_personal(dump(tenant))
    log = tenant.log(log_id)
    assert (log.error_code, log.next_attempt_at, log.last_write_at) == (code, None, None)


@pytest.mark.parametrize("row", [{}, LOOKED_UP_AGAIN])
def test_write_under_way_stays_marked_and_its_note_is_recorded(
    tenant: Tenant, erase: Erase, row: dict[str, Any]
) -> None:
    tenant.connect()
    log_id = store(tenant, "call_1", NUMBER)
    tenant.change([log_id], **row)
    (call,) = tenant.claim()
    tenant.mark([call])

    result = erase("--phone", NUMBER, "--yes")

    assert f"contact 7, perhaps a note with Ref {log_id}" in result.stdout
    log = tenant.log(log_id)
    assert (log.status, log.next_attempt_at, log.last_write_at is None) == ("error", None, False)
    tenant.record(written(call))
    log = tenant.log(log_id)
    assert (log.status, log.engagement_id, log.phone_number) == ("success", "9", None)


@pytest.mark.parametrize("code", ["reconnect_required", "missing_scopes", "not_connected"])
def test_reconnecting_does_not_revive_an_erased_call(
    tenant: Tenant, erase: Erase, code: str
) -> None:
    log_id = store(tenant, "call_1", NUMBER)
    status = "skipped" if code == "not_connected" else "error"
    ended = {"error_code": code, "error_message": "x", "next_attempt_at": None}
    tenant.change([log_id], status=status, hub_id=HUB, **ended)
    erase("--phone", NUMBER, "--yes")
    tenant.connect()
    assert (tenant.log(log_id).status, tenant.claim()) == ("error", [])


def test_redelivered_webhook_does_not_bring_the_person_back(tenant: Tenant, erase: Erase) -> None:
    log_id = store(tenant, "call_1", NUMBER)
    erase("--phone", NUMBER, "--yes")
    assert store(tenant, "call_1", NUMBER) == log_id
    assert not is_personal(dump(tenant))


@pytest.mark.usefixtures("tenant")
def test_match_in_redis_is_forgotten(erase: Erase, redis: Redis) -> None:
    redis.set("callsync:contact:0123abcd", "7")
    erase("--phone", NUMBER, "--dry-run")
    assert redis.exists("callsync:contact:0123abcd")
    erase("--phone", NUMBER, "--yes")
    assert not redis.exists("callsync:contact:0123abcd")


def test_more_calls_than_a_page_and_a_transaction_hold_are_found(
    tenant: Tenant, erase: Erase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(persons, "PAGE", 3)
    monkeypatch.setattr(erase_command, "ROWS_A_TRANSACTION", 2)
    for number in range(7):
        store(tenant, f"raw_{number}", "202 555 0123")
        store(tenant, f"end_{number}", OTHER, from_number=NUMBER)
    result = erase("--phone", NUMBER, "--yes")
    assert result.stdout.startswith("Calls of ***0123: 14.\n")
    assert "Contents that were deleted: 14." in result.stdout
    assert not is_personal(dump(tenant))


def audit_trail(tenant: Tenant) -> list[tuple[str, str, str, Any]]:
    with tenant.database.begin() as session:
        entries = session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
        return [(each.user_id, each.actor, each.action, each.details) for each in entries]


@pytest.mark.parametrize("stored", ["+9992025550123", "+٩٩٩ 2025550123", "4712025550123"])
def test_number_that_cannot_be_read_for_certain_is_left_to_a_person(
    tenant: Tenant, erase: Erase, stored: str
) -> None:
    log_id = store(tenant, "call_1", stored)
    result = erase("--phone", NUMBER, "--yes")
    assert result.stdout.startswith("Calls of ***0123: 0.\nCalls that may be meant, left alone;")
    assert f"  {log_id}: phone_number may be it\n" in result.stdout
    assert tenant.log(log_id).phone_number == stored

    again = erase("--phone", NUMBER, "--yes", "--include-mentions")
    assert "erased too: 1." in again.stdout
    assert tenant.log(log_id).phone_number is None


@pytest.mark.parametrize(
    ("payload", "where"),
    [
        ({"summary": "Call me at (202) 555-0123"}, "summary"),
        ({"transcript": [{"role": "user", "text": "it is 202, 555, 0123."}]}, "transcript"),
        ({"transcript": "x " * 3_000 + NUMBER + " y" * 3_000}, "transcript"),
        ({"structured_data": {"callback": {"number": 2025550123}}}, "structured_data"),
        ({"structured_data": {NUMBER: "the other"}}, "structured_data"),
        ({"structured_data": {"n": 10**4000, "of": "2025550123"}}, "structured_data"),
        ({"recording_url": "https://rec.example/+12025550123.wav"}, "recording_url"),
        ({"agent_name": "２０２ ５５５ ０１２３"}, "agent_name"),
    ],
)
def test_call_that_only_mentions_the_number_is_listed_and_erased_when_asked_to(
    tenant: Tenant, erase: Erase, payload: dict[str, Any], where: str
) -> None:
    log_id = store(tenant, "call_1", OTHER, **payload)
    before = dump(tenant)
    result = erase("--phone", NUMBER, "--yes")
    assert f"  {log_id}: {where} mentions it\n" in result.stdout
    assert dump(tenant) == before
    rehearsal = erase("--phone", NUMBER, "--include-mentions", "--dry-run")
    assert "Contents that would be deleted: 1." in rehearsal.stdout
    assert dump(tenant) == before
    erase("--phone", NUMBER, "--yes", "--include-mentions")
    assert tenant.log(log_id).phone_number is None


def test_person_is_found_in_what_came_later_and_nobody_has_merged(
    tenant: Tenant, erase: Erase
) -> None:
    log_id = store(tenant, "call_1", OTHER, summary="Nothing")
    assert store(tenant, "call_1", OTHER, from_number=NUMBER) == log_id
    erase("--phone", NUMBER, "--yes")
    assert tenant.log(log_id).phone_number is None
    assert "2025550123" not in dump(tenant)


def test_number_of_the_persons_own_country_is_seen_in_a_text_of_another(
    tenant: Tenant, erase: Erase
) -> None:
    tenant.connect()
    with tenant.database.begin() as session:
        session.execute(update(Connection).values(default_region="GB"))
    log_id = store(tenant, "call_1", OTHER, summary="my American number, 202 555 0123")
    assert f"{log_id}: summary mentions it" in erase("--phone", NUMBER, "--dry-run").stdout


def test_other_numbers_in_a_text_are_not_taken_for_it(tenant: Tenant, erase: Erase) -> None:
    store(
        tenant,
        "call_1",
        OTHER,
        summary="call +91 2025550123 or 202 555 0124, order 12345678902025550123",
        structured_data={"a": 1e308, "b": [True, None, 5]},
    )
    result = erase("--phone", NUMBER, "--yes", "--include-mentions")
    assert result.stdout.startswith("Calls of ***0123: 0.\nNumbers and messages")


def test_contents_that_are_large_together_are_looked_through_a_few_at_a_time(
    tenant: Tenant, erase: Erase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(persons, "PAGE_BYTES", 4_000)
    for number in range(5):
        store(tenant, f"call_{number}", OTHER, summary="x" * 3_000 + " 202 555 0123")
    assert "erased too: 5." in erase("--phone", NUMBER, "--yes", "--include-mentions").stdout
    assert not is_personal(dump(tenant))


def test_near_hits_are_only_the_workspaces_that_is_meant(tenant: Tenant, erase: Erase) -> None:
    neighbour = Tenant(tenant.database, "user_2")
    store(neighbour, "call_1", OTHER, summary=NUMBER)
    store(neighbour, "call_2", "+9992025550123")
    result = erase("--phone", NUMBER, "--user", "user_1", "--dry-run")
    assert "may be meant" not in result.stdout


def test_erasure_leaves_a_record_with_counts_and_no_number(tenant: Tenant, erase: Erase) -> None:
    neighbour = Tenant(tenant.database, "user_2")
    for call_id in ("call_1", "call_2"):
        store(tenant, call_id, NUMBER)
    store(neighbour, "call_1", "202 555 0123")
    erase("--phone", NUMBER, "--dry-run")
    assert audit_trail(tenant) == []

    result = erase("--phone", NUMBER, "--yes")

    assert sorted(audit_trail(tenant)) == [
        ("user_1", "operator", "person_erased", {"calls": 2}),
        ("user_2", "operator", "person_erased", {"calls": 1}),
    ]
    line = json.loads(result.stderr.splitlines()[-1])
    assert line["event"] == "person_erased"
    assert (line["calls"], line["contents"], line["stopped"]) == (3, 3, 3)
    assert "0123" not in json.dumps(line | {"timestamp": ""})


@pytest.mark.usefixtures("tenant")
@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--user", "u"],
        ["--workspace", "w"],
        ["--user", "u", "--workspace", "w", "--include-mentions"],
    ],
)
def test_who_is_meant_has_to_be_said(erase: Erase, arguments: list[str]) -> None:
    result = erase(*arguments, "--yes")
    assert result.exit_code == 2
    assert "both --user and --workspace" in result.stderr
