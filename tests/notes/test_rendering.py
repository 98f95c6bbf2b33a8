from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.activities.recording import UnlinkableError, parse_recording_url
from shared.activities.rendering import marker_ref, render_note
from shared.calls.content import CallContent, TranscriptTurn
from tests.notes.reading import read_note

LOG_ID = "hs_0192f4a07c1e7d3f9a5b6c7d8e9f0a1b"
CALL = CallContent(
    direction="inbound",
    phone_number="+12025550123",
    from_number="+12025550123",
    to_number="+12025550100",
    started_at=datetime(2026, 11, 22, 9, 57, tzinfo=UTC),
    ended_at=datetime(2026, 11, 22, 10, 0, tzinfo=UTC),
    duration_seconds=184,
    agent_name="Ada",
    outcome="demo booked",
    summary="Wants a demo.\nCalls back on Monday.",
    recording_url="https://media.example.com/call_xyz.wav?a=1&b=2",
    structured_data={
        "intent": "demo",
        "outcome": "demo booked",
        "seats": 12,
        "trial": True,
        "budget": None,
        "days": ["Mon", "Tue"],
        "customer": {"name": "Grace", "sites": [{"city": "Rome"}, {"city": "Bern"}]},
    },
    transcript=[
        {"role": "assistant", "text": "Hello!"},
        {"role": "user", "text": "I want a <demo>."},
    ],
)
ANY_TEXT = st.text(st.characters(codec=None))
ANY_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner),
    max_leaves=20,
)
ANY_CALL = st.builds(
    CallContent.model_construct,
    direction=st.none() | ANY_TEXT,
    phone_number=st.none() | ANY_TEXT,
    from_number=st.none() | ANY_TEXT,
    to_number=st.none() | ANY_TEXT,
    started_at=st.none() | st.datetimes(timezones=st.just(UTC)),
    ended_at=st.none() | st.datetimes(timezones=st.just(UTC)),
    duration_seconds=st.none() | st.floats() | st.integers(),
    agent_name=st.none() | ANY_TEXT,
    outcome=st.none() | ANY_TEXT,
    summary=st.none() | ANY_TEXT,
    recording_url=st.none() | ANY_TEXT | ANY_TEXT.map(lambda text: f"https://host/{text}"),
    structured_data=st.none() | st.dictionaries(ANY_TEXT, ANY_VALUE),
    transcript=st.lists(st.fixed_dictionaries({"role": ANY_TEXT, "text": ANY_TEXT})),
)


def utf16_units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


@pytest.mark.parametrize(
    ("direction", "title"),
    [
        ("incoming", "Inbound call"),
        ("outbound-api", "Outbound call"),
        ("inboundPhoneCall", "Inbound call"),
        ("sideways", "Call"),
        (None, "Call"),
    ],
)
def test_the_title_names_the_direction_in_our_words(direction: str | None, title: str) -> None:
    call = CALL.model_copy(
        update={"direction": direction, "duration_seconds": None, "started_at": None}
    )
    assert read_note(render_note(call, call_id="call_1", log_id=LOG_ID)).lines[0] == title


def test_a_full_call_reads_well() -> None:
    note = read_note(render_note(CALL, call_id="call_xyz", log_id=LOG_ID))
    assert note.lines == [
        "Inbound call · 3 min 4 s",
        "From: +12025550123",
        "To: +12025550100",
        "Agent: Ada",
        "Outcome: demo booked",
        "Summary",
        "Wants a demo.",
        "Calls back on Monday.",
        "Recording (media.example.com)",
        "Details",
        "intent: demo",
        "seats: 12",
        "trial: yes",
        "days: Mon, Tue",
        "customer › name: Grace",
        "customer › sites › 1 › city: Rome",
        "customer › sites › 2 › city: Bern",
        "Transcript",
        "Assistant: Hello!",
        "User: I want a <demo>.",
        f"Call ID: call_xyz · Ref: {LOG_ID}",
    ]
    assert dict(note.tags)["a"] == {
        "href": "https://media.example.com/call_xyz.wav?a=1&b=2",
        "target": "_blank",
        "rel": "noopener noreferrer",
    }


def test_a_bare_call_has_a_title_and_the_last_line() -> None:
    note = read_note(render_note(CallContent(), call_id="call_xyz", log_id=LOG_ID))
    assert note.lines == ["Call", f"Call ID: call_xyz · Ref: {LOG_ID}"]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "Call · 0 s"),
        (59.6, "Call · 1 min"),
        (60, "Call · 1 min"),
        (3725, "Call · 1 h 2 min 5 s"),
        (-1, "Call"),
        (float("nan"), "Call"),
        (float("inf"), "Call"),
    ],
)
def test_duration_is_written_for_people(seconds: float, shown: str) -> None:
    call = CallContent.model_construct(duration_seconds=seconds)
    assert read_note(render_note(call, call_id="call_1", log_id=LOG_ID)).lines[0] == shown


def test_duration_that_is_not_given_follows_from_start_and_end() -> None:
    note = read_note(
        render_note(
            CALL.model_copy(update={"duration_seconds": None}), call_id="call_1", log_id=LOG_ID
        )
    )
    assert note.lines[0] == "Inbound call · 3 min"


@pytest.mark.parametrize(
    "url",
    [
        "http://media.example.com/a.wav",
        "javascript:alert(1)",
        "https://",
        "https://hubspot.com@evil.example/a.wav",
        "HTTP://media.example.com/a.wav",
        "https://media.example.com/a\nb.wav",
        "https://media example.com/a.wav",
        "https://media.example.com|evil.example/a.wav",
        "https://media.example.com\\@evil.example",
        "https://media.example.com:port/",
        "https://[media.example.com/",
        "https://media.example.com/" + "a" * 4096,
        "//media.example.com/a.wav",
        "",
    ],
)
def test_a_recording_that_is_no_clean_https_link_is_left_out(url: str) -> None:
    note = read_note(
        render_note(CALL.model_copy(update={"recording_url": url}), call_id="call_1", log_id=LOG_ID)
    )
    assert "a" not in dict(note.tags)
    assert "Recording" not in note.text


@pytest.mark.parametrize(
    ("given_url", "linked"),
    [
        ("https://h.example/a b.wav", "https://h.example/a%20b.wav"),
        (" https://h.example/it's.wav ", "https://h.example/it%27s.wav"),
        ("https://h.example/a|b/{id}.wav", "https://h.example/a%7Cb/%7Bid%7D.wav"),
        ("https://h.example/grüße.wav?n=ä&x=1#t=1", None),
        ("https://h.example/100%/a%20b.wav", "https://h.example/100%25/a%20b.wav"),
        ('https://h.example/"onclick="alert(1)', "https://h.example/%22onclick=%22alert(1)"),
        ("https://h.example/<b>\\^`[x]", "https://h.example/%3Cb%3E%5C%5E%60%5Bx%5D"),
        ("HTTPS://H.Example:8443/A", "https://h.example:8443/A"),
        ("https://bücher.example/a", "https://xn--bcher-kva.example/a"),
        ("https://h.example?a=b c", "https://h.example?a=b%20c"),
    ],
)
def test_recording_link_that_is_only_unescaped_is_escaped(
    given_url: str, linked: str | None
) -> None:
    body = render_note(
        CALL.model_copy(update={"recording_url": given_url}), call_id="call_1", log_id=LOG_ID
    )
    found = dict(read_note(body).tags)["a"]["href"]
    assert found == (linked or "https://h.example/gr%C3%BC%C3%9Fe.wav?n=%C3%A4&x=1#t=1")


@settings(deadline=None)
@given(ANY_CALL)
def test_no_call_can_break_out_of_its_note(call: CallContent) -> None:
    body = render_note(call, call_id="call_1", log_id=LOG_ID)
    assert utf16_units(body) < 65_536
    assert marker_ref(body) == LOG_ID
    note = read_note(body)
    assert {tag for tag, _ in note.tags} <= {"p", "br", "strong", "ul", "li", "a"}
    assert all(tag == "a" or not attributes for tag, attributes in note.tags)
    assert note.lines[-1].startswith("Call ID:")
    assert not any(character in body for character in "\0\x1b\u202e\u2066\ufffe")


@pytest.mark.parametrize(
    "text",
    ["x", "&", "😀", "שלום ", "\n", "<b>", "e\u0301", "a\n\u200f"],
    ids=["ascii", "entities", "emoji", "hebrew", "lines", "tags", "accents", "mixed"],
)
@pytest.mark.parametrize(
    "field", ["summary", "transcript", "structured_data", "call_id", "outcome"]
)
def test_100_kb_in_any_field_is_shortened_and_the_last_line_survives(text: str, field: str) -> None:
    long = text * 100_000
    values: dict[str, Any] = {
        "transcript": [{"role": "user", "text": long}, {"role": "assistant", "text": long}],
        "structured_data": {f"key {number}": long for number in range(200)},
    }
    body = render_note(
        CALL.model_copy(update={field: values.get(field, long)}), call_id="call_1", log_id=LOG_ID
    )
    assert utf16_units(body) < 65_536
    assert marker_ref(body) == LOG_ID
    read_note(body)


def test_everything_too_long_at_once_still_fits() -> None:
    long = "&" * 100_000
    call = CallContent.model_construct(
        direction=long,
        from_number=long,
        to_number=long,
        agent_name=long,
        outcome=long,
        summary=long,
        recording_url="https://media.example.com/" + "&" * 4000,
        structured_data={f"{number}{long}": long for number in range(200)},
        transcript=[{"role": long, "text": long}] * 100,
    )
    body = render_note(call, call_id="call_1", log_id=LOG_ID)
    assert utf16_units(body) < 65_536
    assert marker_ref(body) == LOG_ID
    assert "Transcript" in body


def test_a_long_transcript_uses_the_room_there_is_and_says_that_it_was_shortened() -> None:
    turns = [
        TranscriptTurn(role="user", text=f"{number} " + "word " * 20) for number in range(2_000)
    ]
    body = render_note(
        CALL.model_copy(update={"transcript": turns}), call_id="call_1", log_id=LOG_ID
    )
    assert utf16_units(body) > 60_000
    assert read_note(body).lines[-2].endswith("… (shortened)")


def test_right_to_left_text_is_kept_apart_from_what_stands_beside_it() -> None:
    call = CallContent.model_construct(agent_name="דנה", summary="שלום\nhello")
    lines = read_note(render_note(call, call_id="call_1", log_id=LOG_ID)).lines
    assert lines[1:] == [
        "Agent: \u2068דנה\u2069",
        "Summary",
        "\u2068שלום\u2069",
        "hello",
        f"Call ID: call_1 · Ref: {LOG_ID}",
    ]


def test_controls_and_marks_that_turn_text_around_are_dropped() -> None:
    summary = "a\0b\x1bc\x7fd\u202ee\u2066f\ud800g\ufffeh\r\ni\u2028j\n\n\n\nk\tl"
    note = read_note(
        render_note(CallContent.model_construct(summary=summary), call_id="call_1", log_id=LOG_ID)
    )
    assert note.text.split("Summary")[1].split("Call ID")[0].strip("\n") == "abcdefgh\ni\nj\n\nk\tl"


def test_the_customers_number_is_shown_when_it_is_all_there_is() -> None:
    call = CallContent.model_construct(phone_number="+12025550123")
    assert (
        read_note(render_note(call, call_id="call_1", log_id=LOG_ID)).lines[1]
        == "Phone: +12025550123"
    )


def test_structured_data_is_cut_at_depth_and_count() -> None:
    deep: dict[str, object] = {"end": "x"}
    for _ in range(50):
        deep = {"in": deep}
    wide = {f"key{number}": number for number in range(1_000)}
    note = read_note(
        render_note(
            CallContent.model_construct(structured_data={"deep": deep, **wide}),
            call_id="call_1",
            log_id=LOG_ID,
        )
    )
    assert "deep › in › in › in › in: …" in note.lines
    assert sum(tag == "li" for tag, _ in note.tags) == 100


def test_list_is_read_no_further_than_a_note_can_show() -> None:
    read = 0

    class Counted(int):
        def __str__(self) -> str:
            nonlocal read
            read += 1
            return "1" * 309

    note = render_note(
        CallContent.model_construct(structured_data={"a": [Counted()] * 10_000}),
        call_id="call_1",
        log_id=LOG_ID,
    )
    assert note.count("1" * 309) == 6  # the seventh is cut
    assert read < 20


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "93.184.216.34", "93.184.216.34.", "[::1]", "[2606:2800:220:1::1]"),
        *("2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "127.1", "0x", "0X7F.1"),
        *("１２７.0.0.1", "127。0。0。1", "example.0x7f", "example.7", "93.184.216.34:8443"),
    ],
)
def test_recording_at_an_ip_address_is_not_linked(host: str) -> None:
    with pytest.raises(UnlinkableError, match="IP address"):
        parse_recording_url(f"https://{host}/a")


@pytest.mark.parametrize("host", ["7.example", "0x7f.example", "1and1.de", "x.7up", "a.0b1"])
def test_names_with_digits_are_no_addresses(host: str) -> None:
    recording = parse_recording_url(f"https://{host}/a")
    assert recording is not None
    assert recording.host == host


@pytest.mark.parametrize("host", ["аpple.example", "ɢoogle.example", "раypal.example"])
def test_look_alikes_are_shown_as_what_they_are(host: str) -> None:
    recording = parse_recording_url(f"https://{host}/a")
    assert recording is not None
    assert recording.host.startswith("xn--")
    assert recording.url.isascii()
