"""Secrets of sources, and calls that wait for their tenant, end under the first key too."""

from sqlalchemy import select, update

from shared.calls.intake import NewCall
from shared.connections.rotation import Rotation, TokenRow
from shared.models import SourceSecret
from shared.sources.options import Owner
from shared.sources.storing import add_secret, add_source, open_secrets
from shared.sources.unassigned import NOBODY, iterate_unassigned, keep_call
from tests.rotation.test_rotation import rotate
from tests.rotation.vault import NEW_FIRST, OLD_FIRST, Vault


def test_ciphertexts_of_sources_are_rewritten(vault: Vault) -> None:
    with vault.database.begin() as session:
        source_id = add_source(session, owner=None, vendor="generic", name="One", options={})
        for name in ("one", "two"):
            add_secret(session, OLD_FIRST, source_id, scheme="header", value=f"secret {name}")
        call = NewCall(
            user_id=NOBODY.user_id,
            workspace_id=NOBODY.workspace_id,
            call_id="generic:1",
            phone_number=None,
            payload={"summary": "said"},
            source_id=source_id,
        )
        assert keep_call(session, OLD_FIRST, call, keys=("agent",), claimed=(None, None))

    assert rotate(vault, NEW_FIRST) == Rotation(rewritten=3)
    assert rotate(vault, NEW_FIRST) == Rotation()

    with vault.database.begin() as session:
        opened = open_secrets(session, NEW_FIRST, source_id)
        assert [each.value for each in opened] == ["secret one", "secret two"]
        ((_, payload),) = iterate_unassigned(session, NEW_FIRST)
        assert payload["summary"] == "said"


def test_a_secret_that_was_moved_to_another_row_does_not_decrypt(vault: Vault) -> None:
    owner = Owner("user_1", "ws_1")
    with vault.database.begin() as session:
        source_id = add_source(session, owner=owner, vendor="generic", name="One", options={})
        ids = [
            add_secret(session, OLD_FIRST, source_id, scheme="header", value=f"secret {name}")
            for name in ("one", "two")
        ]
        moved = select(SourceSecret.value).where(SourceSecret.id == ids[0]).scalar_subquery()
        session.execute(update(SourceSecret).values(value=moved))

    rotation = rotate(vault, NEW_FIRST)

    assert rotation.undecryptable == [TokenRow("call_source_secrets", ids[1])]
