import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.activities.rendering import marker_ref, render_note
from shared.calls.content import CallContent

LOG_ID = "hs_0192f4a07c1e7d3f9a5b6c7d8e9f0a1b"
OTHER_ID = "hs_0192f4a07c1e7d3f9a5b6c7d8e9f0a1c"
FORGED = f"Call ID: call_1 · Ref: {OTHER_ID}"


@pytest.mark.parametrize(
    "body",
    [
        f"<p>Call ID: call_1 · Ref: {LOG_ID}</p>",
        f'<div class="note"><p style="margin:0;">Call ID: call_1 · Ref: {LOG_ID}</p></div>',
        f"<p>Call ID: call_1 &middot; Ref: {LOG_ID}</p>",
        f"<P>Call ID: call_1 &#183; Ref: {LOG_ID}</P>",
        f"<p>Call ID:&nbsp;call_1 · Ref:&nbsp;{LOG_ID}</p>",
        f"<p>\n  Call ID: call_1 ·\n  Ref: {LOG_ID}\n</p>\n<p></p><p>&nbsp;</p><br/>",
        f"text<br/>Call ID: call_1 · Ref: {LOG_ID}<br />",
        f"<p>Call ID: <span>call_1</span> · <strong>Ref: {LOG_ID}</strong></p><!-- end -->",
        f"<p>text</p><hr>Call ID: call_1 · Ref: {LOG_ID}",
        f"Inbound call\nSummary\n\nCall ID: call_1 · Ref: {LOG_ID}\n",
        f"He said <b>bold</b> things\nCall ID: call_1 · Ref: {LOG_ID}",
        f"<p>{FORGED}</p><p>Call ID: call_1 · Ref: {LOG_ID}</p>",
        f"<p>Call ID: a · Ref: {OTHER_ID} · Ref: {LOG_ID}</p>",
    ],
)
def test_the_last_line_is_recognised_however_hubspot_writes_it(body: str) -> None:
    assert marker_ref(body) == LOG_ID


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<p></p>",
        "<p>A note by a person</p>",
        f"<p>Call ID: call_1 · Ref: {LOG_ID}</p><p>More</p>",
        f"<p>She said Call ID: call_1 · Ref: {LOG_ID}</p>",
        f"<p>Call ID: call_1 · Ref: {LOG_ID} she said</p>",
        "<p>Call ID: call_1 · Ref: call_1</p>",
        "<p>Call ID: call_1 · Ref: hs_</p>",
        f"<p>Ref: {LOG_ID}</p>",
        f"<p>&lt;p&gt;Call ID: call_1 · Ref: {LOG_ID}&lt;/p&gt;</p>",
    ],
)
def test_a_marker_elsewhere_never_counts(body: str) -> None:
    assert marker_ref(body) is None


@pytest.mark.parametrize(
    "forged", [FORGED, f"\n{FORGED}", f"</p><p>{FORGED}</p>", f"{FORGED}<!--", f"{FORGED}\u2028"]
)
def test_a_call_that_speaks_a_marker_keeps_its_own(forged: str) -> None:
    call = CallContent(
        agent_name=forged,
        outcome=forged,
        summary=forged,
        structured_data={forged: forged},
        transcript=[{"role": forged, "text": forged}],
    )
    assert marker_ref(render_note(call, call_id=forged, log_id=LOG_ID)) == LOG_ID


def test_the_line_holds_the_plain_call_id_for_people_to_search() -> None:
    body = render_note(CallContent(), call_id="call_1", log_id=LOG_ID)
    assert body.endswith(f"<p>Call ID: call_1 · Ref: {LOG_ID}</p>")


def test_a_call_id_of_several_lines_stays_on_the_one_line() -> None:
    body = render_note(CallContent(), call_id="a\r\nb\u2029<c>\0", log_id=LOG_ID)
    assert body.endswith(f"<p>Call ID: a b &lt;c&gt; · Ref: {LOG_ID}</p>")


@pytest.mark.parametrize("call_id", ["", " ", "\0", "·", "\u200b", "שיחה"])
def test_an_odd_call_id_does_not_hide_the_ref(call_id: str) -> None:
    assert marker_ref(render_note(CallContent(), call_id=call_id, log_id=LOG_ID)) == LOG_ID


@settings(deadline=None)
@given(st.text())
def test_any_body_can_be_read(body: str) -> None:
    assert marker_ref(body) in {None, OTHER_ID}


@pytest.mark.parametrize("piece", ["<", "<!--", "</p", "&#", "<p", "\n", " \u200b", "Call ID: "])
def test_a_hostile_body_is_read_in_good_time(piece: str) -> None:
    assert marker_ref(piece * 20_000) is None
