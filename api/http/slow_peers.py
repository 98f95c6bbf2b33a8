"""Those who send or read slowly: bodies that nobody reads, and readers who take nothing.

A server that hangs up while bytes come in resets the connection, and the sender learns nothing. So
the response is sent at once, and then what still comes of the body is read and thrown away: the
sender can end, and the next request begins where it should.
"""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any, Final

from flask import Flask, Response, g, request

# More than any route takes, and no copy of it.
MOST_BYTES: Final = 32 * 1024 * 1024
PART_BYTES: Final = 64 * 1024
# Who sends slowly holds a thread. Of these there are so many, and the next one is hung up on.
AT_ONCE: Final = 16
# Whoever sends little at a time gives its place up then; whoever sends nothing keeps it.
SENDERS_PATIENCE_S: Final = 20.0
# One of the server's threads waits for each of them.
READERS_PATIENCE_S: Final = 60
_OPEN_FILES: Final = Path("/proc/self/fd")
_INTERNET: Final = frozenset({socket.AF_INET, socket.AF_INET6})


def discard_bodies(app: Flask) -> None:
    """Read what is left of a request's body once the response is sent."""
    free = BoundedSemaphore(AT_ONCE)

    @app.after_request
    def discard(response: Response) -> Response:
        if _may_have_more():
            response.call_on_close(partial(_discard, request.environ["wsgi.input"], free))
        return response


def _may_have_more() -> bool:
    if g.get("body_is_read") or not (
        request.content_length or "Transfer-Encoding" in request.headers
    ):
        return False
    # Who sends this waits for our word before the body. And without an end that the server marks,
    # to read on might be to read the next request.
    return "Expect" not in request.headers and bool(request.environ.get("wsgi.input_terminated"))


def _discard(body: Any, free: BoundedSemaphore) -> None:
    if not free.acquire(blocking=False):
        return
    try:
        left, end = MOST_BYTES, time.monotonic() + SENDERS_PATIENCE_S
        while left > 0 and time.monotonic() < end and (part := body.read(PART_BYTES)):
            left -= len(part)
    except OSError:
        pass  # the sender has hung up
    finally:
        free.release()


def give_up_stalled_readers() -> None:
    """Have the kernel end connections of whoever takes nothing for `READERS_PATIENCE_S`.

    A server writes a response piece by piece, and waits without limit for room in the connection.
    WSGI has no word for that limit, and gives an application no access to its connection. So it is
    set on the sockets that this process listens on, from which later connections inherit it, and on
    those that are open. Time counts from when the reader's window closed, or from what it did not
    acknowledge (`TCP_USER_TIMEOUT`, RFC 5482); who reads, however slowly, is never given up.

    Where there is no Linux it is left to the proxy.
    """
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is None or not _OPEN_FILES.exists():
        return
    # Twice, because to hold all of them open would take the files that other threads need.
    ports = {each.getsockname()[1] for each in _list_sockets() if _listens(each)}
    for each in _list_sockets():
        with suppress(OSError):  # closed meanwhile
            if each.getsockname()[1] in ports:
                each.setsockopt(socket.IPPROTO_TCP, option, READERS_PATIENCE_S * 1000)


def _list_sockets() -> Iterator[socket.socket]:
    """This process's TCP sockets, each as a copy that is open until the next one is asked for."""
    with suppress(OSError):  # no file may be opened any more
        for number in os.listdir(_OPEN_FILES):  # noqa: PTH208 -- numbers, not paths
            with suppress(OSError):
                copy = os.dup(int(number))
                try:
                    found = socket.socket(fileno=copy)
                except OSError:
                    os.close(copy)
                    continue
                with found:
                    if found.family in _INTERNET and found.type == socket.SOCK_STREAM:
                        yield found


def _listens(found: socket.socket) -> bool:
    with suppress(OSError):
        return bool(found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    return False
