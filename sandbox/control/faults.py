"""Control of faults."""

import flask

from sandbox.control.orders import Json, NewFault, read_order
from sandbox.faults import Fault
from sandbox.world import Sandbox


def serve_faults(plane: flask.Blueprint, sandbox: Sandbox) -> None:
    """Add the routes under `/faults`."""

    @plane.post("/faults")
    def add_fault() -> tuple[Json, int]:
        order = read_order(NewFault)
        with sandbox.world.lock:
            fault = sandbox.world.faults.add(**order.model_dump())
        return _describe(fault), 201

    @plane.get("/faults")
    def list_faults() -> Json:
        with sandbox.world.lock:
            return {"faults": [_describe(fault) for fault in sandbox.world.faults.all()]}

    @plane.delete("/faults")
    def clear_faults() -> Json:
        with sandbox.world.lock:
            sandbox.world.faults.clear()
        return {}

    @plane.post("/faults/<int:fault_id>/release")
    def release_fault(fault_id: int) -> Json:
        with sandbox.world.lock:
            fault = sandbox.world.faults.get(fault_id)
            if fault is None:
                flask.abort(404)
            return {"released": fault.release()}

    @plane.delete("/faults/<int:fault_id>")
    def remove_fault(fault_id: int) -> Json:
        with sandbox.world.lock:
            if not sandbox.world.faults.remove(fault_id):
                flask.abort(404)
        return {}


def _describe(fault: Fault) -> Json:
    return {
        "id": fault.id,
        "endpoint": fault.endpoint,
        "kind": fault.kind,
        "times": fault.times,
        "probability": fault.probability,
        "hub_id": fault.hub_id,
        "args": dict(fault.args),
        "struck": fault.struck,
        "held": len(fault.held),
    }
