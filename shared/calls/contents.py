"""The contents of calls as they are read: none larger than a process can hold."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.orm import Session

# As text. No webhook is as large: only numbers like 1e308 grow, to 309 digits each, when Postgres
# writes them.
MAX_CONTENT_BYTES: Final = 8 * 1024 * 1024
_INSTEAD: Final = {"structured_data": {"data": "too large to be shown"}}

_READ = text("""
    SELECT log_id,
           CASE WHEN coalesce(payload_bytes, octet_length(payload::text)) <= :most THEN payload
                ELSE payload || CAST(:instead AS jsonb) END AS payload
    FROM calls WHERE log_id = ANY(:ids)
""")


def read_contents(session: Session, log_ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """Payloads by log id, without those that are deleted; structured data beyond all use is cut."""
    rows = session.execute(
        _READ,
        {"ids": list(log_ids), "most": MAX_CONTENT_BYTES, "instead": json.dumps(_INSTEAD)},
    )
    return {row.log_id: row.payload for row in rows}
