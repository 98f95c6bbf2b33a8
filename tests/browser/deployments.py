"""The whole service as browsers meet it: deployed three times, on one database, with one HubSpot.

`own` has the built-in page, and a dashboard that was written against its API on a sibling origin;
there authorizations are bound as by default. `platform` serves a dashboard of another site, which
loads the web component from there; there a person always confirms. `pageless` is the same with the
service's own pages switched off.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from local import services
from local.databases import PROJECT
from local.environment import make_secrets
from local.processes import Command, Process, free_port
from local.producer import Producer
from local.stack import Stack
from sandbox.app import create_app as create_sandbox
from sandbox.client import SandboxControl
from sandbox.config import OAuthApp, SandboxConfig
from sandbox.server import run_in_thread
from shared.broker.waking import WakeUps
from shared.configuration.settings import CALLBACK_PATH
from tests.browser.sites import Site, serving_site


@dataclass(frozen=True)
class Deployments:
    own_url: str
    platform_url: str
    pageless_url: str
    site: Site
    sandbox: SandboxControl
    producer: Producer
    jwt_secret: str
    database_url: str
    wake_ups: WakeUps

    @property
    def origins(self) -> frozenset[str]:
        """Every origin that a page may ask something of."""
        hubspot = self.sandbox.base_url
        return frozenset(
            {
                *(self.own_url, self.platform_url, self.pageless_url),
                *(self.site.url, self.site.sibling_url, hubspot),
            }
        )


@contextmanager
def running_deployments(database_url: str, redis_url: str) -> Iterator[Deployments]:
    """Start everything over a migrated database; all of it is gone afterwards."""
    platform_url, pageless_url = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    sandbox_port = free_port()
    sandbox_url = f"http://127.0.0.1:{sandbox_port}"
    env = make_secrets() | {
        "HUBSPOT_API_URL": sandbox_url,
        "HUBSPOT_APP_URL": sandbox_url,
    }
    with ExitStack() as entered:
        site = entered.enter_context(serving_site())
        stack = Stack(sandbox=False, beat=False, env=env | {"ALLOWED_ORIGINS": site.sibling_url})
        callbacks = tuple(
            url + CALLBACK_PATH for url in (stack.api_url, platform_url, pageless_url)
        )
        app = OAuthApp(env["HUBSPOT_CLIENT_ID"], env["HUBSPOT_CLIENT_SECRET"], callbacks)
        entered.enter_context(_engines(database_url, redis_url))
        entered.enter_context(
            run_in_thread(create_sandbox(SandboxConfig(apps=(app,))), sandbox_port)
        )
        sandbox = entered.enter_context(SandboxControl(sandbox_url))
        entered.enter_context(stack)
        entered.enter_context(_platform(stack, platform_url, site))
        entered.enter_context(_platform(stack, pageless_url, site, BUILT_IN_PAGE="off"))
        yield Deployments(
            own_url=stack.api_url,
            platform_url=platform_url,
            pageless_url=pageless_url,
            site=site,
            sandbox=sandbox,
            producer=Producer(stack.api_url, env["WEBHOOK_SECRETS"]),
            jwt_secret=env["JWT_SECRET"],
            database_url=database_url,
            wake_ups=WakeUps(redis_url),
        )


@contextmanager
def _engines(database_url: str, redis_url: str) -> Iterator[None]:
    """Name the engines where a stack looks for those that run already."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", database_url)
        patch.setenv("REDIS_URL", redis_url)
        yield


@contextmanager
def _platform(stack: Stack, url: str, site: Site, **more: str) -> Iterator[None]:
    """Another API beside the stack's own, for the dashboard on `site`."""
    service = services.api(url)
    changes: Mapping[str, str] = {
        "PUBLIC_URL": url,
        "DASHBOARD_URL": f"{site.url}/dashboard",
        "ALLOWED_ORIGINS": f"{url},{site.url}",
        "OAUTH_BINDING": "confirm",
        **more,
    }
    command = Command(
        name="platform",
        arguments=[sys.executable, "-m", *service.arguments],
        log=stack.state / f"platform-{urlsplit(url).port}.log",
        environment={**os.environ, **stack.env, **changes},
        directory=PROJECT,
    )
    process = Process(command, service.answers)
    try:
        process.wait_until_ready()
        yield
    finally:
        process.stop()
