"""What the sandbox keeps of the HTML in a body."""

import hypothesis
import pytest
from hypothesis import strategies as st

from sandbox.client import SandboxControl
from sandbox.rich_text import lines_of, normalise, sanitise
from tests.sandbox.driving import BODY, NEW, Caller

KEPT = [
    "<p>One<br>two</p>",
    "<b>a</b><strong>b</strong><em>c</em>",
    "<ul><li>a</li></ul><ol><li>b</li></ol>",
    '<a href="https://example.com/?a=1&amp;b=2" target="_blank" rel="noopener">Recording</a>',
    '<div><span style="color:#333333">grey</span></div>',
    '<span data-mention-id="1" data-mention-name="Ada">@Ada</span>',
    "Tom &amp; Ann &lt;3 &#x27;quoted&#x27; &nbsp;",
    "plain text\nwith a line end",
]
CHANGED = {
    "<p>a</p><script>alert(1)</script>b": "<p>a</p>b",
    '<audio controls src="https://example.com/1.mp3"></audio>b': "b",
    '<iframe src="https://example.com"></iframe>b': "b",
    "<table><tr><td>a</td></tr></table>": "a",
    '<p class="wide" data-callsync="1" onclick="x()">a</p>': "<p>a</p>",
    '<a href="javascript:alert(1)">a</a>': "<a>a</a>",
    '<span style="background:url(https://example.com/x)">a</span>': "<span>a</span>",
    '<img src="https://example.com/x.png" onerror="x()">': '<img src="https://example.com/x.png">',
    "a<!-- marker -->b": "ab",
    "<section><p>a</p></section>": "<p>a</p>",
}
INLINE = st.sampled_from(
    [
        "Tom",
        " ",
        "&amp;",
        "é",
        "e\u0301",
        "'",
        "&nbsp;",
        "<b>bold</b>",
        "<br>",
        "a  b",
        "\n",
        "x &lt; y",
        '<a href="https://example.com/?a=1&amp;b=2">link</a>',
        '<img src="https://example.com/x.png">',
    ]
)
BLOCK = st.lists(INLINE, max_size=6).map(lambda parts: f"<p>{''.join(parts)}</p>")
BODIES = st.lists(BLOCK | INLINE, max_size=6).map("".join)


@pytest.mark.parametrize("text", KEPT)
def test_what_integrations_send_is_kept_to_the_letter(text: str) -> None:
    assert sanitise(text) == text


@pytest.mark.parametrize("text", CHANGED)
def test_what_may_run_load_or_lay_out_is_dropped(text: str) -> None:
    assert sanitise(text) == CHANGED[text]


def test_body_is_sanitised_on_create_and_update_alike(
    caller: Caller, contact_id: str, kind: str
) -> None:
    sent = "<p class='x'>a</p><script>alert(1)</script>"
    (one,) = caller.created(NEW[kind](contact_id, sent), kind=kind)
    assert caller.bodies(kind, one) == ["<p>a</p>"]
    answer = caller.update(kind, one, **{BODY[kind]: sent.replace("a</p>", "b</p>")})
    assert answer.json()["properties"][BODY[kind]] == "<p>b</p>"


def test_normalising_changes_markup_but_neither_text_nor_links(
    control: SandboxControl, caller: Caller, contact_id: str, kind: str
) -> None:
    control.set_behaviour(normalises_html=True)
    sent = '<p><b>It\'s</b><br>here:  <a href="https://example.com/?a=1&amp;b=2">a link</a></p>'
    (one,) = caller.created(NEW[kind](contact_id, sent), kind=kind)
    (kept,) = caller.bodies(kind, one)
    assert kept == (
        '<div style="" dir="auto" data-top-level="true"><p style="margin:0;"><strong>It&#x27;s'
        '</strong><br />here: <a target="_blank" rel="noopener" '
        'href="https://example.com/?a=1&amp;b=2">a link</a></p>\n</div>'
    )
    assert lines_of(kept) == lines_of(sent)


@hypothesis.given(BODIES)
def test_sanitising_twice_changes_nothing(text: str) -> None:
    assert sanitise(sanitise(text)) == sanitise(text)


@hypothesis.given(BODIES)
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@hypothesis.given(BODIES)
def test_readers_see_the_same_lines_however_the_html_is_written(text: str) -> None:
    assert lines_of(normalise(text)) == lines_of(text)
