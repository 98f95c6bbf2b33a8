"""Whose request it is: the guard of the dashboard's views."""

from typing import cast

from flask import Blueprint, g, request
from sqlalchemy.orm import Session

from api.auth import Tenant
from api.services import services
from shared.connections import find_connection
from shared.models import Connection


def guard(blueprint: Blueprint) -> None:
    """Let nobody into the views of a blueprint without an acceptable token."""

    @blueprint.before_request
    def authenticate() -> None:
        if request.method != "OPTIONS":  # a browser's preflight carries no token
            g.tenant = services().authenticator.authenticate(request.headers.get("Authorization"))


def current_tenant() -> Tenant:
    """Whom the current request's token names."""
    return cast("Tenant", g.tenant)


def find_own_connection(session: Session) -> Connection | None:
    """The connection of whom the current request's token names, live or not."""
    tenant = current_tenant()
    return find_connection(session, user_id=tenant.user_id, workspace_id=tenant.workspace_id)
