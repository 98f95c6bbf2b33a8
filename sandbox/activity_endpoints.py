"""Notes and calls: create, read, update and archive, one at a time and in batches.

One set of functions serves every kind of activity; what differs is in `activity_kinds`.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

from sandbox.activities import Activities, Activity, Sent
from sandbox.activity_kinds import ACTIVITY_KINDS, ActivityKind
from sandbox.activity_rules import check_association, check_change, check_new
from sandbox.bodies import (
    BatchArchive,
    BatchCreate,
    BatchRead,
    BatchUpdate,
    ObjectInput,
    UpdateInput,
    asked_properties,
    check_batch_size,
    check_id_property,
    parse_body,
)
from sandbox.exchange import ApiRequest, Endpoint
from sandbox.moments import iso_time
from sandbox.refusals import RefusedError, invalid, not_found
from sandbox.replies import Reply

MOST_INPUTS = 100
_READ = ("crm.objects.contacts.read",)
_WRITE = ("crm.objects.contacts.write",)
_NOT_FOUND = "Object not found.  objectId are usually numeric."


@dataclasses.dataclass(frozen=True, slots=True)
class _New:
    """An activity that may be created."""

    properties: dict[str, str]
    contact_ids: tuple[str, ...]
    trace_id: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class _Change:
    """An update that may be applied."""

    activity: Activity
    properties: dict[str, str]
    trace_id: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class _Endpoints:
    """The endpoints of one kind."""

    kind: ActivityKind

    def create_one(self, request: ApiRequest) -> Reply:
        """Create one activity."""
        new = self._check_new(request, parse_body(ObjectInput, request.body))
        return Reply(201, self._create(request, new))

    def create_many(self, request: ApiRequest) -> Reply:
        """Create up to 100 activities.

        If every input has a trace id of its own, good inputs are created and bad ones reported in
        a 207. Otherwise one bad input fails the whole batch.
        """
        inputs = parse_body(BatchCreate, request.body).inputs
        check_batch_size(inputs, MOST_INPUTS)
        is_multi_status = _has_own_trace_ids(inputs)
        checked: list[_New] = []
        errors: list[dict[str, Any]] = []
        for given in inputs:
            try:
                checked.append(self._check_new(request, given))
            except RefusedError as error:
                if not is_multi_status:
                    raise
                errors.append(_error_by_trace_id(error, given))
        results = [self._create(request, new) for new in checked]
        return batch_reply(request, results, errors, status=201)

    def read_one(self, request: ApiRequest) -> Reply:
        """Read one activity."""
        names = asked_properties(request.query)
        historic = asked_properties(request.query, "propertiesWithHistory")
        return Reply(200, self._show(request, self._find(request), names, historic))

    def read_many(self, request: ApiRequest) -> Reply:
        """Read up to 100 activities; unknown and archived ids are reported in a 207."""
        given = parse_body(BatchRead, request.body)
        check_batch_size(given.inputs, MOST_INPUTS)
        check_id_property(given.id_property, self.kind.type_id, "read")
        found: list[Activity] = []
        missing: list[str] = []
        for activity_id in dict.fromkeys(one.id for one in given.inputs):
            activity = self._all(request).get(activity_id)
            if activity is None:
                missing.append(activity_id)
            else:
                found.append(activity)
        results = [
            self._show(request, activity, given.properties, given.properties_with_history)
            for activity in found
        ]
        errors = [self._missing().batch_error({"ids": missing})] if missing else []
        return batch_reply(request, results, errors, status=200)

    def update_one(self, request: ApiRequest) -> Reply:
        """Change some properties of one activity."""
        activity = self._find(request)
        given = parse_body(ObjectInput, request.body)
        change = self._check_change(request, activity, given)
        return Reply(200, self._update(request, change))

    def update_many(self, request: ApiRequest) -> Reply:
        """Change some properties of up to 100 activities, each named once.

        Unknown and archived ones are reported in a 207, by trace id where an input has one, and
        the others are changed. A bad property fails the whole batch, since partial answers to bad
        properties are documented for creates only.
        """
        inputs = parse_body(BatchUpdate, request.body).inputs
        check_batch_size(inputs, MOST_INPUTS)
        _check_named_once(inputs)
        is_multi_status = request.world.behaviour.isolates_bad_updates and _has_own_trace_ids(
            inputs
        )
        changes: list[_Change] = []
        missing: list[UpdateInput] = []
        errors: list[dict[str, Any]] = []
        for given in inputs:
            check_id_property(given.id_property, self.kind.type_id, "update")
            activity = self._all(request).get(given.id)
            if activity is None:
                missing.append(given)
                continue
            try:
                changes.append(self._check_change(request, activity, given))
            except RefusedError as error:
                if not is_multi_status:
                    raise
                errors.append(_error_by_trace_id(error, given))
        errors += self._missing_errors(request, missing)
        results = [self._update(request, change) for change in changes]
        return batch_reply(request, results, errors, status=200)

    def archive_one(self, request: ApiRequest) -> Reply:
        """Archive an activity; 204 whether or not it existed."""
        self._archive(request, [request.path["id"]])
        return Reply(204)

    def archive_many(self, request: ApiRequest) -> Reply:
        """Archive up to 100 activities; 204 whether or not they existed."""
        given = parse_body(BatchArchive, request.body)
        check_batch_size(given.inputs, MOST_INPUTS)
        self._archive(request, [one.id for one in given.inputs])
        return Reply(204)

    def _all(self, request: ApiRequest) -> Activities:
        return request.hub.activities[self.kind.name]

    def _find(self, request: ApiRequest) -> Activity:
        activity = self._all(request).get(request.path["id"])
        if activity is None:
            raise not_found(_NOT_FOUND)
        return activity

    def _check_new(self, request: ApiRequest, given: ObjectInput) -> _New:
        hub = request.hub
        properties = check_new(self.kind, hub, request.world.behaviour, given.properties)
        if given.associations is None:
            raise invalid("Invalid input JSON: required field associations is missing")
        contact_ids = [check_association(self.kind, hub, one) for one in given.associations]
        return _New(properties, tuple(contact_ids), given.object_write_trace_id)

    def _check_change(self, request: ApiRequest, activity: Activity, given: ObjectInput) -> _Change:
        behaviour = request.world.behaviour
        properties = check_change(self.kind, request.hub, behaviour, given.properties)
        return _Change(activity, properties, given.object_write_trace_id)

    def _create(self, request: ApiRequest, new: _New) -> dict[str, Any]:
        activity = self._all(request).add(new.properties, new.contact_ids)
        return self._show(request, activity, new.properties, trace_id=new.trace_id)

    def _update(self, request: ApiRequest, change: _Change) -> dict[str, Any]:
        sent = Sent(request.place, request.at_ms)
        self._all(request).update(change.activity, change.properties, sent)
        return self._show(request, change.activity, change.properties, trace_id=change.trace_id)

    def _show(
        self,
        request: ApiRequest,
        activity: Activity,
        names: Sequence[str] | dict[str, str],
        historic: Sequence[str] = (),
        *,
        trace_id: str | None = None,
    ) -> dict[str, Any]:
        """Return HubSpot's view of an activity, and remember which version it shows."""
        request.shown[activity.id] = activity, activity.version
        view = activity.view(self._all(request).schema, [*names, *historic])
        if historic:
            view["propertiesWithHistory"] = {name: activity.history(name) for name in historic}
        return view if trace_id is None else view | {"objectWriteTraceId": trace_id}

    def _archive(self, request: ApiRequest, ids: Sequence[str]) -> None:
        activities = self._all(request)
        for activity in filter(None, map(activities.get, ids)):
            activities.archive(activity, "app")

    def _missing(self) -> RefusedError:
        return not_found(
            f"Could not get some {self.kind.singular.upper()} objects, they may be deleted or not "
            "exist. Check that ids are valid."
        )

    def _missing_errors(
        self, request: ApiRequest, missing: Sequence[UpdateInput]
    ) -> list[dict[str, Any]]:
        by_trace_id = request.world.behaviour.missing_named_by == "trace_id"
        traced = [one for one in missing if by_trace_id and one.object_write_trace_id is not None]
        ids = [one.id for one in missing if one not in traced]
        errors = [_error_by_trace_id(self._missing(), one) for one in traced]
        return errors + ([self._missing().batch_error({"ids": ids})] if ids else [])


def batch_reply(
    request: ApiRequest, results: Sequence[Any], errors: Sequence[Any], *, status: int
) -> Reply:
    """Return a batch's answer: `status`, or 207 when an input failed."""
    moment = iso_time(int(request.world.now() * 1000))
    body = {
        "status": "COMPLETE",
        "results": list(results),
        "startedAt": moment,
        "completedAt": moment,
    }
    if errors:
        return Reply(207, body | {"numErrors": len(errors), "errors": list(errors)})
    return Reply(status, body)


def _has_own_trace_ids(inputs: Sequence[ObjectInput]) -> bool:
    trace_ids = [given.object_write_trace_id for given in inputs]
    return None not in trace_ids and len(set(trace_ids)) == len(trace_ids)


def _error_by_trace_id(error: RefusedError, given: ObjectInput) -> dict[str, Any]:
    return error.batch_error({"objectWriteTraceId": [given.object_write_trace_id or ""]})


def _check_named_once(inputs: Sequence[UpdateInput]) -> None:
    ids = [given.id for given in inputs]
    twice = sorted({one for one in ids if ids.count(one) > 1})
    if twice:
        raise invalid(f"Duplicate IDs found in batch input: {twice}. IDs must be unique")


def _endpoints_of(kind: ActivityKind) -> tuple[Endpoint, ...]:
    every = _Endpoints(kind)

    def endpoint(name: str, method: str, path: str, answer: Any, scopes: Any) -> Endpoint:
        rules = (
            f"/crm/objects/{{version}}/{kind.name}{path}",
            f"/crm/v3/objects/{kind.name}{path}",
        )
        return Endpoint(f"{kind.name}.{name}", method, rules, answer, scopes)

    return (
        endpoint("create", "POST", "", every.create_one, _WRITE),
        endpoint("batch_create", "POST", "/batch/create", every.create_many, _WRITE),
        endpoint("read", "GET", "/<id>", every.read_one, _READ),
        endpoint("batch_read", "POST", "/batch/read", every.read_many, _READ),
        endpoint("update", "PATCH", "/<id>", every.update_one, _WRITE),
        endpoint("batch_update", "POST", "/batch/update", every.update_many, _WRITE),
        endpoint("archive", "DELETE", "/<id>", every.archive_one, _WRITE),
        endpoint("batch_archive", "POST", "/batch/archive", every.archive_many, _WRITE),
    )


ENDPOINTS = tuple(one for kind in ACTIVITY_KINDS.values() for one in _endpoints_of(kind))
