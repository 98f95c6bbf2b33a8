import concurrent.futures
import contextlib
import http.client
import urllib.parse

import pytest
import requests

from sandbox.client import SandboxControl
from tests.sandbox.driving import Caller, eventually, note

DETAILS = "/account-info/2026-09/details"


def test_reset_forgets_everything(control: SandboxControl, caller: Caller) -> None:
    control.add_contacts(caller.hub_id, [{"firstname": "Ada"}])
    control.set_behaviour(access_token_seconds=5)
    control.add_fault("*", "locked")
    control.reset()
    assert control.state()["hubs"] == []
    assert control.state()["behaviour"]["access_token_seconds"] == 1800
    assert caller.call("GET", DETAILS).status_code == 401


def test_reset_releases_hanging_requests(control: SandboxControl, caller: Caller) -> None:
    fault_id = control.add_fault("account.details", "timeout_before")
    with concurrent.futures.ThreadPoolExecutor() as threads:
        hanging = threads.submit(caller.call, "GET", DETAILS)
        assert eventually(lambda: control.struck(fault_id) == 1)
        control.reset()
        assert isinstance(hanging.exception(), requests.ConnectionError)


def test_misspelt_behaviour_is_refused(control: SandboxControl) -> None:
    with pytest.raises(requests.HTTPError):
        control.set_behaviour(latency=1)


def test_requests_are_logged_and_counted(control: SandboxControl, caller: Caller) -> None:
    last = max(entry.number for entry in control.requests())
    control.add_fault("account.details", "locked", times=1)
    caller.call("GET", DETAILS)
    caller.create_notes([note("1", trace_id="a"), note("2", trace_id="b")])
    details, batch = control.requests(hub_id=caller.hub_id, after=last)
    assert (details.endpoint, details.status, details.fault) == ("account.details", 423, "locked")
    assert (batch.endpoint, batch.status, batch.inputs) == ("notes.batch_create", 207, 2)
    (hub,) = control.state()["hubs"]
    assert hub["requests"]["account.details"] == {"423": 1}


def test_latency_delays_every_answer(control: SandboxControl, caller: Caller) -> None:
    control.set_behaviour(latency_ms=100, latency_jitter_ms=50)
    assert 0.1 <= caller.call("GET", DETAILS).elapsed.total_seconds() < 1


def test_connection_is_kept_alive(caller: Caller) -> None:
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(caller.url).netloc, timeout=240)
    with contextlib.closing(connection):
        sockets = []
        for _ in range(2):
            connection.request("GET", "/")
            assert connection.getresponse().read()
            # Closed by http.client as soon as the server says that it closes.
            sockets.append(connection.sock)
        assert sockets[0] is not None
        assert sockets[0] is sockets[1]


def test_hundreds_of_requests_at_once_are_answered(control: SandboxControl, caller: Caller) -> None:
    control.set_behaviour(enforces_limits=False, latency_ms=100)
    header = {"Authorization": f"Bearer {caller.tokens['access_token']}"}

    def request(_: int) -> int:
        return requests.get(caller.url + DETAILS, headers=header, timeout=240).status_code

    with concurrent.futures.ThreadPoolExecutor(200) as threads:
        assert set(threads.map(request, range(200))) == {200}
