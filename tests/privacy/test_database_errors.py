"""What Postgres says when it refuses a row quotes the row; our errors must not."""

import traceback
from secrets import token_hex

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from shared.database.engines import Database

SECRET = f"Mildred{token_hex(8)}"
INSERT = """
    INSERT INTO hubspot_sync_logs (id, user_id, workspace_id, call_id, phone_number, status)
    VALUES ('hs_1', 'user_1', 'ws_1', 'call_1', :secret, 'lost')
"""


@pytest.mark.parametrize(
    ("statement", "kind", "told"),
    [
        (INSERT, IntegrityError, "ck_hubspot_sync_logs_status"),
        ("SELECT CAST(:secret AS bigint)", DataError, "a value was refused"),
        ("SELECT CAST(:secret AS jsonb)", DataError, "a value was refused"),
    ],
)
def test_error_of_postgres_names_the_constraint_and_no_value(
    database: Database, statement: str, kind: type[DBAPIError], told: str
) -> None:
    with pytest.raises(kind) as raised, database.begin() as session:
        session.execute(text(statement), {"secret": SECRET})

    shown = "".join(traceback.format_exception(raised.value)) + repr(raised.value)
    assert told in shown
    assert SECRET not in shown
    assert SECRET not in str(raised.value.orig)
