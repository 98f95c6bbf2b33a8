"""The HubSpot app that customers connect to is the one that the service expects."""

import json
from typing import Any
from urllib.parse import urlsplit

from local.databases import PROJECT
from shared.configuration.settings import CALLBACK_PATH, ApiSettings
from shared.hubspot.version import API_VERSION
from tests.settings.environment import make_environ

FOLDER = PROJECT / "deploy" / "hubspot-app"


def read_app() -> dict[str, Any]:
    project = json.loads((FOLDER / "hsproject.json").read_text())
    app = json.loads((FOLDER / project["srcDir"] / "app" / "app-hsmeta.json").read_text())
    # HubSpot: the type is the folder's name.
    assert app["type"] == "app"
    config: dict[str, Any] = app["config"]
    return config


def test_app_asks_for_the_scopes_that_the_service_requests() -> None:
    auth = read_app()["auth"]

    # HubSpot refuses the consent when an authorize URL and the app differ.
    assert tuple(auth["requiredScopes"]) == ApiSettings.load(make_environ()).hubspot_scopes
    assert auth["optionalScopes"] == auth["conditionallyRequiredScopes"] == []


def test_app_sends_browsers_back_to_the_callback() -> None:
    [url] = read_app()["auth"]["redirectUrls"]
    parts = urlsplit(url)
    settings = ApiSettings.load(make_environ(PUBLIC_URL=f"https://{parts.netloc}"))

    assert parts.path == CALLBACK_PATH
    assert url == settings.redirect_uri


def test_app_and_client_use_one_version_of_the_platform() -> None:
    project = json.loads((FOLDER / "hsproject.json").read_text())

    assert project["platformVersion"].replace(".", "-") == API_VERSION


def test_old_endpoints_lead_to_those_that_are_called() -> None:
    page = (PROJECT / "docs" / "hubspot-app.md").read_text()

    for path in ("oauth/{}/token", "crm/objects/{}/contacts/search", "crm/objects/{}/notes"):
        assert path.format(API_VERSION) in page
