"""Our HubSpot app as the settings describe it."""

import requests

from shared.configuration.settings import ServiceSettings
from shared.hubspot.oauth import HubSpotOAuth


def open_oauth(settings: ServiceSettings, session: requests.Session) -> HubSpotOAuth:
    """HubSpot's OAuth endpoints, as our app uses them."""
    return HubSpotOAuth(
        client_id=settings.hubspot_client_id,
        client_secret=settings.hubspot_client_secret.get_secret_value(),
        api_url=settings.hubspot_api_url,
        app_url=settings.hubspot_app_url,
        redirect_uri=settings.redirect_uri,
        scopes=settings.hubspot_scopes,
        session=session,
    )
