"""Brings docker-compose.yml up and breaks it: `python -m deploy.compose.check`.

Needs Docker, the images (of an image registry, or of stand-in-images), and an `.env` made by
`callsync init --sandbox`. Ends with 0 if every webhook became exactly one note although
workers, Redis and Postgres were killed meanwhile. What it starts stays up.
"""

import re
import secrets
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

import requests

from local.producer import Producer, WebhookRefusedError
from local.visitor import Visitor, sign_in
from sandbox.client import SandboxControl

WORKERS: Final = 4
CALLS: Final = 1000
SENDERS: Final = 8
PAUSE_S: Final = 0.2  # 40 calls a second: the breaking takes as long as the sending
DELIVERED_TWICE: Final = 10  # every tenth
CALLERS: Final = 100
CALL_ID: Final = re.compile(r"Call ID: (check-[0-9a-z-]+)")
USER_ID, WORKSPACE_ID = "check-user", "check-workspace"
TIMEOUT_S: Final = 300
OUR_OWN: Final = ("proxy", "api", "worker", "beat", "flower", "sandbox")
KEYLESS: Final = ("beat", "flower", "proxy")
KEYS: Final = (
    *("DATABASE_URL", "DATABASE_OWNER_URL", "HUBSPOT_CLIENT_SECRET", "TOKEN_ENCRYPTION_KEYS"),
    *("WEBHOOK_SECRETS", "JWT_SECRET", "POSTGRES_PASSWORD"),
)
# What a process may do at most, as its kernel sees it: nothing, and never more.
UNPRIVILEGED: Final = ("CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1")


class CheckFailedError(Exception):
    """Something is not as it should be; the message says what."""


def main() -> None:
    settings = read_settings()
    start()
    for service in OUR_OWN:
        check_confinement(service)
    check_flower(settings)
    check_keys(settings)
    check_rights()
    run = secrets.token_hex(4)
    with connected(settings) as (sandbox, hub_id):
        first = Load(settings, f"check-{run}-killed")
        with first.running():
            break_things()
        report(f"{CALLS} calls accepted, {first.refused} deliveries had to be repeated")
        wait_for_notes(sandbox, hub_id, first.calls)
        report("each has one note")
        second = Load(settings, f"check-{run}-stopped")
        with second.running():
            stop_workers_gently()
            start()
        wait_for_notes(sandbox, hub_id, first.calls + second.calls)
    report(f"{CALLS} more calls, each has one note")


def start() -> None:
    """Bring the service up with several workers; returns when all of it is healthy."""
    started_at = time.monotonic()
    compose("up", "--detach", "--wait", "--scale", f"worker={WORKERS}")
    report(f"up, with {WORKERS} workers, after {time.monotonic() - started_at:.0f} s")


def read_settings() -> dict[str, str]:
    lines = Path(".env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def compose(*arguments: str) -> str:
    """Run `docker compose` and return what it prints; ends the check when it fails."""
    done = subprocess.run(
        ["docker", "compose", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )
    if done.returncode:
        raise CheckFailedError(f"docker compose {' '.join(arguments)}:\n{done.stderr[-2000:]}")
    return done.stdout.strip()


def execute(service: str, script: str, *, number: int = 1) -> str:
    return compose("exec", "-T", f"--index={number}", service, "sh", "-c", script)


def check_confinement(service: str) -> None:
    """The process has no rights, its files cannot be changed, and it can use /tmp."""
    found = execute(
        service,
        "id -u; cat /proc/self/status; touch /tmp/x && echo temporary;"
        " touch /usr/x /opt/x 2>/dev/null || echo read-only",
    )
    for fact in ("10001", *UNPRIVILEGED, "temporary", "read-only"):
        if fact not in found:
            raise CheckFailedError(f"{service} is not confined: {fact!r} is not true of it.")
    report(f"{service}: user 10001, no capabilities, read-only")


def check_flower(settings: dict[str, str]) -> None:
    url = f"http://127.0.0.1:{settings.get('FLOWER_PORT', '5555')}/api/workers"
    user, _, password = settings["FLOWER_BASIC_AUTH"].partition(":")
    for credentials, expected in (None, 401), ((user, "wrong"), 401), ((user, password), 200):
        answer = requests.get(url, auth=credentials, timeout=10)
        if answer.status_code != expected:
            raise CheckFailedError(f"Flower answered {answer.status_code} instead of {expected}.")
    report("Flower asks for its password")


def check_keys(settings: dict[str, str]) -> None:
    """Processes that need no key were given none, whatever its name."""
    for service in KEYLESS:
        given = execute(service, "cat /proc/1/environ")
        held = [name for name in KEYS if (key := settings.get(name)) and key in given]
        if held:
            raise CheckFailedError(f"{service} holds {', '.join(held)}.")
    report(f"{', '.join(KEYLESS)}: no key")


def check_rights() -> None:
    """The service may change rows and no tables; an old release's database says otherwise."""
    told = execute("api", "callsync doctor")
    if "has rights on rows, and no others" not in told:
        raise CheckFailedError(f"The service has other rights than those on rows:\n{told}")
    report("API and workers: rights on rows only")


@contextmanager
def connected(settings: dict[str, str]) -> Iterator[tuple[SandboxControl, int]]:
    """An account of the sandbox with contacts, connected through the OAuth flow."""
    token = sign_in(
        settings["JWT_SECRET"],
        user_id=USER_ID,
        workspace_id=WORKSPACE_ID,
        lasts=timedelta(hours=1),
    )
    with (
        SandboxControl(settings["HUBSPOT_APP_URL"]) as sandbox,
        Visitor(settings["PUBLIC_URL"], token) as visitor,
    ):
        hub_id = sandbox.add_account(ui_domain="")
        sandbox.add_contacts(hub_id, [{"phone": number_of(each)} for each in range(CALLERS)])
        visitor.connect(sandbox, hub_id)
        yield sandbox, hub_id


def number_of(caller: int) -> str:
    return f"+120255501{caller:02}"


class Load:
    """Webhooks from several senders at once, each call delivered until accepted, some twice."""

    def __init__(self, settings: dict[str, str], prefix: str) -> None:
        self._producer = Producer(settings["PUBLIC_URL"], settings["WEBHOOK_SECRETS"])
        self.calls = [f"{prefix}-{number}" for number in range(CALLS)]
        self.refused = 0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Send while the block runs; ends when all calls are accepted."""
        with ThreadPoolExecutor(SENDERS) as pool:
            sent = [pool.submit(self._send, number) for number in range(CALLS)]
            yield
        for each in sent:
            each.result()

    def _send(self, number: int) -> None:
        call = {
            "call_id": self.calls[number],
            "user_id": USER_ID,
            "workspace_id": WORKSPACE_ID,
            "phone_number": number_of(number % CALLERS),
            "summary": "Sent by the check of docker-compose.yml",
        }
        for _ in range(2 if number % DELIVERED_TWICE == 0 else 1):
            self._deliver(call)
        time.sleep(PAUSE_S)

    def _deliver(self, call: dict[str, str]) -> None:
        give_up_at = time.monotonic() + TIMEOUT_S
        while True:
            try:
                self._producer.post_call(call)
            except (WebhookRefusedError, requests.RequestException):
                self.refused += 1
                if time.monotonic() > give_up_at:
                    raise
                time.sleep(0.5)
            else:
                return


def kill(service: str, *, number: int = 1) -> None:
    """SIGKILL everything in a container but its init, as running out of memory would."""
    execute(service, "kill -9 -1", number=number)
    report(f"{service} {number}: killed")


def break_things() -> None:
    """Kill two workers, Redis, Postgres and another worker, one after the other."""
    time.sleep(2)
    kill("worker", number=1)
    kill("worker", number=2)
    time.sleep(3)
    compose("kill", "redis")
    time.sleep(2)
    compose("start", "redis")
    report("redis: killed and started")
    time.sleep(3)
    compose("kill", "postgres")
    compose("start", "postgres")
    report("postgres: killed and started")
    kill("worker", number=3)
    compose("restart", "api")
    report("api: restarted")


def stop_workers_gently() -> None:
    """Workers that are asked to stop give their calls back; nothing is left claimed."""
    time.sleep(2)
    started_at = time.monotonic()
    compose("stop", "worker")
    seconds = time.monotonic() - started_at
    claimed = query("SELECT count(*) FROM hubspot_sync_logs WHERE claimed_by IS NOT NULL")
    if claimed != "0":
        raise CheckFailedError(f"Workers that had stopped still held {claimed} calls.")
    waiting = query("SELECT count(*) FROM hubspot_sync_logs WHERE status = 'pending'")
    report(f"workers stopped in {seconds:.1f} s, held no call, {waiting} wait for others")


def query(sql: str) -> str:
    return compose(
        *("exec", "-T", "postgres", "psql", "--username=callsync", "--tuples-only"),
        *("--no-align", "--command", sql),
    )


def wait_for_notes(sandbox: SandboxControl, hub_id: int, calls: list[str]) -> None:
    """Every call has exactly one note, now or soon."""
    give_up_at = time.monotonic() + TIMEOUT_S
    while True:
        bodies = [note.body for note in sandbox.notes(hub_id)]
        found = Counter(CALL_ID.findall(" ".join(bodies)))
        missing = set(calls) - set(found)
        if not missing:
            break
        if time.monotonic() > give_up_at:
            raise CheckFailedError(f"{len(missing)} calls have no note, {min(missing)} say.")
        time.sleep(1)
    if repeated := [call for call, times in found.items() if times > 1]:
        raise CheckFailedError(f"{len(repeated)} calls have several notes, {repeated[0]} say.")


def report(text: str) -> None:
    print(f"✓ {text}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except CheckFailedError as error:
        sys.exit(f"✗ {error}")
