import concurrent.futures
from collections.abc import Callable

import pytest
import requests

from sandbox.app import create_app
from sandbox.client import SandboxControl
from sandbox.server import run_in_thread
from tests.sandbox.driving import (
    BODY,
    NEW,
    Caller,
    change,
    eventually,
    install,
    note,
    request_token,
)

DETAILS = "/account-info/2026-09/details"
BATCH = "notes.batch_create"


@pytest.fixture
def create(caller: Caller, contact_id: str) -> Callable[[], requests.Response]:
    """Create two notes, `first` and `second`, with those trace ids."""

    def create() -> requests.Response:
        return caller.create_notes(
            [note(contact_id, "first", "first"), note(contact_id, "second", "second")]
        )

    return create


def bodies(control: SandboxControl, caller: Caller) -> list[str]:
    return [kept.body for kept in control.notes(caller.hub_id)]


def test_fault_strikes_as_often_as_told_and_in_order(
    control: SandboxControl, caller: Caller
) -> None:
    control.add_fault("account.details", "status", times=2, status=503)
    control.add_fault("account.*", "locked", times=1)
    statuses = [caller.call("GET", DETAILS).status_code for _ in range(4)]
    assert statuses == [503, 503, 423, 200]


def test_fault_strikes_only_its_endpoint_and_account(
    control: SandboxControl, caller: Caller
) -> None:
    neighbour = install(control, control.add_account(), caller.session)
    control.add_fault("account.details", "locked", hub_id=caller.hub_id)
    assert caller.call("GET", DETAILS).status_code == 423
    assert caller.search().status_code == 200
    assert neighbour.call("GET", DETAILS).status_code == 200


def test_fault_with_a_probability_strikes_the_same_requests_for_the_same_seed(
    control: SandboxControl, caller: Caller
) -> None:
    def statuses() -> list[int]:
        control.clear_faults()
        control.add_fault("account.details", "locked", probability=0.5, seed=7)
        return [caller.call("GET", DETAILS).status_code for _ in range(20)]

    first = statuses()
    assert set(first) == {200, 423}
    assert statuses() == first


def test_removed_faults_strike_no_more(control: SandboxControl, caller: Caller) -> None:
    control.add_fault("*", "locked")
    assert caller.call("GET", DETAILS).status_code == 423
    control.clear_faults()
    assert caller.call("GET", DETAILS).status_code == 200


def test_refused_request_has_hubspots_envelope(control: SandboxControl, caller: Caller) -> None:
    control.add_fault(
        "account.details", "status", times=1, status=400, category="VALIDATION_ERROR", message="No."
    )
    answer = caller.call("GET", DETAILS)
    assert answer.status_code == 400
    assert answer.json()["status"] == "error"
    assert answer.json()["category"] == "VALIDATION_ERROR"
    assert answer.json()["message"] == "No."
    assert answer.json()["correlationId"]


def test_token_endpoint_can_refuse_one_account(control: SandboxControl, caller: Caller) -> None:
    refusal = {"status": "BAD_HUB", "error": "access_denied"}
    control.add_fault("oauth.token", "status", hub_id=caller.hub_id, status=400, fields=refusal)
    refresh_token = caller.tokens["refresh_token"]
    answer = request_token(caller.url, grant_type="refresh_token", refresh_token=refresh_token)
    assert answer.status_code == 400
    assert answer.json()["status"] == "BAD_HUB"


def test_rate_limited_names_the_policy_and_how_long_to_wait(
    control: SandboxControl, caller: Caller
) -> None:
    control.add_fault("account.details", "rate_limited", policyName="DAILY", retry_after=7)
    answer = caller.call("GET", DETAILS)
    assert answer.status_code == 429
    assert answer.json()["policyName"] == "DAILY"
    assert answer.headers["Retry-After"] == "7"


def test_migrating_account_says_for_how_long(control: SandboxControl, caller: Caller) -> None:
    control.add_fault("account.details", "migrating", retry_after=86_400)
    answer = caller.call("GET", DETAILS)
    assert answer.status_code == 477
    assert answer.headers["Retry-After"] == "86400"


def test_html_page_is_no_json(control: SandboxControl, caller: Caller) -> None:
    control.add_fault("account.details", "html")
    answer = caller.call("GET", DETAILS)
    assert answer.status_code == 502
    assert answer.headers["Content-Type"] == "text/html"


def test_garbage_is_a_success_that_cannot_be_read(
    control: SandboxControl, caller: Caller, create: Callable[[], requests.Response]
) -> None:
    control.add_fault(BATCH, "garbage", times=1)
    answer = create()
    assert answer.status_code == 201
    with pytest.raises(requests.exceptions.JSONDecodeError):
        answer.json()
    assert bodies(control, caller) == ["first", "second"]


def test_defect_of_the_sandbox_is_answered_unlike_a_dropped_connection() -> None:
    app = create_app()
    app.add_url_rule("/defect", view_func=lambda: str(1 // 0))
    with run_in_thread(app) as server:
        assert requests.get(f"{server.url}/defect", timeout=240).status_code == 500


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("reset_before", []),
        ("reset_after", ["first", "second"]),
        ("timeout_before", []),
        ("timeout_after", ["first", "second"]),
    ],
)
def test_dropped_connection_writes_only_what_it_says(
    control: SandboxControl,
    caller: Caller,
    create: Callable[[], requests.Response],
    kind: str,
    expected: list[str],
) -> None:
    control.add_fault(BATCH, kind, times=1, seconds=0.05)
    with pytest.raises(requests.ConnectionError) as caught:
        create()
    assert ("Connection reset by peer" in str(caught.value)) == kind.startswith("reset")
    assert bodies(control, caller) == expected
    assert control.requests(hub_id=caller.hub_id)[-1].status is None
    assert create().status_code == 201


def test_hanging_request_outlasts_its_client(control: SandboxControl, caller: Caller) -> None:
    control.add_fault("account.details", "timeout_before")
    with pytest.raises(requests.ReadTimeout):
        requests.get(
            caller.url + DETAILS,
            headers={"Authorization": f"Bearer {caller.tokens['access_token']}"},
            timeout=0.1,
        )


@pytest.mark.parametrize("answer", ["gateway_timeout", "hang"])
def test_late_commit_is_written_after_the_answer(
    control: SandboxControl,
    caller: Caller,
    create: Callable[[], requests.Response],
    answer: str,
) -> None:
    control.add_fault(BATCH, "late_commit", times=1, commit_after=0.3, answer=answer, seconds=0.05)
    if answer == "hang":
        with pytest.raises(requests.ConnectionError):
            create()
    else:
        assert create().status_code == 504
    assert bodies(control, caller) == []
    assert eventually(lambda: bodies(control, caller) == ["first", "second"])


def test_slow_answer_is_a_normal_one(
    control: SandboxControl, create: Callable[[], requests.Response]
) -> None:
    control.add_fault(BATCH, "slow", seconds=0.2)
    answer = create()
    assert answer.status_code == 201
    assert answer.elapsed.total_seconds() >= 0.2


@pytest.mark.parametrize(("kind", "status"), [("partial", 207), ("errors_in_2xx", 201)])
def test_chosen_inputs_are_refused_and_not_written(
    control: SandboxControl,
    caller: Caller,
    create: Callable[[], requests.Response],
    kind: str,
    status: int,
) -> None:
    control.add_fault(BATCH, kind, containing="second")
    answer = create()
    assert answer.status_code == status
    assert [one["objectWriteTraceId"] for one in answer.json()["results"]] == ["first"]
    assert answer.json()["numErrors"] == 1
    (error,) = answer.json()["errors"]
    assert error["context"] == {"objectWriteTraceId": ["second"]}
    assert bodies(control, caller) == ["first"]


def test_trace_ids_can_be_left_out(
    control: SandboxControl, create: Callable[[], requests.Response]
) -> None:
    control.add_fault(BATCH, "drop_trace_ids")
    results = create().json()["results"]
    assert [one["properties"]["hs_note_body"] for one in results] == ["first", "second"]
    assert not any("objectWriteTraceId" in one for one in results)


def test_results_can_be_left_out_although_written(
    control: SandboxControl, caller: Caller, create: Callable[[], requests.Response]
) -> None:
    control.add_fault(BATCH, "missing_results", containing="second")
    assert [one["objectWriteTraceId"] for one in create().json()["results"]] == ["first"]
    assert bodies(control, caller) == ["first", "second"]


@pytest.mark.parametrize(
    "fault", [{"kind": "unheard_of"}, {"kind": "partial"}, {"kind": "locked", "times": 0}]
)
def test_fault_that_makes_no_sense_is_refused(
    control: SandboxControl, fault: dict[str, object]
) -> None:
    answer = requests.post(
        f"{control.base_url}/sandbox/faults", json={"endpoint": "*"} | fault, timeout=240
    )
    assert answer.status_code == 400


def applied_in(control: SandboxControl, caller: Caller, kind: str, one: str) -> list[str]:
    """Return the bodies that an activity had, in the order of its versions."""
    return [
        version.properties[BODY[kind]] for version in control.versions(kind, caller.hub_id, one)
    ]


@pytest.fixture
def one(caller: Caller, contact_id: str, kind: str) -> str:
    """The id of a note or call with the body `first`."""
    return caller.created(NEW[kind](contact_id, "first"), kind=kind)[0]


def update(caller: Caller, kind: str, one: str, body: str) -> requests.Response:
    return caller.batch(kind, "update", [change(one, body, **{BODY[kind]: body})])


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("reset_before", ["first"]),
        ("reset_after", ["first", "second"]),
        ("timeout_before", ["first"]),
        ("timeout_after", ["first", "second"]),
    ],
)
def test_answer_to_an_update_can_be_lost(  # noqa: PLR0917 -- fixtures
    control: SandboxControl, caller: Caller, one: str, kind: str, fault: str, expected: list[str]
) -> None:
    control.add_fault(f"{kind}.batch_update", fault, times=1, seconds=0.05)
    with pytest.raises(requests.ConnectionError):
        update(caller, kind, one, "second")
    assert applied_in(control, caller, kind, one) == expected


@pytest.mark.parametrize(
    ("fault", "args", "status"),
    [
        ("rate_limited", {}, 429),
        ("status", {"status": 503}, 503),
        ("html", {}, 502),
        ("locked", {}, 423),
    ],
)
def test_update_can_be_refused(  # noqa: PLR0917 -- fixtures
    control: SandboxControl,
    caller: Caller,
    one: str,
    kind: str,
    fault: str,
    args: dict[str, int],
    status: int,
) -> None:
    control.add_fault(f"{kind}.batch_update", fault, times=1, **args)
    assert update(caller, kind, one, "second").status_code == status
    assert applied_in(control, caller, kind, one) == ["first"]


def test_update_can_be_refused_in_part(
    control: SandboxControl, caller: Caller, contact_id: str, kind: str
) -> None:
    ids = caller.created(*[NEW[kind](contact_id, "first")] * 2, kind=kind)
    control.add_fault(f"{kind}.batch_update", "partial", containing="bad")
    inputs = [
        change(given, trace_id, **{BODY[kind]: body})
        for given, trace_id, body in zip(ids, ("t1", "t2"), ("good", "bad"), strict=True)
    ]
    answer = caller.batch(kind, "update", inputs)
    assert answer.status_code == 207
    assert [one["objectWriteTraceId"] for one in answer.json()["results"]] == ["t1"]
    assert answer.json()["errors"][0]["context"] == {"objectWriteTraceId": ["t2"]}
    assert caller.bodies(kind, *ids) == ["good", "first"]


def test_input_without_a_trace_id_is_refused_in_part_by_its_id(
    control: SandboxControl, caller: Caller, one: str, kind: str
) -> None:
    control.add_fault(
        f"{kind}.batch_update", "errors_in_2xx", containing="bad", category="OBJECT_NOT_FOUND"
    )
    answer = caller.batch(kind, "update", [change(one, **{BODY[kind]: "bad"})])
    assert answer.status_code == 200
    assert answer.json()["results"] == []
    assert answer.json()["errors"][0]["context"] == {"ids": [one]}
    assert answer.json()["errors"][0]["category"] == "OBJECT_NOT_FOUND"


def test_updated_one_can_be_missing_from_the_answer(
    control: SandboxControl, caller: Caller, one: str, kind: str
) -> None:
    control.add_fault(f"{kind}.batch_update", "missing_results", containing="second")
    answer = update(caller, kind, one, "second")
    assert (answer.status_code, answer.json()["results"]) == (200, [])
    assert applied_in(control, caller, kind, one) == ["first", "second"]


def test_update_can_be_applied_late_after_a_newer_one(
    control: SandboxControl, caller: Caller, one: str, kind: str
) -> None:
    fault_id = control.add_fault(f"{kind}.batch_update", "held", times=1, where="unanswered")
    assert update(caller, kind, one, "older").status_code == 504
    assert control.held(fault_id) == 1
    assert update(caller, kind, one, "newer").status_code == 200
    assert control.release(fault_id) == 1
    assert applied_in(control, caller, kind, one) == ["first", "newer", "older"]
    (hub,) = control.state()["hubs"]
    assert hub["updates_applied"][kind] == 2
    assert hub["updates_out_of_order"][kind] == 1
    assert control.release(fault_id) == 0


def test_update_can_be_applied_after_a_time(
    control: SandboxControl, caller: Caller, one: str, kind: str
) -> None:
    control.add_fault(f"{kind}.batch_update", "late_commit", times=1, commit_after=0.3)
    assert update(caller, kind, one, "older").status_code == 504
    assert update(caller, kind, one, "newer").status_code == 200
    assert eventually(lambda: applied_in(control, caller, kind, one) == ["first", "newer", "older"])


@pytest.mark.parametrize(
    ("where", "meanwhile"), [("before", ["first"]), ("after", ["first", "second"])]
)
def test_request_can_be_held_before_or_after_it_is_applied(
    control: SandboxControl,
    caller: Caller,
    contact_id: str,
    where: str,
    meanwhile: list[str],
) -> None:
    (one,) = caller.created(note(contact_id, "first"))
    fault_id = control.add_fault("notes.batch_update", "held", times=1, where=where)
    with concurrent.futures.ThreadPoolExecutor() as threads:
        answer = threads.submit(update, caller, "notes", one, "second")
        assert eventually(lambda: control.held(fault_id) == 1)
        assert applied_in(control, caller, "notes", one) == meanwhile
        assert control.release(fault_id) == 1
        assert answer.result().status_code == 200
    assert applied_in(control, caller, "notes", one) == ["first", "second"]


@pytest.mark.parametrize("end", ["clear_faults", "reset"])
def test_held_request_goes_on_when_faults_are_cleared_or_all_begins_anew(
    control: SandboxControl, caller: Caller, end: str
) -> None:
    fault_id = control.add_fault("account.details", "held", times=1)
    with concurrent.futures.ThreadPoolExecutor() as threads:
        answer = threads.submit(caller.call, "GET", DETAILS)
        assert eventually(lambda: control.held(fault_id) == 1)
        getattr(control, end)()
        assert answer.result().status_code == 200


def test_held_answer_tells_of_what_has_changed_since(
    control: SandboxControl, caller: Caller, one: str, kind: str
) -> None:
    fault_id = control.add_fault(f"{kind}.batch_read", "held", times=1, where="after")
    with concurrent.futures.ThreadPoolExecutor() as threads:
        reading = threads.submit(caller.bodies, kind, one)
        assert eventually(lambda: control.held(fault_id) == 1)
        control.edit(kind, caller.hub_id, one, **{BODY[kind]: "second"})
        control.release(fault_id)
        assert reading.result() == ["first"]
    # What the app was shown is the version that it read, not the one that stood there by then.
    assert control.read_version(kind, caller.hub_id, one) == 1


def test_answer_can_be_slow_although_applied(
    control: SandboxControl, caller: Caller, one: str, kind: str
) -> None:
    control.add_fault(f"{kind}.batch_update", "slow_after", seconds=0.2)
    answer = update(caller, kind, one, "second")
    assert answer.status_code == 200
    assert answer.elapsed.total_seconds() >= 0.2
    assert applied_in(control, caller, kind, one) == ["first", "second"]


def test_held_fault_needs_a_place_that_exists(control: SandboxControl) -> None:
    fault = {"endpoint": "*", "kind": "held", "args": {"where": "nowhere"}}
    answer = requests.post(f"{control.base_url}/sandbox/faults", json=fault, timeout=240)
    assert answer.status_code == 400
