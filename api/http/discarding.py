"""Discarding what nobody read of a request's body, so that its sender sees the answer.

A server that hangs up while bytes come in resets the connection, and the sender learns nothing. So
the answer is sent at once, and then what still comes is read and forgotten: the sender can end, and
the next request begins where it should.
"""

import time
from functools import partial
from threading import BoundedSemaphore
from typing import Any, Final

from flask import Flask, Response, g, request

# More than any route takes, and no copy of it.
MOST_BYTES: Final = 32 * 1024 * 1024
PART_BYTES: Final = 64 * 1024
# Who sends slowly holds a thread. Of these there are so many, and the next one is hung up on.
AT_ONCE: Final = 16
# Whoever sends little at a time gives its place up then; whoever sends nothing keeps it.
PATIENCE_S: Final = 20.0


def discard_bodies(app: Flask) -> None:
    """Read what is left of a request's body when it has been answered."""
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
        left, end = MOST_BYTES, time.monotonic() + PATIENCE_S
        while left > 0 and time.monotonic() < end and (part := body.read(PART_BYTES)):
            left -= len(part)
    except OSError:
        pass  # the sender has hung up
    finally:
        free.release()
