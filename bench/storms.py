"""What one tenant can do to another: its worst habits, as a client that never heeds a refusal.

The client is a process of its own at the lowest priority, because it shares the processors with
what it attacks, and asks at fixed rates: each is several times what the quotas allow.
"""

import asyncio
import json
import multiprocessing
import os
import secrets
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from typing import Any, Final
from urllib.parse import urlsplit

from standardwebhooks import Webhook

from local.producer import WEBHOOK_PATH

NICENESS: Final = 19
AT_ONCE: Final = 32
UNREAD: Final = 48
ANSWER_TIMEOUT_S: Final = 20.0
MEBIBYTE: Final = 1024 * 1024
START_TIMEOUT_S: Final = 60.0
ARRAY: Final = 1000
REFUSED: Final = 503


@dataclass(frozen=True)
class Abuser:
    """One tenant, with a secret of its own.

    Attributes:
        api_url: Whom it asks.
        call: The data of a call of its own, but for the id.
    """

    api_url: str
    token: str
    secret: str
    call: Mapping[str, Any]

    def ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        """A request to the dashboard's API."""
        headers = {"Authorization": f"Bearer {self.token}"}
        return self._write(method, f"/api/hubspot/{path}", headers, body)

    def post_call(self) -> bytes:
        """A webhook about a call that nobody sent before."""
        return self._post(json.dumps({"type": "call.ended", "data": self._new_call()}))

    def post_array(self) -> bytes:
        """As many calls at once as an array may hold."""
        return self._post(json.dumps([self._new_call() for _ in range(ARRAY)]))

    def _new_call(self) -> dict[str, Any]:
        return {**self.call, "call_id": f"storm_{secrets.token_hex(8)}"}

    def _post(self, body: str) -> bytes:
        now, delivery = datetime.now(UTC), f"msg_{secrets.token_hex(8)}"
        headers = {
            "webhook-id": delivery,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(self.secret).sign(delivery, now, body),
        }
        return self._write("POST", WEBHOOK_PATH, headers, body.encode())

    def _write(self, method: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
        lines = [
            f"{method} {path} HTTP/1.1",
            f"Host: {urlsplit(self.api_url).netloc}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            "Connection: close",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


@dataclass(frozen=True)
class Habit:
    """What is asked again and again, so many times a second; `is_read` says whether to the end."""

    per_second: float
    make: Callable[[Abuser], bytes]
    is_read: bool = True


def _preview(abuser: Abuser) -> bytes:
    return abuser.ask("POST", "preview", b'{"phone_number": "+12022000001"}')


WEBHOOKS: Final = "webhooks with a secret of its own"
HABITS: Final[Mapping[str, Habit]] = {
    "exports one after the other": Habit(2, lambda a: a.ask("GET", "sync-logs/export")),
    "exports that nobody reads": Habit(2, lambda a: a.ask("GET", "sync-logs/export"), False),
    "initiate": Habit(20, lambda a: a.ask("GET", "oauth/initiate")),
    "previews": Habit(10, _preview),
    "retries of all that failed": Habit(
        5, lambda a: a.ask("POST", "sync-logs/retry", b'{"status": "error"}')
    ),
    "settings of 1 MiB": Habit(5, lambda a: a.ask("PATCH", "settings", b" " * MEBIBYTE)),
    "statistics": Habit(60, lambda a: a.ask("GET", "statistics?bucket=day")),
    WEBHOOKS: Habit(150, Abuser.post_call),
}


@contextmanager
def storm(abuser: Abuser, names: tuple[str, ...]) -> Iterator[Counter[str]]:
    """Have a tenant indulge in some of `HABITS` inside the block.

    Yields:
        What was answered, as `habit status` and how often; filled when the block ends.
    """
    here, there = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_rage, args=(abuser, names, there), daemon=True)
    process.start()
    try:
        if not here.poll(START_TIMEOUT_S):
            raise TimeoutError("the storm did not begin")
        here.recv()
        answered: Counter[str] = Counter()
        yield answered
        here.send("enough")
        answered.update(here.recv())
    finally:
        process.terminate()
        process.join()


def use_up_webhooks(abuser: Abuser) -> None:
    """Send calls until they are refused, because what is not used is kept and lasts for a while.

    Then wait until one is taken again: from then on they are taken as the quota has it.
    """
    while asyncio.run(_ask(abuser.api_url, abuser.post_array())) != REFUSED:
        pass
    while asyncio.run(_ask(abuser.api_url, abuser.post_call())) == REFUSED:
        time.sleep(0.5)


def _rage(abuser: Abuser, names: tuple[str, ...], told: Connection) -> None:
    os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
    told.send("begun")
    told.send(asyncio.run(_indulge(abuser, [(name, HABITS[name]) for name in names], told)))


async def _indulge(
    abuser: Abuser, habits: list[tuple[str, Habit]], told: Connection
) -> Counter[str]:
    answered: Counter[str] = Counter()
    tasks = [asyncio.create_task(_repeat(abuser, *each, answered)) for each in habits]
    await asyncio.to_thread(told.recv)  # until it is enough
    for each in tasks:
        each.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return answered


async def _repeat(abuser: Abuser, name: str, habit: Habit, answered: Counter[str]) -> None:
    free = asyncio.Semaphore(AT_ONCE)
    unread: deque[asyncio.StreamWriter] = deque()
    running: set[asyncio.Task[None]] = set()

    async def once() -> None:
        async with free:
            try:
                if habit.is_read:
                    status = await _ask(abuser.api_url, habit.make(abuser))
                else:
                    status = await _begin(abuser.api_url, habit.make(abuser), unread)
            except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
                answered[f"{name}: {type(error).__name__}"] += 1
            else:
                answered[f"{name}: {status}"] += 1

    try:
        while True:
            if not free.locked():
                task = asyncio.create_task(once())
                running.add(task)
                task.add_done_callback(running.discard)
            await asyncio.sleep(1 / habit.per_second)
    finally:
        for each in unread:
            each.close()


async def _ask(url: str, request: bytes) -> int:
    """Send a request and read the answer to its end; returns the status."""
    parts = urlsplit(url)
    async with asyncio.timeout(ANSWER_TIMEOUT_S):
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            writer.write(request)
            with suppress(ConnectionError):  # refused before it was sent whole
                await writer.drain()
            status = int((await reader.readexactly(12))[9:])
            while await reader.read(MEBIBYTE):
                pass
        finally:
            writer.close()
    return status


async def _begin(url: str, request: bytes, unread: deque[asyncio.StreamWriter]) -> int:
    """Send a request and read the first line of its answer, and no more while there is room."""
    parts = urlsplit(url)
    async with asyncio.timeout(ANSWER_TIMEOUT_S):
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=1024)
        writer.write(request)
        status = int((await reader.readexactly(12))[9:])
    unread.append(writer)
    if len(unread) > UNREAD:
        unread.popleft().close()
    return status
