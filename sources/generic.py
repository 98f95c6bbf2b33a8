"""Any platform that posts JSON: the customer says which of its fields is which of ours."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from sources import reading, signing
from sources.adapter import (
    Adapter,
    Delivery,
    Event,
    Facts,
    Ignored,
    Json,
    Outcome,
    Reading,
    Sample,
    Scheme,
    Secret,
    Unreadable,
)
from sources.generic_options import STRUCTURED, UNITS, EndedWhen, GenericOptions

CURE: Final = "Compare the secret and the settings of the signature with those of the platform."
DELIVERY: Final = "delivery"
MOST_NAMES: Final = 500
DEEPEST_NAME: Final = 8
LONGEST_NAME: Final = 64
ROLES: Final = {
    **dict.fromkeys(("agent", "assistant", "bot", "ai", "robot"), "assistant"),
    **dict.fromkeys(("user", "customer", "caller", "human", "client"), "user"),
}
SPEAKERS: Final = ("role", "speaker", "user", "participant", "from", "name")
SAID: Final = ("text", "message", "content", "sentence", "utterance", "transcript")
OUTCOMES: Final = {
    **{each.value: each for each in Outcome},
    **dict.fromkeys(("answered", "ended", "success"), Outcome.COMPLETED),
    **dict.fromkeys(("noanswer", "unanswered", "missed"), Outcome.NO_ANSWER),
    **dict.fromkeys(("cancelled", "abandoned"), Outcome.CANCELED),
    **dict.fromkeys(("left_voicemail", "machine"), Outcome.VOICEMAIL),
    "error": Outcome.FAILED,
}
# Names that are themselves data, of an object by number, e-mail address or id.
_PRIVATE: Final = re.compile(r"@|(?:\d\D{0,2}){7}")


def verify(delivery: Delivery, secrets: Sequence[Secret], options: GenericOptions) -> Secret:
    """The secret that proves a delivery: shown in a header, or by HMAC."""
    ways = {
        "header": lambda: _verify_header(delivery, options),
        "hmac": lambda: _verify_hmac(delivery, options),
    }
    return signing.prove_by_scheme(secrets, ways, CURE)


def _verify_header(delivery: Delivery, options: GenericOptions) -> Callable[[Secret], bool]:
    given = signing.require_header(delivery, options.header_of("header"))
    scheme, _, token = given.partition(" ")
    shown = token.strip() if scheme.lower() == "bearer" else given
    return lambda secret: signing.is_equal(shown, secret.value)


def _verify_hmac(delivery: Delivery, options: GenericOptions) -> Callable[[Secret], bool]:
    return options.hmac_for(delivery.header(options.header_of("hmac"))).verify(delivery)


def read(delivery: Delivery, options: GenericOptions) -> Sequence[Reading]:
    """What a delivery says, by the fields that were chosen."""
    body = reading.parse_object(delivery.body)
    if isinstance(body, Unreadable):
        return (body,)
    if options.fields is None:
        message = "Choose first which of its fields is which."
        return (Unreadable(DELIVERY, message, _name_fields(body)),)
    found = {name: reading.dig(body, path) for name, path in options.fields.items()}
    is_end = options.ended_when is None or _is_met(options.ended_when, body)
    name = _read_event_name(found, body, options)
    call = reading.read_id(found["call_id"])
    if call is None and not is_end:
        return (Ignored(name),)
    if call is None:
        message = f"There is no call id at {options.fields['call_id']}."
        return (Unreadable(name, message, _name_fields(body)),)
    event = Event(
        name=name,
        call=call,
        facts=_read_facts(found, options),
        occurred_at=reading.read_time(found.get("occurred_at")),
        is_end=is_end,
        tenant=reading.keep_known(
            reading.read_text(found.get("tenant")), reading.read_text(found.get("agent_id"))
        ),
        user_id=reading.read_id(found.get("user_id")),
        workspace_id=reading.read_id(found.get("workspace_id")),
    )
    return (event,)


def _is_met(condition: EndedWhen, body: Json) -> bool:
    value = reading.dig(body, condition.path)
    wanted = condition.value if isinstance(condition.value, list) else [condition.value]
    word = _spell(value)
    return word is not None and word in {_spell(each) for each in wanted}


def _spell(value: Json) -> str | None:
    """A value as a word: `true`, `3`, `call.ended`."""
    text = str(value) if isinstance(value, bool) else reading.read_text(value)
    return None if text is None else text.lower()


def _read_event_name(found: Mapping[str, Json], body: Json, options: GenericOptions) -> str:
    condition = options.ended_when
    named = [found.get("event"), None if condition is None else reading.dig(body, condition.path)]
    names = [reading.read_name(each) for each in named if each is not None]
    return next((each for each in names if each != reading.UNKNOWN), DELIVERY)


def _read_facts(found: Mapping[str, Json], options: GenericOptions) -> Facts:
    direction = reading.read_text(found.get("direction"))
    ends = {name: reading.read_phone(found.get(name)) for name in ("from_number", "to_number")}
    customer = reading.read_phone(found.get("phone_number"))
    numbers = (
        # The pipeline knows more words for the two directions than we do.
        {"direction": reading.read_direction(direction) or direction, **ends}
        if direction or customer
        else reading.read_ends(None, found.get("from_number"), found.get("to_number"))
    )
    texts = ("agent_name", "agent_email", "agent_id", "summary")
    return reading.make_facts(
        **numbers,
        phone_number=customer,
        **{name: reading.read_text(found.get(name)) for name in texts},
        region=_read_region(found.get("region")),
        started_at=reading.read_time(found.get("started_at")),
        ended_at=reading.read_time(found.get("ended_at")),
        duration_seconds=_read_duration(found.get("duration_seconds"), options),
        outcome=_read_outcome(reading.read_text(found.get("outcome"))),
        recording_url=reading.read_link(found.get("recording_url")),
        transcript=_read_transcript(found.get("transcript")),
        structured_data=_read_structured(found),
    )


def _read_region(value: Json) -> str | None:
    text = (reading.read_text(value) or "").upper()
    return text if re.fullmatch(r"[A-Z]{2}", text) else None


def _read_duration(value: Json, options: GenericOptions) -> float | str | None:
    """Seconds; a text such as `1:07` is left to the pipeline, which reads it."""
    number = reading.read_number(value)
    if number is None:
        return reading.read_text(value)
    return number * UNITS[options.duration_unit]


def _read_outcome(word: str | None) -> str | None:
    return OUTCOMES.get((word or "").lower().replace("-", "_").replace(" ", "_"), word)


def _read_transcript(value: Json) -> list[dict[str, str]]:
    if not isinstance(value, list):
        return reading.read_lines(reading.read_text(value), ROLES)
    turns = []
    for item in value[: reading.MOST_TURNS]:
        who = reading.find_text(item, *SPEAKERS) or "unknown"
        text = reading.find_text(item, *SAID)
        if text:
            turns.append({"role": ROLES.get(who.lower(), who), "text": text})
    return turns


def _read_structured(found: Mapping[str, Json]) -> dict[str, Json]:
    whole = found.get("structured_data")
    named = {
        name.removeprefix(STRUCTURED): value
        for name, value in found.items()
        if name.startswith(STRUCTURED)
    }
    return reading.collect(**(whole if isinstance(whole, dict) else {}) | named)


def list_names(body: bytes) -> tuple[str, ...]:
    """The dotted paths of what a delivery holds, for the form. Never a value.

    Of a list the first item is looked into. Names that are data themselves (numbers, addresses,
    ids) are left out, and so is what lies deeper than eight names.
    """
    value = reading.parse_object(body)
    return () if isinstance(value, Unreadable) else _name_fields(value)


def _name_fields(body: dict[str, Json]) -> tuple[str, ...]:
    return tuple(islice(_walk(body, ()), MOST_NAMES))


def _walk(value: Json, path: tuple[str, ...]) -> Iterator[str]:
    if isinstance(value, dict) and len(path) < DEEPEST_NAME:
        for name, each in value.items():
            if reading.read_text(name) and len(name) <= LONGEST_NAME and not _PRIVATE.search(name):
                yield from _walk(each, (*path, name))
    elif isinstance(value, list) and len(path) < DEEPEST_NAME and value:
        if isinstance(value[0], dict | list):
            yield ".".join(path)
            yield from _walk(value[0], (*path, "0"))
        elif path:
            yield ".".join(path)
    elif path:
        yield ".".join(path)


def sample(secret: Secret, url: str, at: datetime, options: GenericOptions) -> Sequence[Sample]:
    """One call of a minute in the shape that was chosen; none until the fields are."""
    if options.fields is None:
        return ()
    values = _invent(at, options)
    body: dict[str, Json] = {}
    if options.ended_when is not None:
        value = options.ended_when.value
        _put(body, options.ended_when.path, value[0] if isinstance(value, list) else value)
    for name, path in options.fields.items():
        _put(body, path, values.get(name, "sample"))
    content = json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    if secret.scheme == "header":
        headers[options.header_of("header")] = secret.value
        return (Sample(name=DELIVERY, headers=headers, body=content),)
    headers[options.timestamp_header] = str(int(at.timestamp()))
    delivery = Delivery(url=url, headers=tuple(headers.items()), body=content, received_at=at)
    headers |= options.hmac_for(None).sign(secret.value, delivery)
    return (Sample(name=DELIVERY, headers=headers, body=content),)


def _invent(at: datetime, options: GenericOptions) -> dict[str, Json]:
    """A value for each of our fields."""
    ended_at = at - timedelta(seconds=5)
    return {
        "call_id": f"sample-{int(at.timestamp())}",
        "phone_number": "+12025550116",
        "direction": "inbound",
        "from_number": "+12025550116",
        "to_number": "+12025550199",
        "region": "US",
        "started_at": (ended_at - timedelta(seconds=60)).isoformat(),
        "ended_at": ended_at.isoformat(),
        "duration_seconds": 60 / UNITS[options.duration_unit],
        "agent_name": "Max",
        "agent_email": "max@example.com",
        "outcome": "completed",
        "summary": "Ada asked for a call back.",
        "recording_url": "https://recordings.example.com/sample.mp3",
        "transcript": [{"role": "user", "text": "Please call me back."}],
        "structured_data": {"topic": "call back"},
        "occurred_at": at.isoformat(),
    }


def _put(body: dict[str, Json], path: str, value: Json) -> None:
    """Put a value at a path, unless another path holds a value on its way."""
    *outer, last = path.split(".")
    for name in outer:
        inner = body.setdefault(name, {})
        if not isinstance(inner, dict):
            return
        body = inner
    body.setdefault(last, value)


ADAPTER: Final = Adapter(
    vendor="generic",
    title="Another platform",
    schemes=(
        Scheme(
            name="header",
            title="Secret in a header",
            hint=(
                "A long password that you make up. The platform must send it with each message, in"
                " the header X-Webhook-Secret or one that you name."
            ),
            check=signing.check_secret,
        ),
        Scheme(
            name="hmac",
            title="Signature (HMAC)",
            hint=(
                "The secret with which the platform signs its messages. Its documentation says in"
                " which header the signature comes, and what is signed."
            ),
            check=signing.check_secret,
        ),
    ),
    steps=(
        "At your platform, find the settings of webhooks (some call them callbacks or events).",
        "Enter this address there, for the event that says that a call has ended: {url}",
        (
            "Agree on a secret: either a header X-Webhook-Secret that the platform sends with each"
            " message, or the secret with which it signs. Paste the same secret here."
        ),
        "Make a test call and hang up. The names of the fields that came are shown here.",
        (
            "Choose which of them is the call's id, the customer's number (or both numbers and the"
            " direction), the times, the summary and so on. Only the id is required."
        ),
        (
            "If the platform also sends messages during a call, say which value of which field"
            " means that the call is over."
        ),
        (
            "If the platform logs calls in HubSpot already, switch that off there, or every call is"
            " there twice."
        ),
    ),
    caveats=(
        "Only messages in JSON are read, one call in each.",
        "With a secret in a header, whoever learns the secret can send calls: prefer a signature.",
    ),
    options=GenericOptions,
    signature_headers=("x-webhook-secret", "x-webhook-signature"),
    verify=verify,
    read=read,
    sample=sample,
)
