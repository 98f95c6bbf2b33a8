"""The WSGI application for any server: `granian --interface wsgi api.wsgi:app`, gunicorn …."""

import sys

from flask import Flask

from api.app import create_app
from shared.logging import configure_logging
from shared.settings import ApiSettings, SettingsError


def make_app() -> Flask:
    """The application as the environment configures it; ends the process if it does not."""
    try:
        settings = ApiSettings.load()
    except SettingsError as error:
        sys.exit(str(error))
    configure_logging(settings.log_level, settings.log_format)
    return create_app(settings)


app = make_app()
