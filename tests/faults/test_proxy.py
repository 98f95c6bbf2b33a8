"""The proxy does to connections what it says."""

import gc
import socket
import struct
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from faults.proxies.postgres_wire import COMMITTED, Conversation, Conversations
from faults.proxies.proxy import Proxy
from faults.proxies.traps import AnswerTrap, CommitTrap, RequestTrap

TIMEOUT_S = 240.0


def echo(connection: socket.socket) -> None:
    with connection, suppress(OSError):
        while data := connection.recv(1024):
            connection.sendall(data)


@pytest.fixture
def conversations() -> Conversations:
    return Conversations()


@pytest.fixture
def proxy(conversations: Conversations) -> Iterator[Proxy]:
    """A proxy before a server that says back what it hears."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=echo, args=[server.accept()[0]], daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    with server, Proxy(server.getsockname()[1], conversations) as proxy:
        yield proxy
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=TIMEOUT_S) as client:
        yield client


def ask(client: socket.socket, text: bytes = b"hello") -> bytes:
    client.sendall(text)
    return client.recv(1024)


def test_healthy_proxy_carries_both_ways(client: socket.socket) -> None:
    assert ask(client) == b"hello"


def test_cut_ends_connections_in_order(proxy: Proxy, client: socket.socket) -> None:
    ask(client)

    assert proxy.cut() == 1

    assert client.recv(1024) == b""


def test_reset_ends_connections_with_an_error(proxy: Proxy, client: socket.socket) -> None:
    ask(client)

    proxy.cut(is_reset=True)

    with pytest.raises(ConnectionResetError):
        client.recv(1024)


def test_refusing_proxy_takes_nobody_until_it_is_healed(proxy: Proxy) -> None:
    proxy.refuse()
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=TIMEOUT_S) as refused:
        assert refused.recv(1024) == b""

    proxy.heal()

    with socket.create_connection(("127.0.0.1", proxy.port), timeout=TIMEOUT_S) as client:
        assert ask(client) == b"hello"


def test_half_open_connection_is_silent_and_stays_so(proxy: Proxy, client: socket.socket) -> None:
    ask(client)
    client.settimeout(0.2)

    proxy.half_open()
    with pytest.raises(TimeoutError):
        ask(client)
    proxy.heal()
    with pytest.raises(TimeoutError):
        ask(client)

    proxy.bury()
    client.settimeout(TIMEOUT_S)
    assert client.recv(1024) == b""


@pytest.mark.parametrize("how", ["delay", "throttle"])
def test_slow_proxy_takes_its_time(proxy: Proxy, client: socket.socket, how: str) -> None:
    ask(client)
    if how == "delay":
        proxy.delay_s = 0.1
    else:
        proxy.bytes_per_s = 50
    started = time.monotonic()

    ask(client)

    assert time.monotonic() - started >= 0.2


@pytest.mark.parametrize("is_after", [False, True])
def test_request_is_held_and_then_cut(proxy: Proxy, client: socket.socket, is_after: bool) -> None:
    trap = RequestTrap("/search", is_after=is_after)
    proxy.traps.append(trap)
    assert ask(client, b"/other") == b"/other"

    client.sendall(b"/search")

    assert trap.wait(TIMEOUT_S).client_port == client.getsockname()[1]
    trap.release()
    assert client.recv(1024) == b""


def test_request_that_is_held_may_go_on(proxy: Proxy, client: socket.socket) -> None:
    trap = RequestTrap("/search", is_after=True, goes_on=True)
    proxy.traps.append(trap)

    client.sendall(b"/search")
    trap.wait(TIMEOUT_S)
    trap.release()

    assert client.recv(1024) == b"/search"


def test_answer_is_given_away_and_reaches_nobody(proxy: Proxy, client: socket.socket) -> None:
    trap = AnswerTrap("task")
    proxy.traps.append(trap)
    assert ask(client, b"other") == b"other"

    client.sendall(b"task")
    trap.wait(TIMEOUT_S)
    trap.release()

    assert client.recv(1024) == b""


@pytest.mark.parametrize("ends", [0, 1], ids=["the client", "the server"])
def test_socket_of_a_half_open_connection_that_one_side_left_is_closed_in_the_end(
    conversations: Conversations, ends: int
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        with (
            Proxy(server.getsockname()[1], conversations) as proxy,
            socket.create_connection(("127.0.0.1", proxy.port), timeout=TIMEOUT_S) as client,
        ):
            upstream, _ = server.accept()
            with upstream:
                upstream.settimeout(TIMEOUT_S)
                client.sendall(b"x")
                assert upstream.recv(1) == b"x"  # it is carried, so the proxy knows it
                proxy.half_open()
                (client, upstream)[ends].close()
                stays = (client, upstream)[1 - ends]
                stays.settimeout(0.05)
                with pytest.raises(TimeoutError):
                    stays.recv(1)  # the other side hears nothing of it
                proxy.bury()
                stays.settimeout(TIMEOUT_S)
                with suppress(ConnectionResetError):
                    assert stays.recv(1) == b""
        gc.collect()


def test_closed_proxy_keeps_no_connection_that_was_on_its_way(
    monkeypatch: pytest.MonkeyPatch, conversations: Conversations
) -> None:
    is_connecting, may_go_on = threading.Event(), threading.Event()
    connect = socket.create_connection

    def connect_late(*where: Any, **how: Any) -> socket.socket:
        is_connecting.set()
        may_go_on.wait(TIMEOUT_S)
        return connect(*where, **how)

    with socket.create_server(("127.0.0.1", 0)) as server:
        proxy = Proxy(server.getsockname()[1], conversations)
        monkeypatch.setattr("faults.proxies.proxy.socket.create_connection", connect_late)
        with connect(("127.0.0.1", proxy.port), timeout=TIMEOUT_S) as client:
            assert is_connecting.wait(TIMEOUT_S)
            proxy.close()
            may_go_on.set()
            assert client.recv(1) == b""


def test_trap_that_nobody_comes_to_says_so() -> None:
    with pytest.raises(TimeoutError):
        RequestTrap("/search", is_after=False).wait(0.01)


def message(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("!i", len(content) + 4) + content


STARTUP = message(b"", b"\0\x03\0\0user\0me\0\0")
PREPARE = message(b"P", b"one\0UPDATE calls SET x = 1\0\0\0")
BIND = message(b"B", b"\0one\0\0\0\0\0\0\0")
BEGIN = message(b"Q", b"BEGIN\0")
COMMIT = message(b"Q", b"COMMIT\0")


def commits(conversation: Conversation) -> bool:
    """A function, or mypy takes what was asserted first for what holds from then on."""
    return conversation.commits


def test_commit_is_caught_only_after_the_statement_it_is_about() -> None:
    conversation = Conversation()
    conversation.hear(STARTUP + PREPARE)
    conversation.hear(COMMIT)
    assert commits(conversation)
    assert not conversation.has_run("UPDATE calls")  # prepared, not run

    conversation.hear(BEGIN)
    conversation.hear(BIND[:5])
    conversation.hear(BIND[5:])
    assert not commits(conversation)
    conversation.hear(COMMIT)

    assert commits(conversation)
    assert conversation.has_run("UPDATE calls")


def test_statement_outside_a_transaction_commits_itself() -> None:
    conversation = Conversation()
    conversation.hear(STARTUP + PREPARE)
    assert not commits(conversation)

    conversation.hear(BIND)
    assert commits(conversation)
    assert conversation.has_run("UPDATE calls")

    conversation.hear(BEGIN)
    assert not commits(conversation)
    assert not conversation.has_run("UPDATE calls")


def test_commit_whose_answer_is_kept_from_the_client(
    proxy: Proxy, conversations: Conversations, client: socket.socket
) -> None:
    trap = CommitTrap(conversations, "UPDATE calls", is_after=True)
    proxy.traps.append(trap)
    ask(client, STARTUP + PREPARE + BEGIN)
    ask(client, BIND)
    ask(client, COMMIT)  # the echo is no answer to a commit
    client.sendall(COMMITTED)

    trap.wait(TIMEOUT_S)
    trap.release()

    assert client.recv(1024) == b""
