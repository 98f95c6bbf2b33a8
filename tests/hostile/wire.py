"""Requests written byte by byte, and everything that the server sends back for them."""

import re
import socket
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cached_property

from tests.api.test_server import connect

_HEAD = re.compile(rb"HTTP/1\.[01] (\d{3}) .*?\r\n\r\n", re.DOTALL)


@dataclass(frozen=True)
class Conversation:
    """What came back on one connection until the server closed it."""

    raw: bytes

    @cached_property
    def statuses(self) -> list[int]:
        return [int(match[1]) for match in _HEAD.finditer(self.raw)]

    @property
    def text(self) -> str:
        return self.raw.decode("latin-1")

    @property
    def headers(self) -> dict[str, str]:
        """Those of the first answer, by name in lower case."""
        lines = self.text.partition("\r\n\r\n")[0].split("\r\n")[1:]
        return {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}


def request(
    line: str, *headers: str, signed: Mapping[str, str] | None = None, body: bytes = b""
) -> bytes:
    """A request as it goes over the wire, with exactly these headers."""
    given = [f"{name}: {value}" for name, value in (signed or {}).items()]
    return "\r\n".join([line, *headers, *given, "", ""]).encode("latin-1") + body


def talk(server_url: str, raw: bytes) -> Conversation:
    """Send everything and read until the server closes the connection."""
    received = bytearray()
    with connect(server_url) as connection, suppress(ConnectionError):
        connection.sendall(raw)
        while part := connection.recv(65_536):
            received += part
    return Conversation(bytes(received))


def open_and_stall(server_url: str, raw: bytes, *, times: int) -> ExitStack:
    """Send the beginning of a request on many connections, which stay open with the stack."""
    stack = ExitStack()
    for _ in range(times):
        connection: socket.socket = stack.enter_context(connect(server_url))
        connection.sendall(raw)
    return stack
