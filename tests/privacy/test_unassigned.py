"""A person is found, and erased, among calls that wait for their tenant."""

import click.testing
import pytest

from cli import main
from shared.calls.intake import NewCall
from shared.configuration.settings import WorkerSettings
from shared.crypto import TokenCipher
from shared.database.engines import Database
from shared.sources.storing import add_source
from shared.sources.unassigned import NOBODY, keep_call
from tests.emptying import empty
from tests.settings.environment import make_environ

PERSON = "+12025550123"


@pytest.mark.parametrize("is_rehearsal", [True, False])
def test_a_persons_waiting_calls_are_deleted(
    database: Database, postgres_url: str, valkey_url: str, *, is_rehearsal: bool
) -> None:
    empty(database)
    environ = make_environ(DATABASE_URL=postgres_url, REDIS_URL=valkey_url)
    cipher = TokenCipher(WorkerSettings.load(environ).token_encryption_keys)
    with database.begin() as session:
        source_id = add_source(session, owner=None, vendor="generic", name="One", options={})
        for number, phone in enumerate((PERSON, "+12025550177")):
            call = NewCall(
                user_id=NOBODY.user_id,
                workspace_id=NOBODY.workspace_id,
                call_id=f"generic:{number}",
                phone_number=phone,
                payload={"from_number": phone},
                source_id=source_id,
            )
            keep_call(session, cipher, call, keys=(), claimed=(None, None))
    arguments = ["erase", "--phone", PERSON, "--dry-run" if is_rehearsal else "--yes"]
    result = click.testing.CliRunner(env=environ).invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "Deliveries that wait for their tenant: 1." in result.output
    with database.begin() as session:
        left = session.connection().exec_driver_sql(
            "SELECT call_id FROM call_source_unassigned ORDER BY call_id"
        )
        wanted = ["generic:0", "generic:1"] if is_rehearsal else ["generic:1"]
        assert list(left.scalars()) == wanted
