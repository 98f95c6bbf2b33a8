"""What a sandbox is told when it starts: its OAuth app and how HubSpot should behave."""

import dataclasses
from typing import Literal

import pydantic.dataclasses

CONTACT_SCOPES = ("oauth", "crm.objects.contacts.read", "crm.objects.contacts.write")


@dataclasses.dataclass(frozen=True, slots=True)
class OAuthApp:
    """An app as registered with HubSpot; `scopes` are both required and the most it may ask for."""

    client_id: str = "sandbox-client-id"
    client_secret: str = dataclasses.field(default="sandbox-client-secret", repr=False)
    redirect_uris: tuple[str, ...] = ("http://localhost/api/hubspot/oauth/callback",)
    scopes: tuple[str, ...] = CONTACT_SCOPES


@pydantic.dataclasses.dataclass(frozen=True, slots=True, config={"extra": "forbid"})
class Behaviour:
    """How HubSpot behaves; every field can be changed while the sandbox runs.

    Attributes:
        latency_ms: what every answer takes at least.
        latency_jitter_ms: added to it, uniformly between 0 and this.
        access_token_seconds: life of an access token.
        code_seconds: life of an authorization code.
        rotates_refresh_tokens: whether a refresh answers with a new refresh token and ends the old.
        index_lag_seconds: how long a created or changed object stays invisible to search.
        enforces_limits: whether requests beyond HubSpot's limits get 429.
        association_page_size: associated ids in one page of one object.
        names_account: whether a grant says whose it is; HubSpot's did not until August 2025.
        severs_opener: whether the consent page cuts the popup off from the page that opened it.
        normalises_html: whether bodies are written anew and not only sanitised: other attributes,
            entities, blanks, tags around them.
        ignores_unwritable_properties: whether an update leaves out unknown and read-only
            properties, as HubSpot's guides say, instead of refusing them, as people report.
        isolates_bad_updates: whether a bad property fails its own input alone in a batch update
            whose inputs all have trace ids, as in a batch create.
        missing_named_by: what a batch update calls an object that it does not find by.
        refuses_unplayable_recordings: whether a call's recording must end in .mp3 or .wav.
    """

    latency_ms: float = 0
    latency_jitter_ms: float = 0
    access_token_seconds: int = 1800
    code_seconds: int = 60
    rotates_refresh_tokens: bool = False
    index_lag_seconds: float = 0
    enforces_limits: bool = True
    association_page_size: int = 500
    names_account: bool = True
    severs_opener: bool = False
    normalises_html: bool = False
    ignores_unwritable_properties: bool = False
    isolates_bad_updates: bool = False
    missing_named_by: Literal["trace_id", "id"] = "trace_id"
    refuses_unplayable_recordings: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class SandboxConfig:
    """A whole sandbox: the apps it knows, and how it is and behaves at first and after a reset.

    Attributes:
        apps: the apps that accounts may connect.
        behaviour: how HubSpot behaves.
        has_sample_account: whether there is an account with a few contacts already.
        first_object_id: of contacts and activities, which are numbered from here.
    """

    apps: tuple[OAuthApp, ...] = (OAuthApp(),)
    behaviour: Behaviour = dataclasses.field(default_factory=Behaviour)
    has_sample_account: bool = False
    first_object_id: int = 100_001
