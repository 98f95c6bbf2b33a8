"""Hostile bodies against the API and a worker that get no more memory than Compose gives them.

The limits are real: the kernel ends who exceeds one. In each scene no process ends, and a
neighbour's ordinary call is taken and becomes a note.
"""

import json
import re
import secrets
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from threading import Barrier, Thread
from typing import Any, Final, Self

import psutil
import pytest
import requests
import yaml
from standardwebhooks import Webhook

from bench.peaks import SENTENCE, WORDS, make_transcript
from bench.rig import Rig, Workspace
from local import services
from local.databases import PROJECT
from local.processes import Command, free_port
from local.producer import WEBHOOK_PATH
from local.services import Service
from local.stack import Stack
from shared.broker.celery_app import WORKER_THREADS
from tests.hostile.limits import MemoryLimit, limited
from tests.hostile.test_signatures import secret_of
from tests.hostile.wire import request
from tests.local.waiting import wait_for
from tests.thoroughness import IS_THOROUGH

COMPOSE: Final = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())["services"]
DOCKERFILE: Final = (PROJECT / "Dockerfile").read_text()
MIB: Final = 1024 * 1024
SECRETS: Final = 201
PHONE: Final = "+12025550123"
TIMEOUT_S: Final = 240

Delivery = tuple[bytes, dict[str, str]]


def limit_of(service: str) -> int:
    """Bytes that Compose allows a service."""
    found = re.fullmatch(r"(\d+)m", COMPOSE[service]["mem_limit"])
    assert found
    return int(found[1]) * MIB


class LimitedStack(Stack):
    """A stack whose API and worker are limited."""

    def __init__(self, limits: dict[str, MemoryLimit], **options: Any) -> None:
        super().__init__(**options)
        self.limits = limits

    def _command(self, service: Service) -> Command:
        command = super()._command(service)
        limit = self.limits.get(service.name)
        if limit is None:
            return command
        return replace(command, arguments=limit.command(service.arguments))


@dataclass
class Scene:
    """A limited service, an attacked workspace, and a neighbour who wants nothing but service."""

    rig: Rig
    limits: dict[str, MemoryLimit]
    attacked: Workspace
    neighbour: Workspace
    health_url: str
    pids: set[int]

    @classmethod
    def of(cls, rig: Rig, limits: dict[str, MemoryLimit], health_url: str) -> Self:
        attacked, neighbour = rig.connect_workspaces(2)
        for workspace in (attacked, neighbour):
            rig.add_contacts(workspace, [PHONE])
        scene = cls(rig, limits, attacked, neighbour, health_url, set())
        scene.pids = scene.running()
        return scene

    @property
    def url(self) -> str:
        return self.rig.stack.api_url + WEBHOOK_PATH

    def running(self) -> set[int]:
        """The processes under a limit; each is."""
        found = set()
        for name, limit in self.limits.items():
            parent = psutil.Process(self.rig.stack.process(name).pid)
            family = {each.pid for each in (parent, *parent.children(recursive=True))}
            assert all(limit.holds(pid) for pid in family)
            found |= family
        return found

    def call(self, workspace: Workspace, **data: Any) -> bytes:
        event = {"type": "call.ended", "data": workspace.call(PHONE) | data}
        return json.dumps(event).encode()

    def sign(self, body: bytes, secret: str = secret_of(0)) -> Delivery:
        now, delivery = datetime.now(UTC), f"msg_{secrets.token_hex(8)}"
        return body, {
            "webhook-id": delivery,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(secret).sign(delivery, now, body.decode()),
        }

    def forge(self, body: bytes) -> Delivery:
        return body, self.sign(b"")[1]

    def post(self, delivery: Delivery) -> int:
        body, headers = delivery
        return requests.post(self.url, data=body, headers=headers, timeout=TIMEOUT_S).status_code

    def post_at_once(self, deliveries: Sequence[Delivery], at_once: int) -> Counter[int]:
        with ThreadPoolExecutor(at_once) as pool:
            return Counter(pool.map(self.post, deliveries))

    def post_until_accepted(self, body: bytes) -> None:
        """Send as a producer does: again, while we are told to come later."""
        statuses = []
        while (status := self.post(self.sign(body))) != 202:
            statuses.append(status)
            assert set(statuses) == {503}
            assert len(statuses) < 60

    def serves_neighbour(self) -> None:
        """A call of the neighbour's is taken at the first try, and becomes a note."""
        assert requests.get(f"{self.health_url}/healthz", timeout=TIMEOUT_S).ok
        known = self.rig.count("success", self.neighbour)
        assert self.post(self.sign(self.call(self.neighbour))) == 202
        wait_for(lambda: self.rig.count("success", self.neighbour) == known + 1)

    def while_served(self, attack: Callable[[], None]) -> None:
        """Serve the neighbour again and again until the attack is over, and after it."""
        with ThreadPoolExecutor(1) as pool:
            attacking = pool.submit(attack)
            self.serves_neighbour()
            while not attacking.done():
                self.serves_neighbour()
            attacking.result()
        self.serves_neighbour()
        assert self.running() == self.pids

    def notes(self) -> int:
        return len(self.rig.sandbox.notes(self.attacked.hub_id))

    def attempts(self) -> set[tuple[str, int]]:
        rows = self.rig.postgres.execute(
            "SELECT status, attempts FROM hubspot_sync_logs WHERE user_id = %s",
            [self.attacked.user_id],
        )
        return {(str(status), int(attempts)) for status, attempts in rows.fetchall()}


@pytest.fixture(scope="module")
def service() -> Iterator[tuple[Rig, dict[str, MemoryLimit], str]]:
    arena = re.search(r"MALLOC_ARENA_MAX=\d+", DOCKERFILE)
    assert arena
    health_port = free_port()
    keys = [
        secret_of(0),
        *(f"ws_many_{number}={secret_of(number)}" for number in range(1, SECRETS)),
    ]
    with ExitStack() as stack:
        limits = {
            "api": stack.enter_context(limited(limit_of("api"), threads=services.API_THREADS + 20)),
            "worker-1": stack.enter_context(
                limited(limit_of("worker"), threads=WORKER_THREADS + 20)
            ),
        }
        rig = Rig(latency_ms=0)
        rig.stack = LimitedStack(
            limits,
            beat=False,
            durable=False,
            env={
                "WEBHOOK_SECRETS": ",".join(keys),
                "HEALTH_PORT": str(health_port),
                "MALLOC_ARENA_MAX": arena[0].partition("=")[2],
            },
        )
        stack.enter_context(rig)
        rig.sandbox.set_behaviour(enforces_limits=False)
        yield rig, limits, f"http://127.0.0.1:{health_port}"


@pytest.fixture
def scene(service: tuple[Rig, dict[str, MemoryLimit], str]) -> Scene:
    rig, _, _ = service
    rig.postgres.execute("DELETE FROM hubspot_sync_logs")
    return Scene.of(*service)


def test_commands_are_those_of_compose() -> None:
    ours = {each.lstrip("-") for each in services.api("http://127.0.0.1:8000").arguments}
    theirs = [each.lstrip("-").split("=") for each in COMPOSE["api"]["command"]]
    given = {word for each in theirs for word in each} - {"0.0.0.0"}
    assert given <= ours


def test_strangers_webhooks_of_full_size(scene: Scene) -> None:
    body = scene.call(scene.attacked, transcript=make_transcript(WORDS))
    answers: Counter[int] = Counter()

    def attack() -> None:
        sent = [(body, {}) if number % 2 else scene.forge(body) for number in range(256)]
        answers.update(scene.post_at_once(sent, 128))

    scene.while_served(attack)
    assert answers[401] >= 128
    assert answers.keys() <= {401, 503}
    assert scene.notes() == 0


def test_bodies_whose_last_byte_is_withheld_until_all_are_there(scene: Scene) -> None:
    count, held = 200 if IS_THOROUGH else 80, 32
    transcript = make_transcript(SENTENCE)
    statuses: list[int] = []
    everybody = Barrier(count + 1)

    def send() -> None:
        delivery, headers = scene.sign(scene.call(scene.attacked, transcript=transcript))
        length = f"Content-Length: {len(delivery)}"
        raw = request(
            f"POST {WEBHOOK_PATH} HTTP/1.1",
            *("Host: x", length, "Connection: close"),
            signed=headers,
            body=delivery,
        )
        port = int(services.port_of(scene.rig.stack.api_url))
        with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as connection:
            # What has no room yet is not read: all but what the kernel takes waits.
            connection.sendall(raw[: len(raw) - len(delivery) + 60_000])
            everybody.wait(TIMEOUT_S)
            connection.sendall(raw[len(raw) - len(delivery) + 60_000 : -1])
            everybody.wait(TIMEOUT_S)
            connection.sendall(raw[-1:])
            statuses.append(int(connection.recv(12)[-3:]))

    def attack() -> None:
        senders = [Thread(target=send) for _ in range(count)]
        for each in senders:
            each.start()
        everybody.wait(TIMEOUT_S)
        everybody.wait(TIMEOUT_S)
        for each in senders:
            each.join()

    scene.while_served(attack)
    assert len(statuses) == count
    assert set(statuses) <= {202, 503}
    assert statuses.count(202) >= held // 2
    wait_for(lambda: scene.attempts() == {("success", 1)})
    assert scene.notes() == statuses.count(202)


def test_strangers_arrays_beside_a_genuine_one(scene: Scene) -> None:
    large = b"[" + b" " * (16 * MIB - 2) + b"]"
    calls = [scene.call(scene.attacked, summary="x" * 600_000) for _ in range(2)]
    genuine = b"[" + b",".join(calls) + b"]"
    answers: Counter[int] = Counter()

    def attack() -> None:
        sent = [(large, {}) if number % 2 else scene.forge(large) for number in range(24)]
        answers.update(scene.post_at_once(sent, 12))

    def attack_and_send() -> None:
        with ThreadPoolExecutor(1) as pool:
            attacking = pool.submit(attack)
            scene.post_until_accepted(genuine)
            attacking.result()

    scene.while_served(attack_and_send)
    assert answers[401] >= 12
    assert answers.keys() <= {401, 503}
    wait_for(lambda: scene.notes() == 2)


def test_many_transcripts_of_full_size_of_one_tenant(scene: Scene) -> None:
    transcript, count = make_transcript(WORDS), 100 if IS_THOROUGH else 40

    def attack() -> None:
        bodies = [scene.call(scene.attacked, transcript=transcript) for _ in range(count)]
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(scene.post_until_accepted, bodies))

    scene.while_served(attack)
    wait_for(lambda: scene.attempts() == {("success", 1)})
    assert scene.notes() == count


def test_numbers_that_are_short_only_as_json(scene: Scene) -> None:
    data = {"a": [1e308] * 170_000}

    def attack() -> None:
        bodies = [
            scene.call(scene.attacked, structured_data=data).replace(b"1e+308, ", b"1e308,")
            for _ in range(12)
        ]
        with ThreadPoolExecutor(12) as pool:
            list(pool.map(scene.post_until_accepted, bodies))

    scene.while_served(attack)
    wait_for(lambda: scene.attempts() == {("success", 1)})
    assert scene.notes() == 12


def test_slow_bodies_on_every_thread_leave_probes_alone(scene: Scene) -> None:
    body, headers = scene.forge(b"x" * 1000)
    raw = request(
        f"POST {WEBHOOK_PATH} HTTP/1.1",
        "Host: x",
        "Content-Length: 1000",
        signed=headers,
        body=body,
    )
    port = int(services.port_of(scene.rig.stack.api_url))
    with ExitStack() as stack:
        senders = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S))
            for _ in range(services.API_THREADS + 4)
        ]
        for each in senders:
            each.sendall(raw[:-500])
        wait_for(lambda: is_held(scene))
        for path in ("/healthz", "/readyz", "/metrics"):
            assert requests.get(scene.health_url + path, timeout=TIMEOUT_S).ok
        for each in senders:
            each.sendall(raw[-500:])
        # Later, if scenes before have used up what is hashed for strangers.
        assert {each.recv(12) for each in senders} <= {b"HTTP/1.1 401", b"HTTP/1.1 503"}
    scene.serves_neighbour()
    assert scene.running() == scene.pids


def is_held(scene: Scene) -> bool:
    """Whether nobody is answered any more, not even at once."""
    try:
        return not requests.get(f"{scene.rig.stack.api_url}/healthz", timeout=1).ok
    except requests.Timeout:
        return True
