"""What can go wrong with HubSpot, named after what the caller must do.

    HubSpotError
    ├── RetryLaterError            ask again later
    │   ├── RateLimitedError       429: wait as the policy says
    │   ├── AccountLockedError     423, 477: HubSpot has closed the account for a while
    │   ├── UnavailableError       5xx, 408, or an answer that is not HubSpot's
    │   └── NetworkError           no whole answer came back
    ├── RejectedError              400 and other 4xx: repeating cannot cure it
    │   └── NotFoundError          404
    ├── TokenRejectedError         401: refresh the access token once
    ├── MissingScopesError         403 MISSING_SCOPES: the customer has to grant more
    ├── GrantRevokedError          token endpoint: the customer has to reconnect
    ├── AuthorizationCodeError     token endpoint: start connecting again
    └── ConfigurationError         ours to mend: keep every connection, alert operators

A message is HubSpot's own, cut to 500 characters, or ours; it never holds a token or a secret.
"""

from typing import TypedDict, Unpack


class ErrorFacts(TypedDict, total=False):
    """What is known about a failure beside its message; `HubSpotError` says what each means."""

    status: int | None
    category: str | None
    correlation_id: str | None
    sent: bool
    definite: bool
    properties: frozenset[str]


class HubSpotError(Exception):
    """A request to HubSpot did not give what was asked for.

    Attributes:
        message: one sentence for the sync log.
        status: HTTP status, None if no answer came.
        category: HubSpot's stable code (`category`, `errorType`, or the OAuth error code); of a
            NetworkError the name of what urllib3 raised.
        correlation_id: what HubSpot's support asks for.
        sent: False if the request failed before any byte of it was sent.
        definite: True if HubSpot certainly did not do what was asked. Everything else is
            ambiguous: a create may have happened, or may still happen.
        properties: names that the refusal is about, as far as its text tells names apart.
    """

    def __init__(self, message: str, **facts: Unpack[ErrorFacts]) -> None:
        super().__init__(message)
        self.message = message
        self.status = facts.get("status")
        self.category = facts.get("category")
        self.correlation_id = facts.get("correlation_id")
        self.sent = facts.get("sent", True)
        self.definite = facts.get("definite", False)
        self.properties = facts.get("properties", frozenset[str]())


class RetryLaterError(HubSpotError):
    """The same request may succeed later, `retry_after` seconds from now if HubSpot said so."""

    def __init__(
        self, message: str, *, retry_after: float | None = None, **facts: Unpack[ErrorFacts]
    ) -> None:
        super().__init__(message, **facts)
        self.retry_after = retry_after


class RateLimitedError(RetryLaterError):
    """A limit of the account or of search is used up.

    `policy` is HubSpot's `policyName`: SECONDLY, TEN_SECONDLY_ROLLING, DAILY, or None.
    """

    def __init__(
        self,
        message: str,
        *,
        policy: str | None = None,
        retry_after: float | None = None,
        **facts: Unpack[ErrorFacts],
    ) -> None:
        super().__init__(message, retry_after=retry_after, **facts)
        self.policy = policy


class AccountLockedError(RetryLaterError):
    """HubSpot has locked the account (423, seconds) or is moving it (477, up to 24 hours)."""


class UnavailableError(RetryLaterError):
    """HubSpot, or something in front of it, could not answer properly."""


class NetworkError(RetryLaterError):
    """The connection could not be made, broke, or gave no whole answer in time."""


class RejectedError(HubSpotError):
    """HubSpot understood the request and refused it."""


class NotFoundError(RejectedError):
    """The record does not exist, is archived, or belongs to another account."""


class TokenRejectedError(HubSpotError):
    """The access token is expired, revoked or malformed."""


class MissingScopesError(HubSpotError):
    """The connection lacks a scope that the request needs; its tokens are good."""


class GrantRevokedError(HubSpotError):
    """The refresh token is no longer valid: revoked, uninstalled, or the account is gone."""


class AuthorizationCodeError(HubSpotError):
    """The authorization code cannot be exchanged: used, expired, or not for this verifier."""


class ConfigurationError(HubSpotError):
    """Our client id, secret, redirect URI, scopes or URLs are wrong."""
