"""Whose request it is, and whether they may: the guard of the dashboard's views."""

from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

from flask import Blueprint, current_app, g, request
from sqlalchemy.orm import Session

from api.context.rationing import ration_view
from api.context.services import services
from api.http.errors import ReadOnlyError
from api.identity.auth import Bearer, Tenant
from shared.connections.lifecycle import find_connection
from shared.models import Connection

ViewT = TypeVar("ViewT", bound=Callable[..., Any])

_OPEN_TO_VIEWERS: Final[set[Callable[..., Any]]] = set()
_GUARDED: Final[set[str]] = set()


def open_to_viewers(view: ViewT) -> ViewT:
    """Mark a view as one that only shows; all others are closed to tokens that may only look."""
    _OPEN_TO_VIEWERS.add(view)
    return view


def is_open_to_viewers(view: Callable[..., Any]) -> bool:
    """Whether a token that may only look is enough for a guarded view."""
    return view in _OPEN_TO_VIEWERS


def is_guarded(blueprint: str) -> bool:
    """Whether the views of the blueprint with that name need a token."""
    return blueprint in _GUARDED


def guard(blueprint: Blueprint) -> None:
    """Let nobody into the views of a blueprint without an acceptable token that allows it."""
    _GUARDED.add(blueprint.name)

    @blueprint.before_request
    def admit() -> None:
        if request.method == "OPTIONS":  # a browser's preflight carries no token
            return
        bearer = services().authenticator.authenticate(request.headers.get("Authorization"))
        only_shows = is_open_to_viewers(_current_view())
        sessions = services().ended_sessions
        # Whose session was ended, or may only look, uses up nothing of who may change something.
        sessions.require_open(bearer, may_be_late=True)
        if not (bearer.may_change or only_shows):
            raise ReadOnlyError
        ration_view(bearer.tenant, only_shows=only_shows)
        if not only_shows:  # asked again, as of now: whom the quota refuses costs no statement
            sessions.require_open(bearer, may_be_late=False)
        g.bearer = bearer


def _current_view() -> Callable[..., Any]:
    return current_app.view_functions[request.endpoint or ""]


def current_bearer() -> Bearer:
    """Whom the current request's token names, and what it allows."""
    return cast("Bearer", g.bearer)


def current_tenant() -> Tenant:
    """Whom the current request's token names."""
    return current_bearer().tenant


def find_own_connection(session: Session) -> Connection | None:
    """The connection of whom the current request's token names, live or not."""
    tenant = current_tenant()
    return find_connection(session, user_id=tenant.user_id, workspace_id=tenant.workspace_id)
