"""Who did what is recorded together with the deed, and shown to whom it belongs."""

import json
import secrets
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, text
from structlog.testing import capture_logs

from api.context import senders
from api.log import auditing
from sandbox.client import SandboxControl
from shared.database.engines import Database
from shared.models import AuditEntry, SyncLog
from shared.privacy.audit import Action, Actor, Deed, delete_old_deeds, record_deed
from tests.api.asking import Asker, call_ended, landing, post_webhook, read
from tests.api.rows import add_connection, add_log, connection_of

ClientFactory = Callable[..., FlaskClient]

NUMBER = "+12025550177"


def trail(asker: Asker, **query: Any) -> list[dict[str, Any]]:
    """What the asker's audit trail shows, newest first."""
    entries: list[dict[str, Any]] = asker.get("audit", **query)["entries"]
    return entries


def deeds(asker: Asker) -> list[tuple[str, Any]]:
    return [(each["action"], each["details"]) for each in trail(asker)]


def record(database: Database, asker: Asker, action: Action = Action.CONNECTED) -> None:
    with database.begin() as session:
        record_deed(
            session,
            Deed(
                user_id=asker.user_id,
                workspace_id=asker.workspace_id,
                actor=Actor.USER,
                action=action,
            ),
        )


def break_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError("no entry")

    monkeypatch.setattr(auditing, "record_deed", fail)


def connect(asker: Asker, sandbox: SandboxControl, hub_id: int) -> Any:
    return landing(asker.visit(sandbox.approve(asker.initiate(), hub_id)))


def test_connecting_is_recorded_with_account_and_address(
    asker: Asker, sandbox: SandboxControl
) -> None:
    hub_id = sandbox.add_account()
    assert connect(asker, sandbox, hub_id)["hubspot"] == "connected"
    (entry,) = trail(asker)
    assert entry.pop("at") > 0
    assert entry == {
        "actor": "user",
        "action": "connected",
        "address": "127.0.0.1",
        "details": {"hub_id": str(hub_id)},
    }


def test_connecting_another_account_names_the_one_it_replaces(
    asker: Asker, sandbox: SandboxControl, database: Database
) -> None:
    add_connection(database, asker, hub_id=987_654)
    hub_id = sandbox.add_account()
    connect(asker, sandbox, hub_id)
    assert deeds(asker) == [
        ("connected", {"hub_id": str(hub_id), "replaced_hub_id": "987654"}),
    ]


def test_settings_are_recorded_by_name_alone(asker: Asker) -> None:
    asker.ask("PATCH", "settings", json={"default_region": "GB", "match_policy": None})
    asker.ask("PATCH", "settings", json={})
    asker.ask("PATCH", "settings", json={"default_region": "nowhere"})
    assert deeds(asker) == [("settings_changed", {"names": ["default_region", "match_policy"]})]


def test_disconnecting_is_recorded_once(asker: Asker, database: Database) -> None:
    add_connection(database, asker, hub_id=4711)
    for _ in range(2):
        assert asker.ask("DELETE", "disconnect").status_code == 200
    assert deeds(asker) == [("disconnected", {"hub_id": "4711"})]


def test_export_is_recorded_with_its_filter_but_without_a_number_or_an_id(asker: Asker) -> None:
    query = {"phone": NUMBER, "call_id": NUMBER, "status": "error", "from": "2026-11-01T00:00:00Z"}
    assert asker.ask("GET", "sync-logs/export", query_string=query).status_code == 200
    assert deeds(asker) == [
        (
            "exported",
            {
                "filter": {
                    "from": "2026-11-01T00:00:00Z",
                    "status": "error",
                    "call_id": "given",
                    "phone": "given",
                }
            },
        )
    ]


def test_retries_are_recorded_with_how_many_they_were(asker: Asker, database: Database) -> None:
    one = add_log(database, asker, status="error")
    add_log(database, asker, status="skipped")
    asker.ask("POST", f"sync-logs/{one}/retry")
    asker.ask("POST", f"sync-logs/{one}/retry")  # waits already: nothing is done
    asker.ask("POST", "sync-logs/retry", json={"status": "skipped"})
    assert deeds(asker) == [("retried", {"calls": 1}), ("retried", {"calls": 1})]


def test_test_call_is_recorded_by_its_id(asker: Asker) -> None:
    sent = asker.ask("POST", "test-call", json={"phone_number": NUMBER})
    assert deeds(asker) == [("test_call_sent", {"call_id": read(sent)["call_id"]})]


def test_nothing_is_done_without_its_entry(
    asker: Asker, database: Database, sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub_id = sandbox.add_account()
    url = sandbox.approve(asker.initiate(), hub_id)
    log_id = add_log(database, asker, status="error")
    break_audit(monkeypatch)

    assert landing(asker.visit(url))["hubspot"] == "error"
    answers = [
        asker.ask("PATCH", "settings", json={"default_region": "GB"}),
        asker.ask("POST", f"sync-logs/{log_id}/retry"),
        asker.ask("POST", "sync-logs/retry", json={"status": "error"}),
        asker.ask("GET", "sync-logs/export"),
        asker.ask("POST", "test-call", json={"phone_number": NUMBER}),
    ]
    assert [answer.status_code for answer in answers] == [500] * len(answers)
    assert asker.status()["state"] == "disconnected"
    assert asker.get("settings")["default_region"] == "US"
    with database.begin() as session:
        logs = session.scalars(select(SyncLog).filter_by(**asker.tenant)).all()
        assert [(log.id, log.status) for log in logs] == [(log_id, "error")]

    add_connection(database, asker)
    assert asker.ask("DELETE", "disconnect").status_code == 500
    assert connection_of(database, asker).state == "connected"


def test_slot_of_an_export_that_is_not_recorded_is_free_again(
    asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        break_audit(patch)
        for _ in range(10):
            assert asker.ask("GET", "sync-logs/export").status_code == 500
    assert asker.ask("GET", "sync-logs/export").status_code == 200


def test_entries_come_in_pages_and_only_the_tenants_own(
    client: FlaskClient, asker: Asker, database: Database
) -> None:
    strangers = [
        Asker(client, user_id=asker.user_id),
        Asker(client, workspace_id=asker.workspace_id),
    ]
    for action in (Action.CONNECTED, Action.RETRIED, Action.EXPORTED):
        record(database, asker, action)
        for stranger in strangers:
            record(database, stranger, Action.DISCONNECTED)
    first = asker.get("audit", limit=2)
    rest = asker.get("audit", limit=2, cursor=first["next_cursor"])
    assert [each["action"] for each in first["entries"] + rest["entries"]] == [
        "exported",
        "retried",
        "connected",
    ]
    assert rest["next_cursor"] is None
    # A cursor of one tenant shows another nothing of the first.
    shown = strangers[0].get("audit", cursor=first["next_cursor"])["entries"]
    assert {each["action"] for each in shown} <= {"disconnected"}


@pytest.mark.parametrize(
    "query", [{"limit": "0"}, {"limit": "201"}, {"cursor": "x"}, {"cursor": "YTA="}, {"limit": "²"}]
)
def test_wrong_query_is_refused_by_name(asker: Asker, query: dict[str, str]) -> None:
    answer = asker.ask("GET", "audit", query_string=query)
    assert answer.status_code == 400
    assert [each["field"] for each in read(answer)["error"]["fields"]] == list(query)


def test_no_entry_holds_a_number_a_name_or_a_secret(
    asker: Asker, database: Database, sandbox: SandboxControl
) -> None:
    hub_id = sandbox.add_account()
    connect(asker, sandbox, hub_id)
    asker.send_call(phone_number=NUMBER, summary="Mildred wants a budgerigar")
    asker.ask("POST", "test-call", json={"phone_number": NUMBER})
    asker.ask("GET", "sync-logs/export", query_string={"phone": NUMBER, "call_id": "Mildred"})
    asker.ask("POST", "sync-logs/retry", json={"status": "error"})
    asker.ask("DELETE", "disconnect")
    with database.begin() as session:
        rows = session.execute(
            text("SELECT a::text FROM hubspot_audit a WHERE user_id = :user_id"), asker.tenant
        ).scalars()
        written = json.dumps(list(rows))
    for private in ("2025550177", "Mildred", "budgerigar", "na1-", "Bearer", "eyJ"):
        assert private not in written


@pytest.mark.parametrize(
    ("proxies", "told", "address"),
    [
        ("0", "203.0.113.7", "127.0.0.1"),
        ("1", "203.0.113.7", "203.0.113.7"),
        ("1", "6.6.6.6, 203.0.113.7", "203.0.113.7"),
        ("2", "6.6.6.6, 203.0.113.7, 10.0.0.1", "203.0.113.7"),
        ("2", "203.0.113.7", "127.0.0.1"),
        ("1", None, "127.0.0.1"),
        ("1", "203.0.113.7:51432", "203.0.113.7"),
        ("1", "[2001:db8::7]:443", "2001:db8::7"),
        ("1", "2001:DB8:0::7", "2001:db8::7"),
        ("1", "::ffff:203.0.113.7", "203.0.113.7"),
        ("1", "fe80::1%eth0", "fe80::1"),
        ("1", "unknown", "127.0.0.1"),
        ("1", "<script>", "127.0.0.1"),
        ("1", "+1 202 555 0177", "127.0.0.1"),
        ("1", "a" * 100_000, "127.0.0.1"),
    ],
)
def test_address_is_the_one_that_trusted_proxies_tell(
    make_client: ClientFactory, proxies: str, told: str | None, address: str
) -> None:
    asker = Asker(make_client(TRUSTED_PROXIES=proxies), workspace_id=f"ws_{secrets.token_hex(4)}")
    headers = asker.headers | ({"X-Forwarded-For": told} if told else {})
    changed = asker.client.patch(
        "/api/hubspot/settings", json={"default_region": "GB"}, headers=headers
    )
    assert changed.status_code == 200
    assert trail(asker)[0]["address"] == address


def refusals(client: FlaskClient, ask: Callable[[FlaskClient], Any]) -> list[dict[str, Any]]:
    with capture_logs() as lines:
        ask(client)
    return [
        {name: line.get(name) for name in ("event", "status", "reason", "route", "address")}
        for line in lines
        if line["event"] == "request_refused"
    ]


@pytest.mark.parametrize(
    ("ask", "status", "reason", "route"),
    [
        (
            lambda client: client.post("/api/webhooks/call-ended", data=b"{}"),
            401,
            "invalid_signature",
            "/api/webhooks/call-ended",
        ),
        (
            lambda client: post_webhook(
                client,
                call_ended(phone_number=NUMBER),
                secret="whsec_" + "A" * 44,
            ),
            401,
            "invalid_signature",
            "/api/webhooks/call-ended",
        ),
        (
            lambda client: client.get("/api/hubspot/status"),
            401,
            "missing_token",
            "/api/hubspot/status",
        ),
        (
            lambda client: client.get(
                f"/api/hubspot/sync-logs/{NUMBER}", headers={"Authorization": "Bearer x.y.z"}
            ),
            401,
            "invalid_token",
            "/api/hubspot/sync-logs/<log_id>",
        ),
    ],
)
def test_who_is_refused_is_in_the_log_with_the_address_and_nothing_else(
    make_client: ClientFactory,
    ask: Callable[[FlaskClient], Any],
    status: int,
    reason: str,
    route: str,
) -> None:
    assert refusals(make_client(), ask) == [
        {
            "event": "request_refused",
            "status": status,
            "reason": reason,
            "route": route,
            "address": "127.0.0.1",
        }
    ]


def test_flood_of_refusals_leaves_room_in_the_log_and_others_are_still_named(
    make_client: ClientFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(senders, "PERIOD_S", 1e9)
    client = make_client(TRUSTED_PROXIES="1")

    def ask(address: str) -> None:
        client.get("/api/hubspot/status", headers={"X-Forwarded-For": address})

    def flood(_: FlaskClient) -> None:
        for _each in range(senders.LINES_AN_ADDRESS + 30):
            ask("203.0.113.7")
        ask("203.0.113.8")

    named = [each["address"] for each in refusals(client, flood)]
    assert named == ["203.0.113.7"] * senders.LINES_AN_ADDRESS + ["203.0.113.8"]
    monkeypatch.setattr(senders, "PERIOD_S", 0.0)
    assert len(refusals(client, flood)) == len(named) + 30


def test_who_is_let_in_is_not_in_the_log_of_refusals(asker: Asker) -> None:
    assert refusals(asker.client, lambda _: asker.status()) == []


@pytest.mark.parametrize("query", ["", "?state=guessed&code=guessed", "?error=access_denied"])
def test_callback_that_is_refused_names_the_address(client: FlaskClient, query: str) -> None:
    with capture_logs() as lines:
        client.get(f"/api/hubspot/oauth/callback{query}")
    (line,) = [each for each in lines if each["event"] == "oauth_failed"]
    assert line["address"] == "127.0.0.1"
    assert "guessed" not in str(lines)


def test_old_entries_end_and_young_ones_stay(database: Database, asker: Asker) -> None:
    record(database, asker, Action.CONNECTED)
    record(database, asker, Action.EXPORTED)
    with database.begin() as session:
        session.execute(
            text(
                "UPDATE hubspot_audit SET at = now() - interval '401 days'"
                " WHERE user_id = :user_id AND action = 'connected'"
            ),
            asker.tenant,
        )
        assert delete_old_deeds(session, days=400) >= 1
    with database.begin() as session:
        left = session.scalars(select(AuditEntry).filter_by(**asker.tenant)).all()
        assert [each.action for each in left] == ["exported"]
