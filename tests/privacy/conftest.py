from collections.abc import Iterator
from contextlib import closing

import pytest

from local.stack import Stack
from sandbox.client import SandboxControl
from tests.privacy.day import FLOWER_PASSWORD, Day


@pytest.fixture(scope="module")
def day() -> Iterator[Day]:
    """The whole service in the evening of an eventful day, on engines of its own."""
    settings = {
        "FLOWER_BASIC_AUTH": f"ops:{FLOWER_PASSWORD}",
        "LOG_LEVEL": "debug",
        "OAUTH_BINDING": "cookie",  # so that another browser is refused
    }
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DATABASE_URL", "REDIS_URL"):
            patch.delenv(name, raising=False)
        with (
            Stack(flower=True, durable=False, env=settings) as stack,
            SandboxControl(stack.env["HUBSPOT_API_URL"]) as sandbox,
            closing(Day(stack, sandbox)) as day,
        ):
            day.live_through()
            yield day
