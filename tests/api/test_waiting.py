"""However many requests want something of a server that is silent, few threads wait for it."""

import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from api.context import services as limits
from api.context.services import EXTENSION, Services
from api.operating.probes import KeptAnswer
from sandbox.client import SandboxControl
from tests.api.asking import Asker, landing
from tests.api.conftest import ClientFactory
from tests.local.waiting import wait_for


class Silent:
    """Stands in for what asks a server, which says nothing until it is released."""

    def __init__(self) -> None:
        self.askers = 0
        self.released = threading.Event()
        self._lock = threading.Lock()

    def __call__(self, *_: Any, **__: Any) -> Any:
        with self._lock:
            self.askers += 1
        self.released.wait()
        return self.askers


@pytest.fixture
def silent() -> Iterator[Silent]:
    silent = Silent()
    yield silent
    silent.released.set()


def run_all(act: Callable[[], Any], number: int) -> tuple[list[threading.Thread], list[Any]]:
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda: answers.append(act()), daemon=True) for _ in range(number)
    ]
    for thread in threads:
        thread.start()
    return threads, answers


def test_one_asks_a_silent_server_and_the_others_get_what_it_said_last(silent: Silent) -> None:
    kept = KeptAnswer(silent)
    silent.released.set()
    assert kept.get() == 1
    silent.released.clear()

    threads, answers = run_all(kept.get, 40)

    wait_for(lambda: len(answers) == 39)
    assert set(answers) == {1}
    assert silent.askers == 2
    silent.released.set()
    for thread in threads:
        thread.join()
    assert kept.get() == 3


def test_first_answer_is_waited_for_and_asked_for_once(silent: Silent) -> None:
    kept = KeptAnswer(silent)
    threads, answers = run_all(kept.get, 10)
    wait_for(lambda: silent.askers == 1)
    silent.released.set()
    for thread in threads:
        thread.join()
    assert answers == [1] * 10


def test_answer_is_kept_for_its_time(silent: Silent) -> None:
    now = 0.0
    silent.released.set()
    kept = KeptAnswer(silent, kept_for_s=2, clock=lambda: now)
    assert [kept.get(), kept.get()] == [1, 1]
    now = 2.0
    assert kept.get() == 2


def test_failed_question_is_asked_again() -> None:
    answers = iter([LookupError(), None])

    def ask() -> str:
        if error := next(answers):
            raise error
        return "said"

    kept = KeptAnswer(ask)
    with pytest.raises(LookupError):
        kept.get()
    assert kept.get() == "said"


def test_few_consents_wait_for_a_silent_hubspot(
    make_client: ClientFactory,
    sandbox: SandboxControl,
    silent: Silent,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asker = Asker(make_client(OAUTH_BINDING="confirm"))
    work: Services = asker.client.application.extensions[EXTENSION]
    monkeypatch.setattr(work.oauth, "exchange_code", silent)
    hub_id = sandbox.add_account()
    links = [sandbox.approve(asker.initiate(), hub_id) for _ in range(limits.CONSENTS_AT_ONCE + 3)]
    client = asker.client.application.test_client

    def come_back() -> str:
        url = links.pop()
        parts = urlsplit(url)
        return str(landing(client().get(f"{parts.path}?{parts.query}")).get("code"))

    threads, landed = run_all(come_back, len(links))

    wait_for(lambda: len(landed) == 3)
    assert landed == ["hubspot_unavailable"] * 3
    wait_for(lambda: silent.askers == limits.CONSENTS_AT_ONCE)
    silent.released.set()
    for thread in threads:
        thread.join()


def test_few_disconnects_wait_for_writes_and_others_change_nothing(
    asker: Asker, silent: Silent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.connecting.connection._wait_for_writes", silent)
    client = asker.client.application.test_client
    headers = asker.headers

    def disconnect() -> int:
        return client().delete("/api/hubspot/disconnect", headers=headers).status_code

    threads, statuses = run_all(disconnect, limits.DISCONNECTS_AT_ONCE + 3)

    wait_for(lambda: len(statuses) == 3)
    assert statuses == [503] * 3
    silent.released.set()
    for thread in threads:
        thread.join()
    assert statuses == [503] * 3 + [200] * limits.DISCONNECTS_AT_ONCE
