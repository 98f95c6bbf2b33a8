"""The browser is never sent to anybody else's page after OAuth."""

import re
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.connecting.landing import Failure, check_return_to, landing_url
from api.http.errors import InvalidRequestError

ALLOWED = ("https://app.example.com", "http://localhost:3000")
# How browsers read a URL that begins so: the host ends where one of these stands.
OURS = re.compile(
    r"(?:https://app\.example\.com(?::0*443)?|http://localhost:0*3000):?(?:[/?#]|$)",
    re.ASCII | re.IGNORECASE,
)
PIECES = (
    *("https:", "http:", "javascript:", "data:", "ftp:", "//", "/", "\\", "\\\\", "@", ":", "?"),
    *("#", ".", "..", "%", "%00", "%2f", "%5c", "%40", "%2e", "[", "]", "\t", "\n", "\r", "\0"),
    *(" ", "\x7f", "\x85", "\u2028", "\u3002", "\uff0f", "\uff20", "\ufe52", "\u2100", "\u200b"),
    *("\xad", "\u0131", "\u017f", "\ud800", "&", ";", "app.example.com", "evil.example", "443"),
    *("localhost", ":3000", ":080", "xn--", "hubspot=connected", "user"),
)


@st.composite
def mangled_urls(draw: st.DrawFn) -> str:
    """An allowed URL into which pieces are put, or which is cut."""
    url = draw(st.sampled_from((*ALLOWED, f"{ALLOWED[0]}/calls?tab=1#top")))
    for piece in draw(st.lists(st.sampled_from(PIECES), max_size=4)):
        start = draw(st.integers(0, len(url)))
        end = draw(st.integers(start, min(start + 2, len(url))))
        url = url[:start] + piece + url[end:]
    return url


@settings(max_examples=500, deadline=None)
@given(url=mangled_urls(), failure=st.none() | st.sampled_from(Failure))
def test_url_that_is_accepted_is_on_an_allowed_origin(url: str, failure: Failure | None) -> None:
    try:
        check_return_to(url, ALLOWED)
    except InvalidRequestError:
        return
    for sent_to in (url, landing_url(url, failure)):
        assert OURS.match(sent_to), sent_to
        assert not re.search(r"[\x00-\x20\x7f\\]", sent_to)


@settings(deadline=None)
@given(url=st.text(st.characters(codec=None)))
def test_any_text_is_refused_or_an_allowed_origin(url: str) -> None:
    with pytest.raises(InvalidRequestError):
        check_return_to(url, ALLOWED)


@pytest.mark.parametrize("place", ["/{}", "/?{}tab=1", "/#{}"])
def test_half_a_character_is_refused_before_it_cannot_be_sent(place: str) -> None:
    with pytest.raises(InvalidRequestError):
        check_return_to(ALLOWED[0] + place.format("\ud800"), ALLOWED)


@pytest.mark.parametrize("url", [f"{ALLOWED[0]}//evil.example/..", f"{ALLOWED[0]}/?x=//evil#//y"])
def test_odd_paths_stay_where_they_are(url: str) -> None:
    parts = urlsplit(landing_url(check_return_to(url, ALLOWED)))
    assert (parts.scheme, parts.netloc) == ("https", "app.example.com")


def test_page_cannot_plant_an_outcome_of_its_own() -> None:
    url = f"{ALLOWED[0]}/?hubspot=connected&%68ubspot=connected&code=x&message=Send+us+money"
    told = landing_url(check_return_to(url, ALLOWED), Failure.INVALID_STATE)
    assert told.count("hubspot=") == 1
    assert "connected" not in told
    assert "money" not in told
