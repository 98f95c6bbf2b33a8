"""The outcomes that an account has for its calls."""

import dataclasses

from sandbox.exchange import ApiRequest, Endpoint
from sandbox.replies import Reply


def list_dispositions(request: ApiRequest) -> Reply:
    """List the outcomes, deleted ones included; the property's definition lists none."""
    return Reply(200, [dataclasses.asdict(one) for one in request.hub.dispositions])


ENDPOINTS = (
    Endpoint(
        "calls.dispositions",
        "GET",
        ("/calling/v1/dispositions",),
        list_dispositions,
        ("crm.objects.contacts.read",),
    ),
)
