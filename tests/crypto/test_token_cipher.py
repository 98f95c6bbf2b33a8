import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.crypto import TokenCipher, UndecryptableError

OLD, NEW = b"o" * 32, b"n" * 32
ROW = "hc_1"


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8")))
def test_a_token_comes_back_as_it_went_in(token: str) -> None:
    cipher = TokenCipher([OLD])
    sealed = cipher.encrypt(token, row_id=ROW, field="access_token")
    assert cipher.decrypt(sealed, row_id=ROW, field="access_token") == token


def test_the_same_token_is_never_sealed_alike_twice() -> None:
    cipher = TokenCipher([OLD])
    sealed = {cipher.encrypt("token", row_id=ROW, field="access_token") for _ in range(10)}
    assert len(sealed) == 10


def test_ciphertext_names_version_and_key_and_hides_the_token() -> None:
    version, key_id, rest = (
        TokenCipher([OLD]).encrypt("secret-token", row_id=ROW, field="access_token").split(".")
    )
    assert (version, len(key_id)) == ("v1", 8)
    assert "secret" not in rest


@pytest.mark.parametrize(
    ("row_id", "field"), [("hc_2", "access_token"), (ROW, "refresh_token"), ("", "access_token")]
)
def test_ciphertext_copied_to_another_row_or_field_does_not_decrypt(
    row_id: str, field: str
) -> None:
    cipher = TokenCipher([OLD])
    sealed = cipher.encrypt("token", row_id=ROW, field="access_token")
    with pytest.raises(UndecryptableError):
        cipher.decrypt(sealed, row_id=row_id, field=field)


def test_ciphertext_of_an_old_key_decrypts_and_asks_for_rotation() -> None:
    sealed = TokenCipher([OLD]).encrypt("token", row_id=ROW, field="access_token")
    rotated = TokenCipher([NEW, OLD])
    assert rotated.decrypt(sealed, row_id=ROW, field="access_token") == "token"
    assert rotated.needs_rotation(sealed)
    again = rotated.encrypt("token", row_id=ROW, field="access_token")
    assert not rotated.needs_rotation(again)
    assert TokenCipher([NEW]).decrypt(again, row_id=ROW, field="access_token") == "token"


def test_a_new_key_in_second_place_decrypts_before_it_encrypts() -> None:
    sealed_by_first = TokenCipher([OLD, NEW]).encrypt("token", row_id=ROW, field="f")
    assert not TokenCipher([OLD]).needs_rotation(sealed_by_first)
    sealed_by_next = TokenCipher([NEW, OLD]).encrypt("token", row_id=ROW, field="f")
    assert TokenCipher([OLD, NEW]).decrypt(sealed_by_next, row_id=ROW, field="f") == "token"


def test_ciphertext_whose_key_is_gone_is_undecryptable() -> None:
    sealed = TokenCipher([OLD]).encrypt("token", row_id=ROW, field="access_token")
    with pytest.raises(UndecryptableError, match="TOKEN_ENCRYPTION_KEYS"):
        TokenCipher([NEW]).decrypt(sealed, row_id=ROW, field="access_token")


def test_every_altered_character_is_noticed() -> None:
    cipher = TokenCipher([OLD])
    sealed = cipher.encrypt("token", row_id=ROW, field="access_token")
    for index, character in enumerate(sealed):
        altered = sealed[:index] + ("A" if character != "A" else "B") + sealed[index + 1 :]
        with pytest.raises(UndecryptableError):
            cipher.decrypt(altered, row_id=ROW, field="access_token")


@settings(deadline=None)
@given(st.text())
def test_any_text_that_is_no_ciphertext_is_undecryptable(text: str) -> None:
    with pytest.raises(UndecryptableError):
        TokenCipher([OLD]).decrypt(text, row_id=ROW, field="access_token")


@pytest.mark.parametrize("encoded", ["", "AAAA", "é", "A", "AAAAAAAAAAAAAAAA"])
def test_ciphertext_too_short_or_not_base64_is_undecryptable(encoded: str) -> None:
    cipher = TokenCipher([OLD])
    key_id = cipher.encrypt("", row_id=ROW, field="f").split(".")[1]
    with pytest.raises(UndecryptableError):
        cipher.decrypt(f"v1.{key_id}.{encoded}", row_id=ROW, field="f")


def test_keyed_hash_is_stable_per_key_and_tells_nothing_without_it() -> None:
    number = "+12025550123"
    assert TokenCipher([OLD]).keyed_hash(number) == TokenCipher([OLD, NEW]).keyed_hash(number)
    assert TokenCipher([OLD]).keyed_hash(number) != TokenCipher([NEW, OLD]).keyed_hash(number)
    assert TokenCipher([OLD]).keyed_hash(number) != TokenCipher([OLD]).keyed_hash("+12025550124")
    assert len(TokenCipher([os.urandom(32)]).keyed_hash(number)) == 32
