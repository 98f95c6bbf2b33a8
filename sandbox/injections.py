"""What each kind of fault does to the request that it strikes.

| kind | does | arguments |
| --- | --- | --- |
| rate_limited | 429 | policyName (TEN_SECONDLY_ROLLING), retry_after (seconds, none) |
| status | any refusal in HubSpot's envelope | status (500), category, message, fields |
| html | a gateway's page | status (502) |
| garbage | commits, then breaks the JSON of the answer | |
| timeout_before, timeout_after | hangs, then closes; `after` has committed | seconds (30) |
| reset_before, reset_after | resets the connection; `after` has committed | |
| late_commit | 504 or a hang first, commits later | commit_after (1), answer (hang), seconds |
| locked, migrating | 423, and 477 with Retry-After | retry_after (60) of `migrating` |
| held | waits until it is let go, in one of three places | where (before) |
| slow | waits, then answers | seconds (2) |
| slow_after | commits, waits, then answers | seconds (2) |
| partial, errors_in_2xx | refuses some inputs with 207, or 2xx | containing, category, message |
| drop_trace_ids | answers without trace ids | |
| missing_results | commits all, leaves some out of the answer | containing |

`where` a request is held: `before` it commits, `after` it has (and before it is answered), or
`unanswered`: it gets a 504 at once and commits when it is let go, after others if need be.
`POST /sandbox/faults/<id>/release` lets go, and so do removing the fault and a reset.

`containing` is a piece of the text of the inputs that are meant; `fields` are set in the body as
they are, as token endpoints need (`error`, `status`).
"""

import contextlib
import dataclasses
import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.exchange import ApiRequest
from sandbox.faults import Fault
from sandbox.refusals import RefusedError, rate_limited
from sandbox.replies import ConnectionDroppedError, Reply

Answer = Callable[[ApiRequest], Reply]
Injection = Callable[[Fault, ApiRequest, Answer], Reply]

_HTML = (
    "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
)
# Longer than any client of ours waits.
_HANG_SECONDS = 30


def _rate_limited(fault: Fault, _request: ApiRequest, _answer: Answer) -> Reply:
    headers = {"Retry-After": str(fault.args["retry_after"])} if "retry_after" in fault.args else {}
    raise rate_limited(fault.args.get("policyName", "TEN_SECONDLY_ROLLING"), headers)


def _status(fault: Fault, _request: ApiRequest, _answer: Answer) -> Reply:
    status = int(fault.args.get("status", 500))
    message = fault.args.get("message", "internal error")
    raise RefusedError(status, message, fault.args.get("category"), **fault.args.get("fields", {}))


def _html(fault: Fault, _request: ApiRequest, _answer: Answer) -> Reply:
    return Reply(int(fault.args.get("status", 502)), _HTML, {"Content-Type": "text/html"})


def _garbage(_fault: Fault, request: ApiRequest, answer: Answer) -> Reply:
    reply = answer(request)
    content = reply.content().decode()
    return Reply(reply.status, content[: len(content) // 2], reply.headers)


def _timeout_before(fault: Fault, request: ApiRequest, _answer: Answer) -> Reply:
    request.world.pause(fault.args.get("seconds", _HANG_SECONDS))
    raise ConnectionDroppedError(is_reset=False)


def _timeout_after(fault: Fault, request: ApiRequest, answer: Answer) -> Reply:
    answer(request)
    return _timeout_before(fault, request, answer)


def _reset_before(_fault: Fault, _request: ApiRequest, _answer: Answer) -> Reply:
    raise ConnectionDroppedError(is_reset=True)


def _reset_after(_fault: Fault, request: ApiRequest, answer: Answer) -> Reply:
    answer(request)
    raise ConnectionDroppedError(is_reset=True)


def _late_commit(fault: Fault, request: ApiRequest, answer: Answer) -> Reply:
    timer = threading.Timer(fault.args.get("commit_after", 1), _commit_unseen, [request, answer])
    timer.daemon = True
    timer.start()
    if fault.args.get("answer") == "hang":
        return _timeout_before(fault, request, answer)
    raise RefusedError(504, "The request timed out")


def _locked(_fault: Fault, _request: ApiRequest, _answer: Answer) -> Reply:
    raise RefusedError(423, "The resource is locked. Please wait at least 2 seconds and try again.")


def _migrating(fault: Fault, _request: ApiRequest, _answer: Answer) -> Reply:
    raise RefusedError(
        477,
        "The account is being migrated to another data center.",
        headers={"Retry-After": str(fault.args.get("retry_after", 60))},
    )


def _slow(fault: Fault, request: ApiRequest, answer: Answer) -> Reply:
    request.world.pause(fault.args.get("seconds", 2))
    return answer(request)


def _slow_after(fault: Fault, request: ApiRequest, answer: Answer) -> Reply:
    reply = answer(request)
    request.world.pause(fault.args.get("seconds", 2))
    return reply


def _held(fault: Fault, request: ApiRequest, answer: Answer) -> Reply:
    where = fault.args.get("where", "before")
    if where == "unanswered":
        with request.world.lock:
            fault.hold(lambda: _commit_unseen(request, answer))
        raise RefusedError(504, "The request timed out")
    reply = answer(request) if where == "after" else None
    let_go = threading.Event()
    with request.world.lock:
        fault.hold(let_go.set)
    let_go.wait()
    return reply or answer(request)


def _partial(fault: Fault, request: ApiRequest, answer: Answer) -> Reply:
    return _refuse_some(fault, request, answer, 207)


def _errors_in_2xx(fault: Fault, request: ApiRequest, answer: Answer) -> Reply:
    return _refuse_some(fault, request, answer, None)


def _drop_trace_ids(_fault: Fault, request: ApiRequest, answer: Answer) -> Reply:
    reply = answer(request)
    results = [
        {name: value for name, value in result.items() if name != "objectWriteTraceId"}
        for result in reply.body["results"]
    ]
    return Reply(reply.status, reply.body | {"results": results}, reply.headers)


def _missing_results(fault: Fault, request: ApiRequest, answer: Answer) -> Reply:
    reply = answer(request)
    results = [result for result in reply.body["results"] if not _contains(fault, result)]
    return Reply(reply.status, reply.body | {"results": results}, reply.headers)


def _refuse_some(fault: Fault, request: ApiRequest, answer: Answer, status: int | None) -> Reply:
    inputs = json.loads(request.body)["inputs"]
    refused = [given for given in inputs if _contains(fault, given)]
    kept = [given for given in inputs if given not in refused]
    content = json.dumps({"inputs": kept}).encode()
    reply = answer(dataclasses.replace(request, body=content))
    error = RefusedError(
        400,
        fault.args.get("message", "Property values were not valid"),
        fault.args.get("category", "VALIDATION_ERROR"),
    )
    errors = [
        error.batch_error({"objectWriteTraceId": [given["objectWriteTraceId"]]})
        if "objectWriteTraceId" in given
        else error.batch_error({"ids": [str(given.get("id", ""))]})
        for given in refused
    ]
    errors += reply.body.get("errors", [])
    body = reply.body | {"numErrors": len(errors), "errors": errors}
    return Reply(status or reply.status, body, reply.headers)


def _commit_unseen(request: ApiRequest, answer: Answer) -> None:
    with contextlib.suppress(RefusedError):
        answer(request)


def _contains(fault: Fault, value: Any) -> bool:
    return fault.args["containing"] in json.dumps(value, ensure_ascii=False)


HELD_WHERE = ("before", "after", "unanswered")
NEEDING_CONTAINING = frozenset({"partial", "errors_in_2xx", "missing_results"})
KINDS: Mapping[str, Injection] = {
    "rate_limited": _rate_limited,
    "status": _status,
    "html": _html,
    "garbage": _garbage,
    "timeout_before": _timeout_before,
    "timeout_after": _timeout_after,
    "reset_before": _reset_before,
    "reset_after": _reset_after,
    "late_commit": _late_commit,
    "locked": _locked,
    "migrating": _migrating,
    "held": _held,
    "slow": _slow,
    "slow_after": _slow_after,
    "partial": _partial,
    "errors_in_2xx": _errors_in_2xx,
    "drop_trace_ids": _drop_trace_ids,
    "missing_results": _missing_results,
}
