"""Where a contact is shown in HubSpot."""

from api.context.services import services
from shared.models import Connection


def contact_url(hub_id: int, contact_id: str, connection: Connection | None) -> str:
    """The contact's page, on the host that the account's pages are on."""
    base = services().settings.hubspot_app_url
    if connection is not None and connection.hub_id == hub_id and connection.ui_domain:
        base = f"https://{connection.ui_domain}"
    return f"{base}/contacts/{hub_id}/record/0-1/{contact_id}"
