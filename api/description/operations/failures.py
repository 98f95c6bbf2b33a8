"""What may go wrong: the answers that are not a success, with every code they may carry."""

from dataclasses import dataclass
from typing import Final

from api.responses.base import Failure, FieldProblem, Problem
from api.responses.call_arrays import RefusedResult, WebhookFailure
from shared.database.schema import MIGRATE, REQUIRED_REVISION


@dataclass(frozen=True)
class Failing:
    """One answer of a status, shared by operations.

    Attributes:
        name: Of the component in the document.
        status: The HTTP status.
        description: What it means and what to do.
        problems: An example for each code that it may carry.
        retries_after: It says in Retry-After when to ask again.
        answer: The body.
        results: An example of what a body says of each call, where the code is an array's.
    """

    name: str
    status: int
    description: str
    problems: tuple[Problem, ...]
    retries_after: bool = False
    answer: type[Failure] = Failure
    results: tuple[RefusedResult, ...] = ()

    def example(self, problem: Problem) -> Failure:
        """The body for one of the problems."""
        if problem is NO_CALL_ACCEPTED:
            return WebhookFailure(error=problem, results=list(self.results))
        return Failure(error=problem)


def _problem(code: str, message: str, **fields: str) -> Problem:
    named = [FieldProblem(field=name, message=words) for name, words in fields.items()]
    return Problem(code=code, message=message, fields=named)


FIELDS_WRONG: Final = "Some fields are missing or wrong; each is named."
NO_CALL_ACCEPTED: Final = _problem(
    "no_call_accepted", "None of the calls can be accepted; each result says why."
)
UNAVAILABLE_NOW: Final = _problem("unavailable", "The database does not answer. Send it again.")
BUSY: Final = _problem("busy", "Too many such requests at once. Try again soon.")

INVALID: Final = Failing(
    "InvalidRequest",
    400,
    "Something in the request is missing or wrong; `fields` names each.",
    (_problem("invalid_request", FIELDS_WRONG, phone_number="Field required"),),
)
INVALID_WEBHOOK: Final = Failing(
    "InvalidWebhook",
    400,
    "A single call has wrong fields, the body cannot be read, or every call of an array is refused;"
    " `fields` or `results` name what is wrong.",
    (
        _problem("invalid_request", FIELDS_WRONG, **{"data.call_id": "Field required"}),
        NO_CALL_ACCEPTED,
    ),
    answer=WebhookFailure,
    results=(
        RefusedResult(
            call_id=None,
            error=_problem("invalid_request", FIELDS_WRONG, call_id="Field required"),
        ),
    ),
)
UNAUTHORIZED: Final = Failing(
    "Unauthorized",
    401,
    "There is no acceptable token. Get a new one and ask again.",
    (
        _problem("missing_token", "Send the header Authorization: Bearer <token>."),
        _problem("invalid_token", "The token is not valid here."),
        _problem("expired_token", "The token has expired."),
        _problem("revoked_token", "This session was ended. Sign in again."),
    ),
)
READ_ONLY: Final = Failing(
    "ReadOnly",
    403,
    "The token may only look: its claim `role` is `viewer`.",
    (
        _problem(
            "read_only",
            "This token may only look (its claim role is viewer). Sign in with one that may change"
            " something.",
        ),
    ),
)
UNSIGNED: Final = Failing(
    "InvalidSignature",
    401,
    "The signature fits no current secret, or the timestamp is stale. Sending it again is no cure.",
    (
        _problem(
            "invalid_signature",
            "The webhook's signature does not fit, or its timestamp is more than 5 minutes off."
            " Sign webhook-id, webhook-timestamp and the raw body with a current secret, as"
            " Standard Webhooks says, and check the clock.",
        ),
    ),
)
WRONG_WORKSPACE: Final = Failing(
    "WrongWorkspace",
    403,
    "The secret is good, but not for the workspace or user that the call, or every call, names.",
    (
        _problem(
            "wrong_workspace",
            "The secret that signed this webhook belongs to another workspace.",
        ),
    ),
    answer=WebhookFailure,
)
MISSING: Final = Failing(
    "NotFound",
    404,
    "There is no such entry, or it is not yours: the two look the same.",
    (_problem("not_found", "There is no such entry in this sync log."),),
)
SWITCHED_OFF: Final = Failing(
    "SwitchedOff",
    404,
    "This service's own pages are switched off.",
    (
        _problem(
            "not_found",
            "This service's own pages are switched off (BUILT_IN_PAGE=off). The dashboard is at"
            " https://app.example.com/calls.",
        ),
    ),
)
NO_CONNECTION: Final = Failing(
    "NoConnection",
    409,
    "HubSpot is not connected, or has to be connected anew.",
    (
        _problem("not_connected", "HubSpot is not connected. Connect it first."),
        _problem("reconnect_required", "HubSpot withdrew its permission. Reconnect HubSpot first."),
        _problem(
            "missing_scopes",
            "HubSpot did not grant what this needs. Reconnect HubSpot and allow all.",
        ),
    ),
)
TOO_LARGE: Final = Failing(
    "TooLarge",
    413,
    "The body is larger than this address takes; the message names the limit.",
    (
        _problem(
            "payload_too_large",
            "The body is larger than 4 KiB, the most for this address.",
        ),
    ),
)
WEBHOOK_TOO_LARGE: Final = Failing(
    "WebhookTooLarge",
    413,
    "The call is larger than 1 MiB, or the array than 16 MiB or 1,000 calls. A large array needs a"
    " Content-Length.",
    (
        _problem(
            "payload_too_large",
            "The body is larger than 1 MiB. Send less, a shorter transcript.",
        ),
    ),
)
ENCODED: Final = Failing(
    "UnsupportedEncoding",
    415,
    "The body is compressed.",
    (_problem("unsupported_media_type", "Send the body uncompressed, without Content-Encoding."),),
)
TOO_OFTEN: Final = Failing(
    "TooOften",
    429,
    "The user of a workspace has used up how often this may be asked; the message names it. It is"
    " possible again when Retry-After is over.",
    (
        _problem(
            "too_many_requests",
            "This is possible 60 times a minute for one user of a workspace. Wait as long as"
            " Retry-After says.",
        ),
    ),
    retries_after=True,
)
UNAVAILABLE: Final = Failing(
    "Unavailable",
    503,
    "The database, or what tokens are checked with, is away. Nothing happened, or it is not known"
    " whether it did: asking again does no harm.",
    (UNAVAILABLE_NOW,),
    retries_after=True,
)
CROWDED: Final = Failing(
    "Crowded",
    503,
    "Too many exports run at once, or the database is away.",
    (BUSY, UNAVAILABLE_NOW),
    retries_after=True,
)
WEBHOOK_UNAVAILABLE: Final = Failing(
    "WebhookUnavailable",
    503,
    "The database is away, another array of more than 1 MiB is being stored, or more calls come in"
    " for the tenant than `WEBHOOK_CALLS_PER_MINUTE` allows. Send it again: what was stored is"
    " known.",
    (
        BUSY,
        _problem(
            "over_quota",
            "More calls come in for user_id 'user_1' of workspace_id 'ws_1' than"
            " WEBHOOK_CALLS_PER_MINUTE allows. Nothing of this webhook is stored: send it again"
            " when Retry-After says.",
        ),
        UNAVAILABLE_NOW,
    ),
    retries_after=True,
)
HUBSPOT_NOT_ASKED: Final = Failing(
    "HubSpotNotAsked",
    503,
    "HubSpot cannot be asked now; the code says why.",
    (
        _problem("paused", "HubSpot has asked for a pause."),
        _problem(
            "rate_limited",
            "HubSpot's limit of searches is used up for the moment. Try again soon.",
        ),
        _problem("network_error", "HubSpot cannot be reached. Try again in a moment."),
        _problem(
            "hubspot_unavailable", "HubSpot did not answer as it should. Try again in a moment."
        ),
        _problem(
            "limits_unavailable",
            "HubSpot's limits cannot be looked up. Try again in a moment.",
        ),
        _problem(
            "configuration_error",
            "HubSpot refuses this service's own credentials. Please tell its operators.",
        ),
        BUSY,
        UNAVAILABLE_NOW,
    ),
    retries_after=True,
)
NOT_READY: Final = Failing(
    "NotReady",
    503,
    "Requests cannot be served.",
    (
        _problem("postgres_away", "Postgres does not answer within a second."),
        _problem(
            "schema_too_old",
            f"The schema is at revision 0001, older than {REQUIRED_REVISION}. {MIGRATE}",
        ),
    ),
    retries_after=True,
)

# What every route behind a token may answer, every one that does more than show, and every one that
# takes JSON.
DASHBOARD: Final = (UNAUTHORIZED, TOO_OFTEN, UNAVAILABLE)
CHANGING: Final = (*DASHBOARD, READ_ONLY)
JSON_BODY: Final = (INVALID, TOO_LARGE, ENCODED)
