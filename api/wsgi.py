"""The WSGI application for any server: `granian --interface wsgi api.wsgi:app`, gunicorn …."""

import gc
import os
import sys
from functools import partial

from flask import Flask

from api.app import create_app
from api.context.services import EXTENSION
from api.health import serve_health
from shared.configuration.settings import ApiSettings, SettingsError
from shared.database.plain_connections import warn_of_plain_connections
from shared.telemetry.exposition import note_build
from shared.telemetry.logging import configure_logging
from shared.telemetry.tracing import start_tracing


def make_app() -> Flask:
    """The application as the environment configures it; ends the process if it does not."""
    try:
        settings = ApiSettings.load()
    except SettingsError as error:
        sys.exit(str(error))
    configure_logging(settings.log_level, settings.log_format)
    note_build("api")
    warn_of_plain_connections(settings)
    if settings.otel_exporter_otlp_endpoint is not None:
        start_tracing("api")
    app = create_app(settings)
    if settings.health_port is not None:
        try:
            serve_health(app, settings.health_port)
        except OSError as error:
            sys.exit(f"HEALTH_PORT {settings.health_port} cannot be listened on: {error.strerror}.")
        # The server may fork after a probe, and no two processes may use one connection.
        engine = app.extensions[EXTENSION].database.engine
        os.register_at_fork(after_in_child=partial(engine.dispose, close=False))
    # What is loaded by now stays. To look for garbage in it would hold up every request, for a
    # tenth of a second.
    gc.freeze()
    return app


app = make_app()
