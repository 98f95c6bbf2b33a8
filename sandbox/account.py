"""What an account says about itself."""

from sandbox.exchange import ApiRequest, Endpoint
from sandbox.replies import Reply


def read_account(request: ApiRequest) -> Reply:
    """Return the account's number and the host of its web pages."""
    body = {
        "portalId": request.hub.hub_id,
        "accountType": "STANDARD",
        "timeZone": "US/Eastern",
        "companyCurrency": "USD",
        "additionalCurrencies": [],
        "utcOffset": "-05:00",
        "utcOffsetMilliseconds": -18_000_000,
        "uiDomain": request.hub.ui_domain,
        "dataHostingLocation": "na1",
    }
    return Reply(200, body)


ENDPOINTS = (
    Endpoint(
        "account.details",
        "GET",
        ("/account-info/{version}/details", "/account-info/v3/details"),
        read_account,
        ("oauth",),
    ),
)
