"""Many threads of a worker process that all need one connection's token, as a program.

`python -m faults.racers CONNECTION_ID THREADS` prints one digest for each token that was had.
"""

import hashlib
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import structlog

from shared.configuration.settings import WorkerSettings
from shared.connections.access_tokens import TokenBusyError
from worker.resources import Resources, open_resources

PUT_OFF_S: Final = 0.2
MOST_TRIES: Final = 100


def get_token(resources: Resources, connection_id: str) -> str:
    """A digest of the token; as a turn does, comes again while somebody else refreshes it."""
    for _ in range(MOST_TRIES):
        try:
            token = resources.tokens.access_token(connection_id)
        except TokenBusyError:
            time.sleep(PUT_OFF_S)
        else:
            return hashlib.sha256(token.value.encode()).hexdigest()
    raise TimeoutError("the token stayed busy")


def main() -> None:
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())  # digests alone are printed
    connection_id, threads = sys.argv[1], int(sys.argv[2])
    resources = open_resources(WorkerSettings.load())
    try:
        with ThreadPoolExecutor(threads) as pool:
            for digest in pool.map(lambda _: get_token(resources, connection_id), range(threads)):
                sys.stdout.write(f"{digest}\n")
    finally:
        resources.close()


if __name__ == "__main__":
    main()
