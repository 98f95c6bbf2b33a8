"""Control of accounts, their contacts, owners and outcomes of calls."""

import flask

from sandbox.control.orders import (
    Dispositions,
    Json,
    Merge,
    NewAccount,
    NewContacts,
    NewOwner,
    describe,
    find_contact,
    find_hub,
    read_order,
)
from sandbox.world import Sandbox


def serve_accounts(plane: flask.Blueprint, sandbox: Sandbox) -> None:
    """Add the routes under `/accounts`."""

    @plane.post("/accounts")
    def open_account() -> tuple[Json, int]:
        order = read_order(NewAccount)
        with sandbox.world.lock:
            hub = sandbox.world.add_hub(**order.model_dump())
        return {"hub_id": hub.hub_id}, 201

    @plane.delete("/accounts/<int:hub_id>")
    def close_account(hub_id: int) -> Json:
        with sandbox.world.lock:
            del sandbox.world.hubs[find_hub(sandbox, hub_id).hub_id]
        return {}

    @plane.post("/accounts/<int:hub_id>/owners")
    def add_owner(hub_id: int) -> tuple[Json, int]:
        email = read_order(NewOwner).email
        with sandbox.world.lock:
            return {"id": find_hub(sandbox, hub_id).add_owner(email).id}, 201

    @plane.delete("/accounts/<int:hub_id>/owners/<owner_id>")
    def archive_owner(hub_id: int, owner_id: str) -> Json:
        with sandbox.world.lock:
            owner = find_hub(sandbox, hub_id).owners.get(owner_id)
            if owner is None:
                flask.abort(404)
            owner.archived = True
        return {}

    @plane.put("/accounts/<int:hub_id>/dispositions")
    def set_dispositions(hub_id: int) -> Json:
        dispositions = read_order(Dispositions).dispositions
        with sandbox.world.lock:
            find_hub(sandbox, hub_id).dispositions = dispositions
        return {}

    _serve_contacts(plane, sandbox)


def _serve_contacts(plane: flask.Blueprint, sandbox: Sandbox) -> None:
    @plane.post("/accounts/<int:hub_id>/contacts")
    def add_contacts(hub_id: int) -> tuple[Json, int]:
        order = read_order(NewContacts)
        hub = find_hub(sandbox, hub_id)
        ids = []
        for properties in order.contacts:
            # The lock is taken for each, so that a large import does not stop all requests.
            with sandbox.world.lock:
                ids.append(hub.add_contact(properties).id)
        return {"ids": ids}, 201

    @plane.get("/accounts/<int:hub_id>/contacts")
    def list_contacts(hub_id: int) -> Json:
        with sandbox.world.lock:
            return {"contacts": describe(find_hub(sandbox, hub_id).contacts.values())}

    @plane.post("/accounts/<int:hub_id>/contacts/merge")
    def merge_contacts(hub_id: int) -> Json:
        order = read_order(Merge)
        with sandbox.world.lock:
            hub = find_hub(sandbox, hub_id)
            primary = find_contact(hub, order.primary_id)
            return {"id": hub.merge_contacts(primary, find_contact(hub, order.merged_id)).id}

    @plane.delete("/accounts/<int:hub_id>/contacts/<contact_id>")
    def archive_contact(hub_id: int, contact_id: str) -> Json:
        with sandbox.world.lock:
            hub = find_hub(sandbox, hub_id)
            hub.archive_contact(find_contact(hub, contact_id))
        return {}
