"""Every token ends under the first key, whoever else writes meanwhile; none changes or is lost."""

import itertools
import threading
from contextlib import ExitStack
from typing import Final

from sqlalchemy.orm import Session

from shared.connections.rotation import PAGE, Rotation, TokenRow, rotate_tokens
from shared.connections.tokens import lock_token, read_token, store_token
from shared.crypto import TokenCipher
from shared.models import Connection
from tests.rotation.vault import NEW_FIRST, NEW_KEY, OLD_FIRST, OLD_KEY, Vault, grant, tokens

RACES: Final = 60


def rotate(vault: Vault, cipher: TokenCipher) -> Rotation:
    def refuse_to_wait(_seconds: float) -> None:
        raise AssertionError("nobody holds a row")

    return rotate_tokens(vault.database, cipher, pause=refuse_to_wait)


def test_tokens_of_every_table_end_under_the_first_key(vault: Vault) -> None:
    vault.connect("live", OLD_FIRST)
    vault.await_confirmation("pending", OLD_FIRST)
    vault.connect("gone", OLD_FIRST)
    vault.disconnect("gone")

    rotation = rotate(vault, NEW_FIRST)

    assert rotation == Rotation(rewritten=3)
    assert vault.read(NEW_KEY) == tokens("live", "pending", "gone")


def test_rotation_goes_back_when_the_keys_change_places(vault: Vault) -> None:
    vault.connect("live", NEW_FIRST)

    assert rotate(vault, OLD_FIRST).rewritten == 1
    assert vault.read(OLD_KEY) == tokens("live")


def test_second_run_finds_nothing_to_do(vault: Vault) -> None:
    vault.connect("live", OLD_FIRST)
    rotate(vault, NEW_FIRST)

    assert rotate(vault, NEW_FIRST) == Rotation()


def test_more_rows_than_a_page_are_all_rewritten(vault: Vault) -> None:
    names = [f"user_{number}" for number in range(2 * PAGE + 1)]
    for name in names:
        vault.connect(name, OLD_FIRST)
    told: list[int] = []

    rotation = rotate_tokens(vault.database, NEW_FIRST, on_rewritten=told.append)

    assert rotation.rewritten == sum(told) == len(names)
    assert vault.read(NEW_KEY) == tokens(*names)


def test_moved_ciphertexts_are_named_and_do_not_stop_the_others(vault: Vault) -> None:
    moved = [vault.connect(name, OLD_FIRST) for name in ("moved_1", "moved_2")]
    vault.swap_access_tokens(*moved)
    vault.connect("sound", OLD_FIRST)

    rotation = rotate(vault, NEW_FIRST)

    assert rotation.rewritten == 1
    assert rotation.undecryptable == [TokenRow("hubspot_oauth_tokens", id_) for id_ in moved]
    assert vault.read(NEW_KEY) == tokens("sound")


def test_rows_of_a_forgotten_key_are_named_and_left_as_they_are(vault: Vault) -> None:
    lost = vault.connect("lost", OLD_FIRST)

    rotation = rotate(vault, TokenCipher([NEW_KEY]))

    assert rotation.undecryptable == [TokenRow("hubspot_oauth_tokens", lost)]
    assert vault.read(OLD_KEY) == tokens("lost")


def test_rotation_is_no_new_token(vault: Vault) -> None:
    connection_id = vault.connect("live", OLD_FIRST)

    def read_facts() -> tuple[object, ...]:
        with vault.database.begin() as session:
            found = session.get_one(Connection, connection_id)
            return (found.token_version, found.generation, found.expires_at, found.refreshed_at)

    before = read_facts()
    rotate(vault, NEW_FIRST)

    assert read_facts() == before


def store_fresh(session: Session, connection_id: str, name: str, cipher: TokenCipher) -> None:
    fresh = grant(name)
    stored = read_token(session, connection_id)
    assert stored is not None
    assert store_token(
        session,
        connection_id,
        version=stored.version,
        access_token=cipher.encrypt(fresh.access_token, row_id=connection_id, field="access_token"),
        refresh_token=cipher.encrypt(
            fresh.refresh_token, row_id=connection_id, field="refresh_token"
        ),
        expires_in=fresh.expires_in,
    )


def test_row_held_by_a_refresh_is_rotated_after_it_with_the_fresh_token(vault: Vault) -> None:
    connection_id = vault.connect("stale", OLD_FIRST)
    vault.connect("other", OLD_FIRST)
    with ExitStack() as refreshing:
        session = refreshing.enter_context(vault.database.begin())
        assert lock_token(session, connection_id)
        store_fresh(session, connection_id, "fresh", OLD_FIRST)
        rotation = rotate_tokens(
            vault.database, NEW_FIRST, pause=lambda _seconds: refreshing.close()
        )

    assert rotation == Rotation(rewritten=2)
    assert vault.read(NEW_KEY) == tokens("fresh", "other")


def test_row_that_is_held_all_the_time_is_named(vault: Vault) -> None:
    connection_id = vault.connect("held", OLD_FIRST)
    with vault.database.begin() as session:
        session.get_one(Connection, connection_id, with_for_update={"key_share": True})
        rotation = rotate_tokens(vault.database, NEW_FIRST, pause=lambda _seconds: None)

    assert rotation == Rotation(busy=[TokenRow("hubspot_oauth_tokens", connection_id)])


def test_racing_refreshes_lose_no_token(vault: Vault) -> None:
    ids = [vault.connect(f"user_{number}", OLD_FIRST) for number in range(6)]
    latest: dict[str, str] = {}
    lost: list[str] = []
    enough = threading.Event()

    def refresh_over_and_over(mine: list[str], cipher: TokenCipher) -> None:
        """Refresh as the only worker that does, and see that the last token is still there."""
        for number in itertools.count():
            for connection_id in mine:
                if enough.is_set():
                    return
                with vault.database.begin() as session:
                    stored = read_token(session, connection_id)
                    if not lock_token(session, connection_id) or stored is None:
                        continue
                    found = cipher.decrypt(
                        stored.access_token, row_id=connection_id, field="access_token"
                    )
                    expected = latest.get(connection_id)
                    if expected and found != f"access {expected}":
                        lost.append(expected)
                    latest[connection_id] = f"{connection_id} {number}"
                    store_fresh(session, connection_id, latest[connection_id], cipher)

    # Half of the workers know the new key as the second only: their rows go stale again.
    refreshers = [
        threading.Thread(target=refresh_over_and_over, args=args)
        for args in ((ids[:3], OLD_FIRST), (ids[3:], NEW_FIRST))
    ]
    for refresher in refreshers:
        refresher.start()
    rewritten = 0
    while rewritten < RACES:
        found = rotate_tokens(vault.database, NEW_FIRST, pause=lambda _seconds: None)
        assert not found.undecryptable
        rewritten += found.rewritten
    enough.set()
    for refresher in refreshers:
        refresher.join()
    rotate(vault, NEW_FIRST)

    assert lost == []
    assert set(latest) == set(ids)
    assert vault.read(NEW_KEY) == tokens(*latest.values())
