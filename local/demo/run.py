"""Starts a whole service, plays the show on it, and judges what became of every call."""

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console

from local.databases import fresh_database
from local.demo import cast
from local.demo.report import print_closing, print_notes, print_sync_log
from local.demo.show import Show, Stage
from local.demo.verdicts import judge
from local.environment import make_secrets
from local.interrupts import heed_interrupts, uninterrupted
from local.producer import Producer
from local.stack import Stack
from local.visitor import Visitor, sign_in
from sandbox.client import SandboxControl
from shared.configuration.environment import list_settings
from shared.configuration.settings import GROUPS

LASTS = timedelta(minutes=15)
# Where things are is the stack's to say.
PLACES = {"DATABASE_URL", "REDIS_URL", "PUBLIC_URL", "HUBSPOT_API_URL", "HUBSPOT_APP_URL"}


def run_demo(console: Console) -> bool:
    """Play the demo; returns whether every outcome was the expected one.

    Raises:
        StartError: The service could not be started.
        VisitError, WebhookRefusedError, requests.RequestException: It failed in the middle.
    """
    heed_interrupts()
    started_at = time.monotonic()
    with _running_stack(console) as stack, _stage_on(stack) as stage:
        show = Show(console, stage)
        show.play()
        logs = show.logs()
        notes = stage.sandbox.notes(show.hub_id)
        verdicts = judge(cast.CALLS, logs, notes, show.contact_ids)
        urls = {
            call_id: stage.visitor.get(f"/api/hubspot/sync-logs/{log['id']}")["contact_url"]
            for call_id, log in logs.items()
            if log["engagement_id"]
        }
    console.print()
    print_sync_log(console, verdicts)
    print_notes(console, verdicts, urls)
    console.print("The sandbox is stopped; `make run` keeps one running for you to look around.\n")
    return print_closing(
        console,
        verdicts,
        show.surprises,
        webhooks=show.webhooks,
        notes=len(notes),
        seconds=time.monotonic() - started_at,
    )


@contextmanager
def _running_stack(console: Console) -> Iterator[Stack]:
    with _own_environment() as env:
        stack = Stack(env=env)
        with console.status("Starting …"):
            stack.start(lambda text: console.print(f"[dim]{text}[/]", highlight=False))
        try:
            yield stack
        finally:
            console.print("[dim]Stopping[/]")
            with uninterrupted():
                stack.stop()


@contextmanager
def _own_environment() -> Iterator[dict[str, str]]:
    """Secrets, defaults and, on a server of the user's own, a database for this run alone.

    An empty variable counts as absent, so that no setting of the user's changes the outcome.
    """
    names = {name.upper() for group in GROUPS for name in list_settings(group)}
    env = dict.fromkeys(names - PLACES, "") | make_secrets()
    if server_url := os.environ.get("DATABASE_URL"):
        with fresh_database(server_url) as url:
            yield env | {"DATABASE_URL": url}
    else:
        yield env


@contextmanager
def _stage_on(stack: Stack) -> Iterator[Stage]:
    run = secrets.token_hex(4)
    user_id, workspace_id = f"demo-user-{run}", f"demo-workspace-{run}"
    token = sign_in(
        stack.env["JWT_SECRET"], user_id=user_id, workspace_id=workspace_id, lasts=LASTS
    )
    with (
        SandboxControl(stack.env["HUBSPOT_API_URL"]) as sandbox,
        Visitor(stack.api_url, token) as visitor,
    ):
        producer = Producer(stack.api_url, stack.env["WEBHOOK_SECRETS"])
        yield Stage(producer, visitor, sandbox, user_id, workspace_id)
