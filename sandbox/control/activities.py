"""Control of notes and calls: what people do with them, and what became of their edits."""

import dataclasses

import flask

from sandbox.activities import Activity
from sandbox.activity_kinds import ACTIVITY_KINDS
from sandbox.control.orders import (
    Edit,
    Json,
    describe,
    find_activity,
    find_hub,
    read_order,
)
from sandbox.people import save_edit
from sandbox.world import Sandbox

_KIND = f"<any({','.join(ACTIVITY_KINDS)}):kind>"
_ALL = f"/accounts/<int:hub_id>/{_KIND}"
_ONE = f"{_ALL}/<activity_id>"


def serve_activities(plane: flask.Blueprint, sandbox: Sandbox) -> None:
    """Add the routes under `/accounts/<hub>/notes` and `/accounts/<hub>/calls`."""

    @plane.get(_ALL)
    def list_activities(hub_id: int, kind: str) -> Json:
        with sandbox.world.lock:
            return {kind: describe(find_hub(sandbox, hub_id).activities[kind].all.values())}

    @plane.get("/accounts/<int:hub_id>/lost-edits")
    def list_lost_edits(hub_id: int) -> Json:
        with sandbox.world.lock:
            return {
                "lost_edits": [
                    dataclasses.asdict(lost)
                    for activities in find_hub(sandbox, hub_id).activities.values()
                    for lost in activities.lost_edits
                ]
            }

    @plane.get(f"{_ONE}/versions")
    def list_versions(hub_id: int, kind: str, activity_id: str) -> Json:
        with sandbox.world.lock:
            activity = find_activity(find_hub(sandbox, hub_id), kind, activity_id)
            return {
                "versions": [dataclasses.asdict(version) for version in activity.versions],
                "read_version": activity.read_version(activity.kind.body),
            }

    _serve_people(plane, sandbox)


def _serve_people(plane: flask.Blueprint, sandbox: Sandbox) -> None:
    @plane.patch(_ONE)
    def edit(hub_id: int, kind: str, activity_id: str) -> Json:
        changes = read_order(Edit).properties
        with sandbox.world.lock:
            hub = find_hub(sandbox, hub_id)
            activity = find_activity(hub, kind, activity_id)
            save_edit(hub, sandbox.world.behaviour, activity, changes)
            return _described(activity)

    @plane.delete(_ONE)
    def delete(hub_id: int, kind: str, activity_id: str) -> Json:
        with sandbox.world.lock:
            hub = find_hub(sandbox, hub_id)
            activity = find_activity(hub, kind, activity_id)
            if not activity.archived:
                hub.activities[kind].archive(activity, "person")
            return _described(activity)

    @plane.post(f"{_ONE}/restore")
    def restore(hub_id: int, kind: str, activity_id: str) -> Json:
        with sandbox.world.lock:
            hub = find_hub(sandbox, hub_id)
            activity = find_activity(hub, kind, activity_id)
            if activity.archived:
                hub.activities[kind].restore(activity)
            return _described(activity)


def _described(activity: Activity) -> Json:
    (described,) = describe([activity])
    return described
