"""How large a body each route takes, said beside the route: no larger one is read or parsed.

Webhooks look after themselves (`api/webhooks/receiving.py`).
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from flask import Flask, current_app, g, request

from api.http.errors import TooLargeError

KIB: Final = 1024
# A few fields, and nothing: what most routes take.
USUAL_BYTES: Final = 4 * KIB

ViewT = TypeVar("ViewT", bound=Callable[..., Any])

_LIMITS: Final[dict[Callable[..., Any], int | None]] = {}


def takes_body(most: int | None) -> Callable[[ViewT], ViewT]:
    """Mark a view as one that takes bodies of up to so many bytes; None if it sees to that itself.

    All others take `USUAL_BYTES`.
    """

    def mark(view: ViewT) -> ViewT:
        _LIMITS[view] = most
        return view

    return mark


def limit_bodies(app: Flask) -> None:
    """Answer larger bodies with 413: by their Content-Length, and without one as they are read."""

    @app.before_request
    def limit_body() -> None:
        if request.routing_exception is not None:
            return  # nobody reads it
        view = current_app.view_functions.get(request.endpoint or "")
        limit = _LIMITS.get(view, USUAL_BYTES) if view is not None else USUAL_BYTES
        if limit is None:
            return
        if (request.content_length or 0) > limit:
            raise refuse_body(limit)
        g.body_limit = limit
        # One more, because a body without Content-Length is silently cut off here.
        request.max_content_length = limit + 1


def body_limit() -> int:
    """How many bytes the view that is asked takes."""
    return int(g.body_limit)


def refuse_body(limit: int) -> TooLargeError:
    """The error that names the limit."""
    return TooLargeError(f"The body is larger than {limit // KIB} KiB, the most for this address.")
