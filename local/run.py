"""Keeps the whole service running on this machine for a person to look around in."""

import os
import shlex
import sys
import time
from datetime import timedelta
from pathlib import Path

from rich.console import Console

from local.interrupts import heed_interrupts, uninterrupted
from local.processes import StartError
from local.stack import Stack
from local.visitor import sign_in
from sandbox.client import SandboxControl
from sandbox.sample import SAMPLE_CONTACTS

USER_ID = "user_1"
WORKSPACE_ID = "ws_1"
SIGNED_IN_FOR = timedelta(hours=1)
POLL_SECONDS = 1.0
KNOWN_NUMBER = "+12025550123"


def keep_running(console: Console, *, workers: int, latency_ms: int) -> None:
    """Run until Ctrl-C or SIGTERM, then stop everything.

    Raises:
        StartError: Something could not be started, or ended by itself.
    """
    heed_interrupts()
    stack = Stack(workers=workers, flower=True, latency_ms=latency_ms)
    try:
        stack.start(lambda text: console.print(f"[dim]{text}[/]", highlight=False))
        _fill_sandbox(stack)
        _print_addresses(console, stack)
        _wait_for_a_death(stack)
    except KeyboardInterrupt:
        console.print("\n[dim]Stopping[/]")
    finally:
        with uninterrupted():
            stack.stop()


def _fill_sandbox(stack: Stack) -> None:
    with SandboxControl(stack.env["HUBSPOT_API_URL"]) as sandbox:
        # Without a host of its own the account's pages are where HubSpot is: in the sandbox.
        sandbox.add_contacts(sandbox.add_account(ui_domain=""), SAMPLE_CONTACTS)


def _print_addresses(console: Console, stack: Stack) -> None:
    token = sign_in(
        stack.env["JWT_SECRET"],
        user_id=USER_ID,
        workspace_id=WORKSPACE_ID,
        lasts=SIGNED_IN_FOR,
        audience=stack.env.get("JWT_AUDIENCE"),
        issuer=stack.env.get("JWT_ISSUER"),
    )
    lines = [
        f"Dashboard         {stack.api_url}/",
        f"API docs          {stack.api_url}/docs",
        f"Flower            {stack.flower_url}/",
        f"HubSpot sandbox   {stack.sandbox_url}/",
        "",
        f"Signed in for an hour as {USER_ID} of {WORKSPACE_ID}:",
        f"{stack.api_url}/#token={token}",
        "",
        "Open it, click Connect, choose the account; then let somebody call:",
        _sending_command(stack),
        "",
        "Ctrl-C stops everything.",
    ]
    for line in lines:
        console.print(line, soft_wrap=True, markup=False, highlight=False)


def _sending_command(stack: Stack) -> str:
    # A secret from the environment is known there, and is nobody else's business.
    secret = (
        "" if os.environ.get("WEBHOOK_SECRETS") else f" --secret {stack.env['WEBHOOK_SECRETS']}"
    )
    program = os.path.relpath(Path(sys.executable).with_name("callsync"))
    return (
        f"{shlex.quote(program)} send --api-url {stack.api_url}{secret}"
        f" --user {USER_ID} --workspace {WORKSPACE_ID} --phone {KNOWN_NUMBER}"
    )


def _wait_for_a_death(stack: Stack) -> None:
    while not (dead := stack.dead_processes()):
        time.sleep(POLL_SECONDS)
    raise StartError(f"{dead[0].command.name} ended by itself:\n{dead[0].log_tail()}")
