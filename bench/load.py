"""Load on an HTTP server over kept connections, in a closed loop or at Poisson arrivals.

Requests are bytes that were made before, so that the generator costs the machine little.
"""

import asyncio
import gc
import random
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Final
from urllib.parse import urlsplit

CONNECTIONS: Final = 16
MOST_CONNECTIONS: Final = 200


@dataclass
class Load:
    """What was answered: seconds for each answer by arrival, and how many of each status."""

    seconds: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    lasted_s: float = 0.0

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.seconds) / self.lasted_s

    def percentile(self, percent: int) -> float:
        """Seconds within which so many percent were answered."""
        return quantiles(self.seconds, n=100, method="inclusive")[percent - 1]

    def require(self, status: int) -> None:
        """Raises RuntimeError unless every answer has this status."""
        if set(self.statuses) != {status}:
            raise RuntimeError(f"expected only {status}, got {self.statuses}")


def make_request(url: str, *, body: bytes, headers: dict[str, str]) -> bytes:
    """An HTTP/1.1 POST, as bytes."""
    parts = urlsplit(url)
    lines = [
        f"POST {parts.path} HTTP/1.1",
        f"Host: {parts.netloc}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def send_in_turn(url: str, requests: Sequence[bytes], *, connections: int = CONNECTIONS) -> Load:
    """Send all requests, each connection the next one as soon as it was answered."""
    return asyncio.run(_send_in_turn(url, requests, connections))


def send_at_rate(url: str, requests: Sequence[bytes], *, per_second: float, seed: int) -> Load:
    """Send requests at Poisson arrivals, however long answers take.

    An answer's time counts from when its request should have been sent.
    """
    # To look for garbage among all that a benchmark holds takes 60 ms, which would count as the
    # server's.
    gc.collect()
    gc.disable()
    try:
        return asyncio.run(_send_at_rate(url, requests, per_second, random.Random(seed)))
    finally:
        gc.enable()


async def _send_in_turn(url: str, requests: Sequence[bytes], connections: int) -> Load:
    load, waiting = Load(), iter(requests)

    async def work() -> None:
        connection = await _connect(url)
        for request in waiting:
            began = time.perf_counter()
            _note(load, await _ask(connection, request), began)
        connection[1].close()

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(connections)))
    load.lasted_s = time.perf_counter() - began
    return load


async def _send_at_rate(
    url: str, requests: Sequence[bytes], per_second: float, draws: random.Random
) -> Load:
    load = Load()
    free = asyncio.Semaphore(MOST_CONNECTIONS)
    # The one that lay idle longest first: the server closes what it does not hear of.
    idle: deque[_Connection] = deque()

    async def send(request: bytes, arrival: float) -> None:
        async with free:
            connection = idle.popleft() if idle else await _connect(url)
            _note(load, await _ask(connection, request), arrival)
            idle.append(connection)

    arrival = began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for request in requests:
            arrival += draws.expovariate(per_second)
            await asyncio.sleep(max(0.0, arrival - time.perf_counter()))
            group.create_task(send(request, arrival))
    load.lasted_s = time.perf_counter() - began
    for connection in idle:
        connection[1].close()
    return load


_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _connect(url: str) -> _Connection:
    parts = urlsplit(url)
    return await asyncio.open_connection(parts.hostname, parts.port)


async def _ask(connection: _Connection, request: bytes) -> int:
    """Send a request and read its answer to the end; return the status."""
    reader, writer = connection
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.partition(b":")[2])
        for line in head.lower().split(b"\r\n")
        if line.startswith(b"content-length:")
    )
    await reader.readexactly(length)
    return int(head[9:12])


def _note(load: Load, status: int, began: float) -> None:
    load.seconds.append(time.perf_counter() - began)
    load.statuses[status] = load.statuses.get(status, 0) + 1
