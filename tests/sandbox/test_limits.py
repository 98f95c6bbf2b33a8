from sandbox.client import SandboxControl
from tests.sandbox.driving import Caller, Clock, install

DETAILS = "/account-info/2026-09/details"


def test_sixth_search_within_a_second_is_refused(
    control: SandboxControl, caller: Caller, clock: Clock
) -> None:
    assert [caller.search().status_code for _ in range(6)] == [200] * 5 + [429]
    clock.advance(0.9)
    assert caller.search().status_code == 429
    clock.advance(0.1)
    assert caller.search().status_code == 200
    (hub,) = control.state()["hubs"]
    assert hub["rate_limit_violations"] == {"SECONDLY": 2}


def test_refused_search_names_its_policy_and_carries_no_rate_limit_headers(caller: Caller) -> None:
    answers = [caller.search() for _ in range(6)]
    assert answers[-1].json()["policyName"] == "SECONDLY"
    assert answers[-1].json()["errorType"] == "RATE_LIMIT"
    for answer in answers:
        assert not [name for name in answer.headers if name.lower().startswith("x-hubspot-rate")]


def test_111th_request_within_ten_seconds_is_refused(caller: Caller, clock: Clock) -> None:
    answers = [caller.call("GET", DETAILS) for _ in range(111)]
    assert [answer.status_code for answer in answers] == [200] * 110 + [429]
    assert answers[0].headers["X-HubSpot-RateLimit-Max"] == "110"
    assert answers[0].headers["X-HubSpot-RateLimit-Remaining"] == "109"
    assert answers[0].headers["X-HubSpot-RateLimit-Interval-Milliseconds"] == "10000"
    assert answers[-1].json()["policyName"] == "TEN_SECONDLY_ROLLING"
    assert caller.search().status_code == 200
    clock.advance(10)
    assert caller.call("GET", DETAILS).status_code == 200


def test_limits_belong_to_an_account(control: SandboxControl, caller: Caller) -> None:
    neighbour = install(control, control.add_account(), caller.session)
    for _ in range(5):
        caller.search()
    assert caller.search().status_code == 429
    assert neighbour.search().status_code == 200


def test_limits_can_be_switched_off(control: SandboxControl, caller: Caller) -> None:
    control.set_behaviour(enforces_limits=False)
    assert {caller.search().status_code for _ in range(20)} == {200}
