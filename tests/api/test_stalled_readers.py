"""Readers who take nothing are given up, without holding others up meanwhile."""

import os
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from api.http.slow_peers import READERS_PATIENCE_S, give_up_stalled_readers

LIMIT = getattr(socket, "TCP_USER_TIMEOUT", None)
pytestmark = pytest.mark.skipif(LIMIT is None, reason="This system has no TCP_USER_TIMEOUT.")


def list_open_files() -> list[str]:
    return sorted(each.name for each in Path("/proc/self/fd").iterdir())


@contextmanager
def few_files_left(count: int) -> Iterator[None]:
    """Let this process open no more than so many files inside the block."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        highest = max(map(int, list_open_files()))
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, hard))
        spares = []
        with suppress(OSError):
            while True:
                spares.append(stack.enter_context(Path(os.devnull).open()))
        for each in spares[:count]:
            each.close()
        yield


def test_every_connection_has_the_limit_where_few_files_may_be_opened() -> None:
    assert LIMIT is not None
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        ends = []
        for _ in range(20):
            stack.enter_context(socket.create_connection(server.getsockname()))
            ends.append(stack.enter_context(server.accept()[0]))
        stranger = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        other = stack.enter_context(socket.create_connection(stranger.getsockname()))
        before = list_open_files()
        with few_files_left(2):
            give_up_stalled_readers()
        for each in (server, *ends):
            assert each.getsockopt(socket.IPPROTO_TCP, LIMIT) == READERS_PATIENCE_S * 1000
        assert other.getsockopt(socket.IPPROTO_TCP, LIMIT) == 0
        assert list_open_files() == before


def test_process_without_files_left_goes_on() -> None:
    with few_files_left(0):
        give_up_stalled_readers()
