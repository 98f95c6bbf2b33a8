"""Gives up readers who take nothing for a while: one of the server's threads waits for each."""

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

PATIENCE_S: Final = 60
_OPEN_FILES: Final = Path("/proc/self/fd")
_INTERNET: Final = frozenset({socket.AF_INET, socket.AF_INET6})


def give_up_stalled_readers() -> None:
    """Have the kernel end connections to this server of whoever takes nothing for `PATIENCE_S`.

    A server writes an answer piece by piece, and waits without limit for room in the connection.
    WSGI has no word for that limit, and does not tell an application its connection. So it is set
    on the sockets that this process listens on, from which later connections inherit it, and on
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
                each.setsockopt(socket.IPPROTO_TCP, option, PATIENCE_S * 1000)


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
