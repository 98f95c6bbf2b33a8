"""The way of every API request: latency, token, limits, faults, the endpoint, the log."""

import dataclasses
import json
import time
from collections.abc import Mapping

from sandbox.exchange import ApiRequest, Endpoint
from sandbox.faults import Fault
from sandbox.grants import Grant
from sandbox.injections import KINDS
from sandbox.moments import iso_time
from sandbox.refusals import RefusedError, missing_scopes, unauthenticated
from sandbox.replies import Reply
from sandbox.world import LoggedRequest, World


@dataclasses.dataclass(slots=True)
class _Visit:
    """What is learnt about a request on its way, for the log and the headers."""

    endpoint: Endpoint
    started: float
    hub_id: int | None = None
    fault: Fault | None = None
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)


def serve(endpoint: Endpoint, request: ApiRequest, *, authorization: str, url_path: str) -> Reply:
    """Answer a request, or raise ConnectionDroppedError where a fault says so."""
    visit = _Visit(endpoint, time.monotonic())
    world = request.world
    with world.lock:
        request = dataclasses.replace(
            request, place=world.next_place(), at_ms=int(world.now() * 1000)
        )
    world.pause(world.latency_seconds())
    reply: Reply | None = None
    try:
        reply = _pass(visit, request, authorization)
    except RefusedError as error:
        reply = error.reply()
    finally:
        _log(visit, request, url_path, reply)
    _remember_shown(request, reply)
    return dataclasses.replace(reply, headers={**visit.headers, **reply.headers})


def _pass(visit: _Visit, request: ApiRequest, authorization: str) -> Reply:
    world, endpoint = request.world, visit.endpoint
    with world.lock:
        if endpoint.scopes is None:
            visit.hub_id = _hub_of_refresh_token(request)
        else:
            grant = _authenticate(world, authorization)
            visit.hub_id = grant.hub.hub_id
            request = dataclasses.replace(request, grant=grant)
            _check_limits(visit, request)
            if not set(endpoint.scopes) <= set(grant.scopes):
                raise missing_scopes(endpoint.scopes)
        visit.fault = world.faults.take(endpoint.name, visit.hub_id)
    if visit.fault is None:
        return _answer(endpoint, request)
    return KINDS[visit.fault.kind](visit.fault, request, lambda struck: _answer(endpoint, struck))


def _answer(endpoint: Endpoint, request: ApiRequest) -> Reply:
    with request.world.lock:
        return endpoint.answer(request)


def _remember_shown(request: ApiRequest, reply: Reply) -> None:
    """Remember which versions of activities the app is shown, if the answer still says them."""
    if not request.shown or not isinstance(reply.body, dict):
        return
    with request.world.lock:
        place = request.world.next_place()
        for one in (reply.body, *reply.body.get("results", ())):
            activity, version = request.shown.get(one.get("id", ""), (None, 0))
            if activity is not None:
                activity.was_shown(version, one["properties"], place)


def _authenticate(world: World, authorization: str) -> Grant:
    scheme, _, text = authorization.partition(" ")
    token = world.authorizations.access_tokens.get(text)
    if scheme.lower() != "bearer" or token is None or not _is_installed(world, token.grant):
        raise unauthenticated()
    seconds_left = world.authorizations.seconds_left(token)
    if seconds_left <= 0:
        raise RefusedError(
            401,
            f"The OAuth token used to make this call expired {-int(seconds_left)} second(s) ago.",
            "EXPIRED_AUTHENTICATION",
            context={"expire time": [iso_time(int(token.expires_at * 1000))]},
        )
    return token.grant


def _is_installed(world: World, grant: Grant) -> bool:
    return not grant.is_uninstalled and grant.hub.hub_id in world.hubs


def _check_limits(visit: _Visit, request: ApiRequest) -> None:
    if not request.world.behaviour.enforces_limits:
        return
    now = request.world.now()
    if visit.endpoint.is_search:
        refusal = request.hub.limits.take_search(now)
    else:
        visit.headers, refusal = request.hub.limits.take_request(now)
    if refusal is not None:
        raise refusal


def _hub_of_refresh_token(request: ApiRequest) -> int | None:
    """Return whose refresh token a token endpoint got, so that faults can strike one account."""
    token = request.form.get("refresh_token") or request.form.get("token", "")
    grant = request.world.authorizations.grant_of_refresh_token(token)
    return None if grant is None else grant.hub.hub_id


def _log(visit: _Visit, request: ApiRequest, url_path: str, reply: Reply | None) -> None:
    world = request.world
    entry = LoggedRequest(
        number=world.next_request_number(),
        at=world.now(),
        endpoint=visit.endpoint.name,
        method=visit.endpoint.method,
        path=url_path,
        hub_id=visit.hub_id,
        status=None if reply is None else reply.status,
        fault=None if visit.fault is None else visit.fault.kind,
        duration_ms=round((time.monotonic() - visit.started) * 1000, 3),
        request_bytes=len(request.body),
        inputs=_count_inputs(request.body),
    )
    with world.lock:
        world.log.append(entry)


def _count_inputs(body: bytes) -> int | None:
    """Return how many inputs a batch has; None for a request that is no batch."""
    if b'"inputs"' not in body:
        return None
    try:
        inputs = json.loads(body).get("inputs")
    except (ValueError, AttributeError):
        return None
    return len(inputs) if isinstance(inputs, list) else None
