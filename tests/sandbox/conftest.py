from collections.abc import Iterator

import pytest
import requests

from sandbox.app import create_app
from sandbox.client import SandboxControl
from sandbox.server import run_in_thread
from tests.sandbox.driving import Caller, Clock, install


@pytest.fixture(scope="session")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def sandbox_url(clock: Clock) -> Iterator[str]:
    with run_in_thread(create_app(now=clock)) as server:
        yield server.url


@pytest.fixture
def control(sandbox_url: str) -> Iterator[SandboxControl]:
    with SandboxControl(sandbox_url) as control:
        control.reset()
        yield control
        control.reset()


@pytest.fixture
def contact_id(control: SandboxControl, caller: Caller) -> str:
    return control.add_contacts(caller.hub_id, [{"firstname": "Ada"}])[0]


@pytest.fixture(params=["notes", "calls"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def caller(control: SandboxControl) -> Iterator[Caller]:
    with requests.Session() as session:
        yield install(control, control.add_account(), session)
