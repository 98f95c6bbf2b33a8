"""Dialpad: a post for each state of each leg of a call, each a JWT that holds everything.

A customer's call to a department is a leg of the department and one for each colleague whose phone
rings, with ids of their own. They are one call here: that of the leg by which it came in.
"""

import base64
import binascii
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from sources import reading, signing
from sources.adapter import (
    Adapter,
    Delivery,
    Event,
    Ignored,
    Json,
    Options,
    Outcome,
    Reading,
    Refusal,
    RefusedError,
    Sample,
    Scheme,
    Secret,
    Unreadable,
)

DIGEST_BYTES: Final = 32
ALGORITHM: Final = "HS256"
MOST_HEADER_BYTES: Final = 4096
MS_PER_S: Final = 1000

# The states that say something about an ended call. Of two events with the same time, the one with
# more processing behind it counts.
_RANKS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "missed": 8,
        "hangup": 10,
        "voicemail": 12,
        "voicemail_uploaded": 20,
        "recording": 20,
        "dispositions": 25,
        "csat": 25,
        "transcription": 30,
        "call_transcription": 30,
        "recap_summary": 30,
        "recap_outcome": 30,
        "recap_action_items": 30,
        "recap_purposes": 30,
    }
)
_ENDS: Final = frozenset({"missed", "hangup", "voicemail_uploaded"})
_VOICEMAILS: Final = frozenset({"voicemail", "voicemail_uploaded"})
# What stands for "no id".
_NO_IDS: Final = frozenset({"0", "null", "none"})
_DETAILS: Final = (
    *("recap_outcome", "recap_purposes", "recap_action_items"),
    *("dispositions", "call_dispositions", "csat_score"),
)
_TENANT: Final = re.compile(r"[\w.:@+/-]{1,200}", re.ASCII)


def _verify(delivery: Delivery, secrets: Sequence[Secret], _options: Options) -> Secret:
    signing.require_secrets(secrets)
    if _is_plain(delivery.body):
        raise RefusedError(
            Refusal.MISSING_SIGNATURE,
            "Dialpad sent this without a signature, as it does for a webhook that has no secret:"
            " make the webhook again, with a secret.",
        )
    header, claims, signature = _split_token(delivery.body)
    digest = _decode(signature)
    if digest is None or len(digest) != DIGEST_BYTES:
        raise _malformed()
    _require_algorithm(header)
    signed = header + b"." + claims
    return signing.prove(
        secrets,
        lambda secret: hmac.compare_digest(signing.sign(secret.value.encode(), signed), digest),
        "Check that the secret is the one with which the webhook was made at Dialpad.",
    )


def _split_token(body: bytes) -> tuple[bytes, bytes, bytes]:
    """Header, claims and signature of a body; raises RefusedError.

    Whether the token comes bare or as a text of JSON is not documented, so both are read.
    """
    token = body[1:-1] if body[:1] == body[-1:] == b'"' else body
    parts = token.split(b".", maxsplit=3)
    if len(parts) != len(("header", "claims", "signature")):
        raise _malformed()
    header, claims, signature = parts
    return header, claims, signature


def _malformed() -> RefusedError:
    return RefusedError(Refusal.MALFORMED_SIGNATURE, "The delivery is not a token (JWT).")


def _require_algorithm(header: bytes) -> None:
    """Raise RefusedError unless a token is signed as Dialpad signs; the token does not choose."""
    text = _decode(header) if len(header) <= MOST_HEADER_BYTES else None
    found = reading.parse_object(text or b"")
    if isinstance(found, Unreadable) or found.get("alg") != ALGORITHM or "crit" in found:
        raise RefusedError(
            Refusal.MALFORMED_SIGNATURE, f"The token of the delivery is not signed by {ALGORITHM}."
        )


def _decode(part: bytes) -> bytes | None:
    """The bytes of a part in base64url, in its one canonical spelling: without padding."""
    try:
        value = base64.b64decode(part + b"=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return value if base64.urlsafe_b64encode(value).rstrip(b"=") == part else None


def _read(delivery: Delivery, _options: Options) -> Sequence[Reading]:
    claims = _read_claims(delivery.body)
    if isinstance(claims, Unreadable):
        return [claims]
    state = reading.read_name(claims.get("state"))
    if state not in _RANKS:
        return [Ignored(state)]
    leg = _find_id(claims, "call_id")
    # `operator_call_id` names the leg of who took the call, and not the call: it is not asked.
    call = _find_id(claims, "master_call_id") or _find_id(claims, "entry_point_call_id") or leg
    if call is None:
        return [Unreadable(state, "The event does not say which call it is about.")]
    return [_read_event(state, call, claims, is_part=leg != call)]


def _is_plain(body: bytes) -> bool:
    return body.lstrip().startswith(b"{")


def _read_claims(body: bytes) -> dict[str, Json] | Unreadable:
    """What a body says: a token, or the claims themselves as somebody else passes them on."""
    if _is_plain(body):
        return reading.parse_object(body)
    try:
        claims = _decode(_split_token(body)[1])
    except RefusedError as error:
        return Unreadable(reading.UNKNOWN, error.message)
    return reading.parse_object(claims or b"")


def _find_id(claims: Mapping[str, Json], name: str) -> str | None:
    found = reading.find_text(claims, name)
    return None if found is None or found.lower() in _NO_IDS else found


def _read_event(state: str, call: str, claims: dict[str, Json], *, is_part: bool) -> Event:
    """What a post says. `is_part`: the leg is a part of a call that has a leg of its own."""
    sides = _read_sides(claims)
    outcome = _read_outcome(state, claims)
    started_at = reading.find_time(claims, "date_started")
    user = _read_user(claims)
    user_id, workspace_id, key = _read_custom_data(claims)
    ours = sides["to_number"] if sides["direction"] == "inbound" else sides["from_number"]
    tenant = reading.keep_known(
        key,
        _find_id(claims, "target.id"),
        _find_id(claims, "entry_point_target.id"),
        ours,
    )
    if is_part and state in _ENDS and outcome in {Outcome.NO_ANSWER, Outcome.CANCELED}:
        # This phone was not picked up; another one may be, and the call goes on. Dated to the
        # leg's start, it counts only if no other leg says more.
        return Event(
            name=state,
            call=call,
            facts=reading.make_facts(**sides, outcome=outcome, started_at=started_at),
            occurred_at=started_at,
            rank=1,
            tenant=tenant,
            user_id=user_id,
            workspace_id=workspace_id,
        )
    is_end = state in _ENDS
    duration = reading.find_number(claims, "duration") if is_end else None
    return Event(
        name=state,
        call=call,
        facts=reading.make_facts(
            **sides,
            **user,
            started_at=started_at,
            # It stands on running calls as well: only the state says that a call is over.
            ended_at=reading.find_time(claims, "date_ended") if is_end else None,
            duration_seconds=duration / MS_PER_S if duration is not None else None,
            outcome=outcome,
            summary=_read_summary(claims.get("recap_summary")),
            recording_url=reading.find_link(
                claims, "recording_details.0.url", "admin_recording_urls.0", "voicemail_link"
            ),
            transcript=_read_transcript(state, claims),
            structured_data=reading.collect(**{name: claims.get(name) for name in _DETAILS}),
        ),
        occurred_at=reading.find_time(claims, "event_timestamp"),
        # The leg by which a call came in lasts as long as the call.
        rank=_RANKS[state] - is_part,
        is_end=is_end,
        tenant=tenant,
        user_id=user_id,
        workspace_id=workspace_id,
    )


def _read_sides(claims: Mapping[str, Json]) -> dict[str, Json]:
    return reading.name_sides(
        reading.read_direction(claims.get("direction")),
        reading.find_phone(claims, "external_number"),
        reading.find_phone(claims, "internal_number", "target.phone"),
    )


def _read_user(claims: Mapping[str, Json]) -> dict[str, Json]:
    """Who spoke for us, if the leg is a person's; a department is nobody."""
    target = reading.find_object(claims, "target")
    if reading.find_text(target, "type") != "user":
        return {}
    return {
        "agent_id": _find_id(target, "id"),
        "agent_name": reading.find_text(target, "name"),
        "agent_email": reading.find_text(target, "email"),
    }


def _read_outcome(state: str, claims: Mapping[str, Json]) -> Outcome | None:
    if state in _VOICEMAILS:
        return Outcome.VOICEMAIL
    if reading.find_time(claims, "date_connected"):
        return Outcome.COMPLETED
    if _has_voicemail(claims):
        return Outcome.VOICEMAIL
    if state not in _ENDS:
        return None
    labels = {reading.read_text(each) for each in reading.find_list(claims, "labels")}
    return Outcome.CANCELED if labels & {"canceled", "cancelled"} else Outcome.NO_ANSWER


def _has_voicemail(claims: Mapping[str, Json]) -> bool:
    return any(_find_id(claims, name) for name in ("voicemail_link", "voicemail_recording_id"))


def _read_summary(value: Json) -> str | None:
    """A recap: a text, or perhaps a list of them."""
    lines = map(reading.read_text, value if isinstance(value, list) else [value])
    return "\n".join(line for line in lines if line) or None


def _read_transcript(state: str, claims: Mapping[str, Json]) -> list[dict[str, str]]:
    """What was said: the message of a voicemail; who speaks in other texts is not documented."""
    text = reading.find_text(claims, "transcription_text")
    if text is None:
        return []
    if state in _VOICEMAILS or _has_voicemail(claims):
        return [{"role": "user", "text": text}]
    return reading.read_lines(text, {})


def _read_custom_data(claims: Mapping[str, Json]) -> tuple[str | None, str | None, str | None]:
    """User, workspace, and a key for the platform's table: `custom_data` is any text."""
    text = reading.find_text(claims, "custom_data")
    if text is None:
        return None, None, None
    if text.startswith("{"):
        return *reading.find_tenant(reading.parse_object(text.encode())), None
    if not _TENANT.fullmatch(text):
        return None, None, None
    user_id, slash, workspace_id = text.partition("/")
    if slash and user_id and workspace_id:
        return user_id, workspace_id, text
    return None, None, text


def _sample(secret: Secret, _url: str, at: datetime, _options: Options) -> Sequence[Sample]:
    """A call of a colleague to a customer, and its recap."""
    started_at = int((at - timedelta(minutes=3)).timestamp() * MS_PER_S)
    call: dict[str, Json] = {
        "call_id": started_at,
        "master_call_id": None,
        "entry_point_call_id": None,
        "direction": "outbound",
        "external_number": "+12025550111",
        "internal_number": "+12025550199",
        "target": {"id": 1, "name": "Max", "email": "max@example.com", "type": "user"},
        "date_started": started_at,
        "date_connected": started_at + 6000,
        "date_ended": started_at + 66000,
        "duration": 60000.5,
        "total_duration": 66000.5,
    }
    recap = "Ada agreed to the renewal."
    return [
        _sign_sample(secret, call | {"state": "hangup", "event_timestamp": started_at + 66400}),
        _sign_sample(
            secret,
            call
            | {
                "state": "recap_summary",
                "recap_summary": recap,
                "event_timestamp": started_at + 120000,
            },
        ),
    ]


def _sign_sample(secret: Secret, claims: dict[str, Json]) -> Sample:
    signed = b".".join(
        base64.urlsafe_b64encode(json.dumps(part, separators=(",", ":")).encode()).rstrip(b"=")
        for part in ({"alg": ALGORITHM, "typ": "JWT"}, claims)
    )
    signature = base64.urlsafe_b64encode(signing.sign(secret.value.encode(), signed)).rstrip(b"=")
    return Sample(
        name=str(claims["state"]),
        headers={"Content-Type": "application/jwt"},
        body=signed + b"." + signature,
    )


ADAPTER: Final = Adapter(
    vendor="dialpad",
    title="Dialpad",
    schemes=(
        Scheme(
            name="jwt",
            title="Webhook secret",
            hint=(
                "The secret that you or your developer chose when the webhook was made at Dialpad."
                " It only proves that a delivery comes from that webhook."
            ),
            check=signing.check_secret,
        ),
    ),
    steps=(
        (
            "In Dialpad, switch off call logging in the HubSpot integration: otherwise every call"
            " is in HubSpot twice."
        ),
        (
            "Think of a secret of at least 32 letters and digits, or let a password manager make"
            " one, and paste it here."
        ),
        (
            "Dialpad makes webhooks by its API only, so ask who looks after your Dialpad: create a"
            " webhook with the hook_url {url} and this secret."
        ),
        (
            "Then create a call event subscription for this webhook, with the states hangup,"
            " missed, voicemail_uploaded, recording, transcription, call_transcription,"
            " recap_summary and dispositions."
        ),
    ),
    caveats=(
        "A call to a department is one entry, under the colleague who took it.",
        "Summaries (recaps) follow minutes after the end, and need Dialpad's AI.",
        "Links to recordings ask for a login at Dialpad.",
        "Dialpad does not repeat a delivery that was refused, as after a wrong secret.",
    ),
    verify=_verify,
    read=_read,
    sample=_sample,
)
