"""A call whose entry has been pruned is still known, whichever way it is delivered again."""

import base64
import json
from datetime import UTC, datetime, timedelta

from flask.testing import FlaskClient
from sqlalchemy import select, update

from api.app import create_app
from shared.configuration.settings import ApiSettings
from shared.database.engines import Database
from shared.models import PrunedCall, SyncLog
from shared.privacy import retention
from tests.api.asking import (
    ENCRYPTION_KEY,
    Asker,
    WakeRecorder,
    call_ended,
    environment,
    post_webhook,
    read,
    signed_headers,
)

LONG_AGO = datetime.now(UTC) - timedelta(days=400)


def prune(database: Database, log_id: str) -> None:
    """End a call, let it grow old, and let housekeeping meet it twice."""
    with database.begin() as session:
        session.execute(
            update(SyncLog)
            .where(SyncLog.id == log_id)
            .values(
                status="error",
                error_code="poison",
                error_message="x",
                next_attempt_at=None,
                created_at=LONG_AGO,
            )
        )
    for _ in range(2):
        with database.begin() as session:
            retention.prune_logs(session, days=365)
            session.execute(update(PrunedCall).values(remembered_at=LONG_AGO))
    with database.begin() as session:
        assert session.get(SyncLog, log_id) is None


def test_delivered_again_it_is_a_duplicate_and_nothing_is_stored(
    database: Database, client: FlaskClient, asker: Asker
) -> None:
    event = call_ended(**asker.tenant, phone_number="+12025550123")
    log_id = read(post_webhook(client, event))["id"]
    prune(database, log_id)

    again = post_webhook(client, event)
    assert again.status_code == 202
    assert (read(again)["id"], read(again)["duplicate"]) == (log_id, True)

    body = json.dumps([event, call_ended(**asker.tenant)]).encode()
    array = client.post("/api/webhooks/call-ended", data=body, headers=signed_headers(body))
    assert array.status_code in {200, 202, 207}, array.text
    with database.begin() as session:
        stored = session.scalars(select(SyncLog.id).filter_by(**asker.tenant)).all()
    assert len(stored) == 1
    assert log_id not in stored
    assert asker.ask("GET", f"sync-logs/{log_id}").status_code == 404


def test_new_encryption_keys_change_nothing_of_it(
    database: Database, client: FlaskClient, asker: Asker
) -> None:
    event = call_ended(**asker.tenant)
    log_id = read(post_webhook(client, event))["id"]
    prune(database, log_id)
    new_key = base64.b64encode(ENCRYPTION_KEY[::-1][:31] + b"!").decode()
    settings = ApiSettings.load(environment(TOKEN_ENCRYPTION_KEYS=new_key))
    rotated = create_app(settings, database=database, waker=WakeRecorder()).test_client()
    again = read(post_webhook(rotated, event))
    assert (again["id"], again["duplicate"]) == (log_id, True)


def test_checklist_and_counts_outlive_the_entries(
    database: Database, client: FlaskClient, asker: Asker
) -> None:
    assert not asker.status()["webhookSeen"]
    prune(database, read(post_webhook(client, call_ended(**asker.tenant)))["id"])
    assert asker.status()["webhookSeen"]
    period = {"from": LONG_AGO.isoformat(), "to": (LONG_AGO + timedelta(minutes=1)).isoformat()}
    points = asker.get("statistics", bucket="day", **period)["points"]
    assert sum(each["error"] for each in points) == 1
