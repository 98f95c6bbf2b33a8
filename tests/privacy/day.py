"""An eventful day of the whole service: all that can go wrong with a call and a connection does."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import requests
from redis import Redis
from sqlalchemy import select, text
from standardwebhooks import Webhook

from local.producer import WEBHOOK_PATH
from local.stack import Stack
from local.visitor import sign_in
from sandbox.client import SandboxControl
from shared.broker.celery_app import SYNC_QUEUE, make_celery
from shared.broker.deployment import connect_redis
from shared.broker.messages import HOUSEKEEPING_TASK, SYNC_TASK
from shared.configuration.setting_values import encryption_keys, sqlalchemy_url
from shared.crypto import TokenCipher
from shared.database.engines import Database
from shared.models import Connection, OAuthState, Revocation, SyncLog
from tests.local.waiting import wait_for
from tests.privacy.traces import Traces, dump_database, dump_redis

FLOWER_PASSWORD: Final = "cormorant-feather-ops"
KNOWN: Final = "+12025550123"
UNKNOWN: Final = "+12025550187"
REFUSED: Final = "+12025550154"
WORDS: Final = {
    "summary": "Mildred wants a budgerigar",
    "recording_url": "https://rec.example/budgerigar-7731.wav",
    "agent_name": "Agatha Penhaligon",
    "transcript": [{"role": "user", "text": "Barnaby has a marmalade allergy"}],
    "structured_data": {"pet": "chinchilla of Ottoline"},
}
ERROR: Final = 400
TIMEOUT_S: Final = 240.0


class Day:
    """What happened to one workspace from morning to evening, and what it left behind.

    Attributes:
        traces: the secrets and personal data that passed through.
        refusals: the bodies of all error answers.
        redis: what Redis held at several moments, messages in the queue included.
        dumps: what Postgres held at several moments.
    """

    def __init__(self, stack: Stack, sandbox: SandboxControl) -> None:
        self.stack = stack
        self.sandbox = sandbox
        self.traces = Traces()
        self.refusals: list[str] = []
        self.redis: list[str] = []
        self.dumps: list[str] = []
        self.user_id, self.workspace_id = "user_1", "ws_1"
        self.database = Database(sqlalchemy_url(stack.owner_url))
        self._redis: Redis = connect_redis(stack.env["REDIS_URL"])
        self._cipher = TokenCipher(encryption_keys(stack.env["TOKEN_ENCRYPTION_KEYS"]))
        self._browser = requests.Session()
        self._token = sign_in(
            stack.env["JWT_SECRET"],
            user_id=self.user_id,
            workspace_id=self.workspace_id,
            lasts=timedelta(hours=1),
        )
        self.hub_id = sandbox.add_account()
        sandbox.add_contacts(
            self.hub_id,
            [{"firstname": "Cornelius", "lastname": "Vandersloot", "phone": KNOWN}],
        )
        self._plant()

    def close(self) -> None:
        self._browser.close()
        self._redis.close()
        self.database.dispose()

    def _plant(self) -> None:
        env = self.stack.env
        for name in ("HUBSPOT_CLIENT_SECRET", "WEBHOOK_SECRETS", "TOKEN_ENCRYPTION_KEYS"):
            self.traces.add(name, env[name])
        self.traces.add("JWT_SECRET", env["JWT_SECRET"])
        self.traces.add("FLOWER_BASIC_AUTH", FLOWER_PASSWORD)
        for name in ("DATABASE_URL", "REDIS_URL"):
            self.traces.add(f"password of {name}", urlsplit(env[name]).password or "")
        self.traces.add("dashboard token", self._token)
        self.traces.add_all("phone number", (KNOWN[2:], UNKNOWN[2:], REFUSED[2:]))
        words = ("budgerigar", "Penhaligon", "marmalade", "chinchilla", "Vandersloot", "Cornelius")
        self.traces.add_all("words of a call", words)

    def live_through(self) -> None:
        """The whole day; takes some ten seconds."""
        self.be_refused()
        self.connect()
        self.sync_calls()
        self.refresh_with_trouble()
        self.lose_postgres_for_a_moment()
        self.break_the_schema()
        self.be_revoked()
        self.connect()
        self.disconnect()
        self.grow_old()

    def be_refused(self) -> None:
        """Webhooks that are garbage, questions that are none, and OAuth that goes wrong."""
        call = {"data": {"phone_number": KNOWN, **WORDS}, "type": "call.ended"}
        whole = json.dumps(call).encode()
        self._post(whole, signed=False)
        self._post(whole)  # no ids
        self._post(b'{"type": "call.ended", "data": "' + whole.replace(b'"', b"'") + b'"}')
        self._post(whole[:-1])
        self._post(whole.replace(KNOWN.encode(), b"\xff" + KNOWN.encode()))
        self._post(json.dumps({"type": "call.ended", "data": {KNOWN: WORDS} | call}).encode())
        identity = {"call_id": "c", "user_id": KNOWN + "\n", "workspace_id": 7}
        self._post(json.dumps({"type": "call.ended", "data": identity | WORDS}).encode())
        self._post(whole + b" " * 1_100_000)
        self._ask("GET", "status", token=self._token[:-3] + "abc")
        self._ask("GET", "sync-logs", params={"from": KNOWN, "cursor": KNOWN, "limit": KNOWN})
        self._ask("GET", f"sync-logs/{KNOWN}")
        self._ask("POST", "sync-logs/retry", json={"ids": {KNOWN: "budgerigar"}})
        self._ask("PATCH", "settings", json={"default_region": KNOWN, "match_policy": self._token})
        self._ask("GET", "oauth/initiate", params={"return_to": f"https://evil.example/{KNOWN}"})
        denied = self.sandbox.deny(self._start_connecting())
        self._visit(denied)
        self._visit(denied)
        tampered = self.sandbox.approve(self._start_connecting(), self.hub_id)
        self._remember_query(tampered)
        with requests.Session() as stranger:  # without the browser's cookie
            self._visit(tampered, browser=stranger)

    def connect(self) -> None:
        callback = self.sandbox.approve(self._start_connecting(), self.hub_id)
        self._remember_query(callback)
        self.dumps.append(dump_database(self.database).replace(self._verifier(), ""))
        landing = self._visit(callback)
        assert "hubspot=connected" in landing.headers["Location"]
        self._remember_tokens()

    def sync_calls(self) -> None:
        """A success, a skip, and an error in which HubSpot repeats what it was sent."""
        self._sync(KNOWN, ("success", None))
        self.sandbox.add_contacts(self.hub_id, [{"phone": REFUSED}])
        self.sandbox.add_fault(
            "notes.batch_create",
            "status",
            times=1,
            status=400,
            message=f"{WORDS['summary']} of {REFUSED} ({self._tokens()[0]}) is not valid",
        )
        self._sync(REFUSED, ("error", "rejected_by_hubspot"))
        self._sync("sip:reception@pbx.example", ("skipped", "invalid_phone_number"))
        self.sandbox.add_fault("contacts.search", "html", times=1)
        self._post_call(UNKNOWN)
        worker = self.stack.process("worker-1")
        worker.suspend()
        # One may be popped on behalf of the frozen worker; the next is published a while later.
        while not self._is_wake_up_queued():
            wait_for(lambda: not self._is_waking())
            self._post_call(KNOWN)
            wait_for(lambda: self._is_waking() or self._is_wake_up_queued())
        self.redis.append(dump_redis(self._redis))
        worker.resume()
        self._wait_until_idle()
        self.redis.append(dump_redis(self._redis))

    def refresh_with_trouble(self) -> None:
        """An expired token; the first answer to its refresh is a page that repeats the request."""
        self.sandbox.expire_tokens(self.hub_id)
        self.sandbox.add_fault("oauth.token", "html", times=1)
        self.sandbox.add_fault("notes.batch_create", "reset_after", times=1)
        self._post_call(KNOWN)
        wait_for(self._is_refreshed)
        self._remember_tokens()
        self.dumps.append(dump_database(self.database))

    def lose_postgres_for_a_moment(self) -> None:
        postgres = self.stack.postgres
        assert postgres is not None
        postgres.kill()
        self._post_call(KNOWN, accepted=False)
        self._ask("GET", "status")
        postgres.restart()
        wait_for(self._is_ready)

    def break_the_schema(self) -> None:
        """Errors that nobody expects: a table is away, and Postgres refuses a row and quotes it."""
        self._execute("ALTER TABLE calls RENAME TO away")
        self._post_call(KNOWN, accepted=False)
        self._execute("ALTER TABLE away RENAME TO calls")
        refusal = "CONSTRAINT refusal CHECK (call_id = '') NOT VALID"
        self._execute(f"ALTER TABLE hubspot_sync_logs ADD {refusal}")
        self._post_call(KNOWN, accepted=False)
        self._execute("ALTER TABLE hubspot_sync_logs DROP CONSTRAINT refusal")

    def be_revoked(self) -> None:
        """HubSpot withdraws the grant, and repeats the refresh token as it says so."""
        self.sandbox.expire_tokens(self.hub_id)
        self.sandbox.add_fault(
            "oauth.token",
            "status",
            times=1,
            status=400,
            message=f"refresh token {self._tokens()[1]} is invalid",
            fields={"error": "invalid_grant", "status": "BAD_REFRESH_TOKEN"},
        )
        self._sync(KNOWN, ("error", "reconnect_required"))
        self.dumps.append(dump_database(self.database))

    def disconnect(self) -> None:
        self._wait_until_idle()
        self._ask("DELETE", "disconnect")
        self.dumps.append(dump_database(self.database))
        self._keep_house()
        wait_for(lambda: not self._count(select(Revocation)))

    def grow_old(self) -> None:
        """A month later housekeeping deletes the contents."""
        self._execute("UPDATE calls SET received_at = received_at - interval '31 days'")
        self._keep_house()
        wait_for(lambda: not self._scalar("SELECT count(*) FROM calls"))
        self.redis.append(dump_redis(self._redis))
        self.dumps.append(dump_database(self.database))

    def logs(self) -> dict[Path, str]:
        """What every process has logged, Postgres and Valkey included."""
        return {path: path.read_text(errors="replace") for path in self.stack.state.glob("*.log")}

    def ask_flower(self, path: str, *, password: str = FLOWER_PASSWORD) -> requests.Response:
        return requests.get(
            f"{self.stack.flower_url}{path}", auth=("ops", password), timeout=TIMEOUT_S
        )

    def ask_api(self, path: str) -> str:
        """What the API tells the calls' owner."""
        return self._ask("GET", path).text

    def metrics(self) -> str:
        return requests.get(f"{self.stack.api_url}/metrics", timeout=TIMEOUT_S).text

    def _is_waking(self) -> bool:
        return bool(self._redis.keys("callsync:wake:*"))

    def _is_wake_up_queued(self) -> bool:
        queued = self._redis.lrange(SYNC_QUEUE, 0, -1)
        return any(SYNC_TASK.encode() in message for message in queued)

    def _start_connecting(self) -> str:
        url: str = self._ask("GET", "oauth/initiate").json()["authUrl"]
        self._remember_query(url)
        self.traces.add("code verifier", self._verifier())
        return url

    def _remember_query(self, url: str) -> None:
        asked = parse_qs(urlsplit(url).query)
        self.traces.add("state", asked["state"][0])
        for code in asked.get("code", ()):
            self.traces.add("authorization code", code)

    def _remember_tokens(self) -> None:
        self.traces.add_all("token", self._tokens())

    def _tokens(self) -> tuple[str, str]:
        with self.database.begin() as session:
            row = session.scalars(select(Connection)).one()
        assert row.access_token is not None
        assert row.refresh_token is not None
        return (
            self._cipher.decrypt(row.access_token, row_id=row.id, field="access_token"),
            self._cipher.decrypt(row.refresh_token, row_id=row.id, field="refresh_token"),
        )

    def _is_refreshed(self) -> bool:
        return self.traces.find(self._tokens()[0]) == set()

    def _verifier(self) -> str:
        with self.database.begin() as session:
            newest = select(OAuthState).order_by(OAuthState.expires_at.desc()).limit(1)
            state = session.scalars(newest).one()
        return self._cipher.decrypt(
            state.code_verifier, row_id=state.state_hash.hex(), field="code_verifier"
        )

    def _ask(self, method: str, path: str, *, token: str = "", **options: Any) -> requests.Response:
        answer = self._browser.request(
            method,
            f"{self.stack.api_url}/api/hubspot/{path}",
            headers={"Authorization": f"Bearer {token or self._token}"},
            timeout=TIMEOUT_S,
            **options,
        )
        return self._note(answer)

    def _visit(self, url: str, *, browser: requests.Session | None = None) -> requests.Response:
        answer = (browser or self._browser).get(url, allow_redirects=False, timeout=TIMEOUT_S)
        self.refusals.append(answer.headers["Location"])
        return answer

    def _post_call(self, phone: str, *, accepted: bool = True) -> str:
        identity = {"user_id": self.user_id, "workspace_id": self.workspace_id}
        call = {"call_id": f"call_{uuid4().hex}", "phone_number": phone, **identity, **WORDS}
        answer = self._post(json.dumps({"type": "call.ended", "data": call}).encode())
        assert (answer.status_code == requests.codes.accepted) == accepted
        return str(answer.json().get("id"))

    def _post(self, body: bytes, *, signed: bool = True) -> requests.Response:
        now = datetime.now(UTC)
        delivery = f"msg_{uuid4().hex}"
        webhook = Webhook(self.stack.env["WEBHOOK_SECRETS"])
        signature = webhook.sign(delivery, now, body.decode("latin-1")) if signed else "v1,bm9uZQ=="
        answer = requests.post(
            self.stack.api_url + WEBHOOK_PATH,
            data=body,
            headers={
                "webhook-id": delivery,
                "webhook-timestamp": str(int(now.timestamp())),
                "webhook-signature": signature,
            },
            timeout=TIMEOUT_S,
        )
        return self._note(answer)

    def _note(self, answer: requests.Response) -> requests.Response:
        if answer.status_code >= ERROR:
            self.refusals.append(f"{answer.status_code} {answer.headers} {answer.text}")
        return answer

    def _sync(self, phone: str, outcome: tuple[str, str | None]) -> None:
        log_id = self._post_call(phone)

        def is_so() -> bool:
            with self.database.begin() as session:
                log = session.get_one(SyncLog, log_id)
            return (log.status, log.error_code) == outcome

        wait_for(is_so)

    def _wait_until_idle(self) -> None:
        claimed = "SELECT count(*) FROM hubspot_sync_logs WHERE claimed_by IS NOT NULL"
        due = "SELECT count(*) FROM hubspot_sync_logs WHERE next_attempt_at <= now()"
        wait_for(lambda: not self._scalar(claimed) and not self._scalar(due))

    def _is_ready(self) -> bool:
        return requests.get(f"{self.stack.api_url}/readyz", timeout=TIMEOUT_S).ok

    def _keep_house(self) -> None:
        with make_celery(self.stack.env["REDIS_URL"]) as app:
            app.send_task(HOUSEKEEPING_TASK)

    def _count(self, query: Any) -> int:
        with self.database.begin() as session:
            return len(session.scalars(query).all())

    def _scalar(self, query: str) -> int:
        with self.database.begin() as session:
            return int(session.execute(text(query)).scalar_one())

    def _execute(self, statement: str) -> None:
        with self.database.begin() as session:
            session.execute(text(statement))
