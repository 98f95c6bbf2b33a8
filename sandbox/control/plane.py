"""The control plane as a whole, and what concerns the whole sandbox."""

import collections
import dataclasses

import flask
import pydantic

from sandbox.config import Behaviour
from sandbox.control.accounts import serve_accounts
from sandbox.control.activities import serve_activities
from sandbox.control.faults import serve_faults
from sandbox.control.grants import serve_grants
from sandbox.control.orders import Json
from sandbox.hubs import Hub
from sandbox.refusals import RefusedError
from sandbox.world import Sandbox, World


def control_plane(sandbox: Sandbox) -> flask.Blueprint:
    """Serve the control plane of a sandbox."""
    plane = flask.Blueprint("control", __name__, url_prefix="/sandbox")
    _serve_world(plane, sandbox)
    serve_accounts(plane, sandbox)
    serve_activities(plane, sandbox)
    serve_grants(plane, sandbox)
    serve_faults(plane, sandbox)

    @plane.errorhandler(pydantic.ValidationError)
    def refuse(error: pydantic.ValidationError) -> tuple[Json, int]:
        return {"errors": error.errors(include_url=False, include_context=False)}, 400

    @plane.errorhandler(RefusedError)
    def refuse_as_hubspot(error: RefusedError) -> tuple[Json, int]:
        return {"errors": [error.message]}, error.status

    return plane


def _serve_world(plane: flask.Blueprint, sandbox: Sandbox) -> None:
    @plane.post("/reset")
    def reset() -> Json:
        sandbox.reset()
        return {}

    @plane.get("/state")
    def read_state() -> Json:
        world = sandbox.world
        with world.lock:
            return {
                "behaviour": dataclasses.asdict(world.behaviour),
                "hubs": [_describe_hub(world, hub) for hub in world.hubs.values()],
            }

    @plane.patch("/behaviour")
    def change_behaviour() -> Json:
        world = sandbox.world
        with world.lock:
            changed = dataclasses.asdict(world.behaviour) | flask.request.get_json()
            world.behaviour = pydantic.TypeAdapter(Behaviour).validate_python(changed)
            return dataclasses.asdict(world.behaviour)

    @plane.get("/requests")
    def list_requests() -> Json:
        after = flask.request.args.get("after", 0, int)
        hub_id = flask.request.args.get("hub_id", None, int)
        with sandbox.world.lock:
            logged = [
                dataclasses.asdict(entry)
                for entry in sandbox.world.log
                if entry.number > after and hub_id in {None, entry.hub_id}
            ]
        return {"requests": logged}


def _describe_hub(world: World, hub: Hub) -> Json:
    answered: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for entry in world.log:
        if entry.hub_id == hub.hub_id:
            answered[entry.endpoint][str(entry.status or "dropped")] += 1
    external_ids = collections.Counter(
        external_id
        for call in hub.activities["calls"].living()
        if (external_id := call.properties.get("hs_call_external_id"))
    )
    lost_edits = [lost for one in hub.activities.values() for lost in one.lost_edits]
    return {
        "hub_id": hub.hub_id,
        "contacts": sum(not contact.archived for contact in hub.contacts.values()),
        **{name: sum(1 for _ in one.living()) for name, one in hub.activities.items()},
        "calls_created_twice": external_ids.total() - len(external_ids),
        "updates_applied": {name: one.updates_applied for name, one in hub.activities.items()},
        "updates_out_of_order": {
            name: one.updates_out_of_order for name, one in hub.activities.items()
        },
        "edits_lost": sum(lost.was_read for lost in lost_edits),
        "unread_edits_lost": sum(not lost.was_read for lost in lost_edits),
        "requests": answered,
        "rate_limit_violations": hub.limits.violations,
    }
