"""After an eventful day no secret and nobody's number or words lie about anywhere."""

import json

import pytest
import requests

from tests.privacy.day import KNOWN, Day

SECRETS = {
    "HUBSPOT_CLIENT_SECRET",
    "WEBHOOK_SECRETS",
    "TOKEN_ENCRYPTION_KEYS",
    "JWT_SECRET",
    "FLOWER_BASIC_AUTH",
    "password of DATABASE_URL",
    "password of REDIS_URL",
    "dashboard token",
    "token",
    "state",
    "authorization code",
    "code verifier",
}


def test_day_was_eventful(day: Day) -> None:
    logged = "\n".join(day.logs().values())
    for event in (
        "call_accepted",
        "call_recorded",
        "database_failed",
        "oauth_started",
        "reconnect_required",
        "request_failed",
        "token_refreshed",
        "grant_revoked",
        "IntegrityError",
    ):
        assert event in logged, event
    assert day.traces.kinds() == SECRETS | {"phone number", "words of a call"}
    assert {refusal[:3] for refusal in day.refusals} >= {"400", "401", "404", "413", "500", "503"}


def test_logs_of_all_processes_give_nothing_away(day: Day) -> None:
    found = {path.name: day.traces.find(log) for path, log in day.logs().items()}
    assert found.keys() >= {"api.log", "worker-1.log", "beat.log", "flower.log", "postgres.log"}
    assert {name: what for name, what in found.items() if what} == {}


def test_error_answers_give_nothing_away(day: Day) -> None:
    assert [day.traces.find(refusal) for refusal in day.refusals if day.traces.find(refusal)] == []


def test_flower_shows_ids_alone(day: Day) -> None:
    tasks = day.ask_flower("/api/tasks").json()
    assert {task["name"] for task in tasks.values()} == {
        "callsync.sync_connection",
        "callsync.housekeeping",
    }
    assert day.traces.find(json.dumps(tasks)) == set()
    assert day.traces.find(day.ask_flower("/api/workers?refresh=1").text) == set()
    assert day.ask_flower("/api/tasks", password="wrong").status_code == requests.codes.unauthorized


def test_metrics_give_nothing_away(day: Day) -> None:
    metrics = day.metrics()
    assert "callsync_failed_calls" in metrics
    assert day.traces.find(metrics) == set()


def test_redis_holds_no_secret_and_nothing_of_people(day: Day) -> None:
    assert any("callsync:contact:" in held for held in day.redis)
    assert any("callsync.sync_connection" in held for held in day.redis)
    assert [day.traces.find(held) for held in day.redis] == [set()] * len(day.redis)


def test_dump_of_the_database_holds_no_secret(day: Day) -> None:
    assert any("v1." in dump for dump in day.dumps)
    assert [day.traces.find(dump) & SECRETS for dump in day.dumps] == [set()] * len(day.dumps)


def test_words_of_calls_are_gone_when_their_time_is_over(day: Day) -> None:
    assert all("words of a call" in day.traces.find(dump) for dump in day.dumps[1:-1])
    assert "words of a call" not in day.traces.find(day.dumps[-1])


@pytest.mark.parametrize("path", ["sync-logs", "status", "settings"])
def test_owner_is_told_no_secret(day: Day, path: str) -> None:
    told = day.ask_api(path)
    assert day.traces.find(told) & SECRETS == set()
    assert (KNOWN in told) == (path == "sync-logs")
