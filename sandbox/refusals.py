"""HubSpot's answers that refuse: the envelope, and the refusals that several endpoints share."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.replies import Reply


class RefusedError(Exception):
    """A request was refused; carries the status and the body that HubSpot answers with."""

    def __init__(
        self,
        status: int,
        message: str,
        category: str | None = None,
        /,
        *,
        headers: Mapping[str, str] | None = None,
        **fields: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.category = category
        self.headers = dict(headers or {})
        self.fields = fields

    def reply(self) -> Reply:
        """Return the answer in HubSpot's envelope with a fresh correlation id."""
        body = {
            "status": "error",
            "message": self.message,
            "correlationId": str(uuid.uuid4()),
            **self.fields,
        }
        if self.category is not None:
            body["category"] = self.category
        return Reply(self.status, body, self.headers)

    def batch_error(self, context: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        """Return the entry of a 207's `errors`; the official models require all of its fields."""
        return {
            "status": "error",
            "category": self.category,
            "message": self.message,
            "context": {name: list(values) for name, values in context.items()},
            "errors": self.fields.get("errors", []),
            "links": {},
        }


def invalid(message: str, **fields: Any) -> RefusedError:
    """Return the refusal of a request that is wrong in itself."""
    return RefusedError(400, message, "VALIDATION_ERROR", **fields)


def bare_bad_request() -> RefusedError:
    """Return the 400 without a category that a search on an unknown property gets."""
    return RefusedError(400, "There was a problem with the request.")


def not_found(message: str) -> RefusedError:
    """Return the refusal of an id that names nothing."""
    return RefusedError(404, message, "OBJECT_NOT_FOUND")


def rate_limited(policy: str, headers: Mapping[str, str] | None = None) -> RefusedError:
    """Return a 429 as HubSpot writes it: `errorType` in place of a category."""
    return RefusedError(
        429,
        f"You have reached your {policy.lower()} limit.",
        headers=headers,
        errorType="RATE_LIMIT",
        policyName=policy,
        requestId=str(uuid.uuid4()),
    )


def unauthenticated() -> RefusedError:
    """Return the 401 of a request without a token that the sandbox knows."""
    return RefusedError(
        401,
        "Authentication credentials not found. This API supports OAuth 2.0 authentication and you "
        "can find more details at https://developers.hubspot.com/docs/methods/auth/oauth-overview",
        "INVALID_AUTHENTICATION",
    )


def missing_scopes(scopes: Sequence[str]) -> RefusedError:
    """Return the 403 of a token that was not granted what the endpoint needs."""
    scopes_page = "https://developers.hubspot.com/scopes"
    return RefusedError(
        403,
        "This app hasn't been granted all required scopes to make this call. "
        f"Read more about required scopes here: {scopes_page}.",
        "MISSING_SCOPES",
        errors=[
            {
                "message": "One or more of the following scopes are required.",
                "context": {"requiredGranularScopes": list(scopes)},
            }
        ],
        links={"scopes": scopes_page},
    )
