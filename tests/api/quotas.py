"""Quotas as tests see them: time that passes, and requests until one is refused."""

from collections.abc import Callable
from typing import Final

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.context.services import EXTENSION, Services

# More than any quota allows at once.
ENOUGH: Final = 2000


def services_of(client: FlaskClient) -> Services:
    found: Services = client.application.extensions[EXTENSION]
    return found


def let_pass(client: FlaskClient, *, seconds: float) -> None:
    """Let time pass for the quotas of the client's app."""
    for buckets in (services_of(client).buckets, services_of(client).address_buckets):
        earlier = buckets.clock
        buckets.clock = lambda earlier=earlier: earlier() + seconds  # type: ignore[misc]


def hold_still(client: FlaskClient) -> None:
    """Stop time for the quotas of the client's app, so that nothing comes free meanwhile."""
    for buckets in (services_of(client).buckets, services_of(client).address_buckets):
        now = buckets.clock()
        buckets.clock = lambda now=now: now  # type: ignore[misc]


def use_up(ask: Callable[[], TestResponse]) -> tuple[int, TestResponse]:
    """Ask until it is refused with 429; how often it was not, and the refusal."""
    for count in range(ENOUGH):
        answer = ask()
        if answer.status_code == 429:
            return count, answer
        assert answer.status_code < 500, answer.text
    raise AssertionError("nothing was refused")
