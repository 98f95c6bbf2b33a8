"""Things that happen to a worker just before or after one of its requests to HubSpot."""

import dataclasses
from collections.abc import Callable
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from worker.resources import Resources

SEARCH = "/contacts/search"
CREATE = "/notes/batch/create"
READ_BACK = "/contacts/notes/batch/read"


class WorkerKilledError(BaseException):
    """Ends a turn as the death of its process would: no handler of ours runs its course."""


def die() -> None:
    raise WorkerKilledError


class Interruption(HTTPAdapter):
    """Carries requests, and does something once, before or after the first to a path."""

    def __init__(self, path: str, action: Callable[[], object], *, is_after: bool) -> None:
        super().__init__()
        self._path = path
        self._action = action
        self._is_after = is_after
        self.happened = False

    def send(self, request: requests.PreparedRequest, **how: Any) -> requests.Response:  # type: ignore[override]
        is_struck = not self.happened and (request.url or "").endswith(self._path)
        if is_struck and not self._is_after:
            self._happen()
        response = super().send(request, **how)
        if is_struck and self._is_after:
            try:
                self._happen()
            except WorkerKilledError:
                response.close()
                raise
        return response

    def _happen(self) -> None:
        self.happened = True
        self._action()


class Impatience(HTTPAdapter):
    """Carries requests, and waits for an answer no longer than a test can."""

    def send(self, request: requests.PreparedRequest, **how: Any) -> requests.Response:  # type: ignore[override]
        return super().send(request, **how | {"timeout": (1, 0.2)})


def with_adapter(worker: Resources, adapter: HTTPAdapter) -> Resources:
    """The same worker, whose requests to HubSpot's CRM go through `adapter`."""
    session = requests.Session()
    session.mount("http://", adapter)
    return dataclasses.replace(worker, http=session)
