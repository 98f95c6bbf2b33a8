import base64
from datetime import UTC, datetime, timedelta

import pytest

from sources import signing
from sources.adapter import InvalidSecretError, Refusal, RefusedError, Secret

DIGEST = bytes(range(32))
AT = datetime(2025, 11, 28, 3, 20, tzinfo=UTC)


def test_digest_has_one_spelling_in_base64() -> None:
    text = base64.b64encode(DIGEST).decode()
    assert signing.read_base64(text, 32) == DIGEST
    for other in (
        text.rstrip("="),
        text + "=",
        text.replace("=", "") + "\n=",
        # Its last two bits are not part of the digest.
        text[:-2] + chr(ord(text[-2]) + 1) + "=",
        base64.urlsafe_b64encode(b"\xff" * 32).decode(),
        DIGEST.hex(),
        "é" * 44,
    ):
        assert signing.read_base64(other, 32) is None


def test_digest_has_a_length_and_an_alphabet_in_hex() -> None:
    assert signing.read_hex(DIGEST.hex().upper(), 32) == DIGEST
    for other in (
        DIGEST.hex()[:-1],
        f"{DIGEST.hex()} ",
        f"0x{DIGEST.hex()[2:]}",
        "٣" * 64,
        "a b" * 21 + "a",
    ):
        assert signing.read_hex(other, 32) is None


@pytest.mark.parametrize(
    "stamp", [None, "", "soon", "-1", "1764300000.5", "176430000", "٣" * 10, " 1764300000"]
)
def test_time_of_another_form_is_malformed(stamp: str | None) -> None:
    with pytest.raises(RefusedError) as refused:
        signing.require_fresh(stamp, AT)
    assert refused.value.code is Refusal.MALFORMED_SIGNATURE


def test_time_is_fresh_for_five_minutes_both_ways() -> None:
    for seconds in (-300, 0, 300):
        signing.require_fresh("1764300000", AT + timedelta(seconds=seconds))
        signing.require_fresh("1764300000000", AT + timedelta(seconds=seconds))
    for seconds in (-301, 301):
        with pytest.raises(RefusedError):
            signing.require_fresh("1764300000", AT + timedelta(seconds=seconds))


def test_all_secrets_are_tried_though_the_first_fits() -> None:
    tried = []

    def proves(secret: Secret) -> bool:
        tried.append(secret.id)
        return True

    secrets = [Secret(id=each, scheme="x", value="of-some-length") for each in "abc"]
    assert signing.find_secret(secrets, proves) is secrets[0]
    assert tried == ["a", "b", "c"]


def test_empty_secret_proves_nothing() -> None:
    empty = Secret(id="a", scheme="x", value="  ")
    assert signing.find_secret([empty], lambda _: True) is None


def test_texts_of_any_characters_are_compared() -> None:
    assert signing.is_equal("é\ud800", "é\ud800")
    assert not signing.is_equal("é", "e")


def test_key_is_read_with_and_without_its_prefix_and_padding() -> None:
    key = bytes(range(25))
    text = base64.b64encode(key).decode()
    for spelling in (text, text.rstrip("="), f"whsec_{text}"):
        assert signing.read_key(spelling) == key
    for wrong in ("", "whsec_", "whsec_!", "not base64", "whsec_é", "YQ=="):
        with pytest.raises(InvalidSecretError):
            signing.read_key(wrong)


def test_scheme_that_nobody_knows_proves_nothing() -> None:
    with pytest.raises(RefusedError) as refused:
        signing.prove_by_scheme([Secret(id="a", scheme="x", value="of-some-length")], {}, "Check.")
    assert refused.value.code is Refusal.NO_SECRET
