"""Control of tokens and of what apps were granted."""

import flask

from sandbox.control.orders import Json, Scopes, find_hub, read_order
from sandbox.world import Sandbox


def serve_grants(plane: flask.Blueprint, sandbox: Sandbox) -> None:
    """Add the routes that expire tokens, revoke grants and change their scopes."""

    @plane.post("/tokens/expire")
    def expire_tokens() -> Json:
        hub_id = flask.request.args.get("hub_id", None, int)
        world = sandbox.world
        with world.lock:
            hub = None if hub_id is None else find_hub(sandbox, hub_id)
            return {"expired": world.authorizations.expire_access_tokens(hub)}

    @plane.post("/accounts/<int:hub_id>/grants/revoke")
    def revoke_grants(hub_id: int) -> Json:
        authorizations = sandbox.world.authorizations
        with sandbox.world.lock:
            hub = find_hub(sandbox, hub_id)
            for app in authorizations.apps.values():
                authorizations.uninstall(hub, app)
        return {}

    @plane.put("/accounts/<int:hub_id>/grants/scopes")
    def set_scopes(hub_id: int) -> Json:
        scopes = read_order(Scopes).scopes
        with sandbox.world.lock:
            hub = find_hub(sandbox, hub_id)
            for grant in sandbox.world.authorizations.grants:
                if grant.hub is hub:
                    grant.scopes = scopes
        return {}
