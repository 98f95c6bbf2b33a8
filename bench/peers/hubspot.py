"""What every peer does with HubSpot: one search by phone number, one note."""

import time
from typing import Any

import requests

API = "/crm/objects/2026-09"
TIMEOUT_S = 12


def sync_call(session: requests.Session, api_url: str, token: str, call: dict[str, Any]) -> bool:
    """Search the caller and write the note; False when nobody has the number.

    Raises requests.HTTPError, for a limit as well.
    """
    headers = {"Authorization": f"Bearer {token}"}
    search = {
        "filterGroups": [
            {
                "filters": [
                    {
                        "propertyName": "hs_searchable_calculated_phone_number",
                        "operator": "EQ",
                        "value": call["phone_number"].removeprefix("+1"),
                    }
                ]
            }
        ],
        "limit": 1,
    }
    found = session.post(
        f"{api_url}{API}/contacts/search", json=search, headers=headers, timeout=TIMEOUT_S
    )
    found.raise_for_status()
    contacts = found.json()["results"]
    if not contacts:
        return False
    note = {
        "properties": {
            "hs_timestamp": int(time.time() * 1000),
            "hs_note_body": f"{call['summary']}<br>Recording: {call['recording_url']}",
        },
        "associations": [
            {
                "to": {"id": contacts[0]["id"]},
                "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 202}],
            }
        ],
    }
    written = session.post(f"{api_url}{API}/notes", json=note, headers=headers, timeout=TIMEOUT_S)
    written.raise_for_status()
    return True
