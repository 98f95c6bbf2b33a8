"""Serves a sandbox: `python -m local.hubspot --port 8765`."""

import click

from local.hubspot.app import create_app
from local.hubspot.config import Behaviour, OAuthApp, SandboxConfig
from local.hubspot.server import SandboxServer

_DEFAULT_APP = OAuthApp()


@click.command()
@click.option("--port", type=int, default=0, help="Port on 127.0.0.1; 0 takes a free one.")
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
@click.option("--latency-ms", type=float, default=0, help="What every answer takes at least.")
@click.option("--latency-jitter-ms", type=float, default=0, help="Random time on top of it.")
def main(
    *,
    port: int,
    client_id: str,
    client_secret: str,
    redirect_uris: tuple[str, ...],
    latency_ms: float,
    latency_jitter_ms: float,
) -> None:
    """Serve a HubSpot look-alike until interrupted."""
    config = SandboxConfig(
        apps=(OAuthApp(client_id, client_secret, redirect_uris),),
        behaviour=Behaviour(latency_ms=latency_ms, latency_jitter_ms=latency_jitter_ms),
    )
    server = SandboxServer(create_app(config), port)
    click.echo(f"HubSpot sandbox on {server.url}")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


if __name__ == "__main__":
    main()
