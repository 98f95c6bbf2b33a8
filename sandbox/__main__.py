"""Serves a sandbox: `python -m sandbox --port 8765`."""

import gc
import time

import click

from sandbox.app import create_app
from sandbox.config import Behaviour, OAuthApp, SandboxConfig
from sandbox.server import SandboxServer

_DEFAULT_APP = OAuthApp()


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=int, default=0, help="Port to listen on; 0 takes a free one.")
@click.option("--client-id", default=_DEFAULT_APP.client_id, show_default=True)
@click.option("--client-secret", default=_DEFAULT_APP.client_secret, show_default=True)
@click.option(
    "--redirect-uri",
    "redirect_uris",
    multiple=True,
    default=_DEFAULT_APP.redirect_uris,
    show_default=True,
    help="Where the consent page may send a browser back to; may be repeated.",
)
@click.option("--sample-account", is_flag=True, help="Begin with an account of a few contacts.")
@click.option("--latency-ms", type=float, default=0, help="What every answer takes at least.")
@click.option("--latency-jitter-ms", type=float, default=0, help="Random time on top of it.")
def main(
    *,
    host: str,
    port: int,
    client_id: str,
    client_secret: str,
    redirect_uris: tuple[str, ...],
    sample_account: bool,
    latency_ms: float,
    latency_jitter_ms: float,
) -> None:
    """Serve a HubSpot look-alike until interrupted."""
    config = SandboxConfig(
        apps=(OAuthApp(client_id, client_secret, redirect_uris),),
        behaviour=Behaviour(latency_ms=latency_ms, latency_jitter_ms=latency_jitter_ms),
        has_sample_account=sample_account,
        # HubSpot never gives an id twice, and a service may still know those of the last sandbox.
        first_object_id=time.time_ns() // 1_000_000,
    )
    # A search for garbage in all records would hold answers up, and what came in meanwhile would
    # bunch beyond the limits. What a request leaves behind is found among the young.
    gc.set_threshold(700, 10, 100_000)
    server = SandboxServer(create_app(config), port, host)
    click.echo(f"HubSpot sandbox on {server.url}")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


if __name__ == "__main__":
    main()
