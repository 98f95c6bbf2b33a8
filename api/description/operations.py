"""How a view describes itself: one decorator above it, and its docstring.

The docstring's first line is the operation's summary, the rest its description. What can be seen
elsewhere is not said again: method and path are the route's, whoever needs a token is known from
the guard, and what every guarded view may refuse follows from both and from its body and query.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from http import HTTPStatus
from types import UnionType
from typing import Any, Final, Self, TypeVar

from pydantic import BaseModel

from api.http.errors import (
    ApiError,
    BusyError,
    ExpiredTokenError,
    InvalidRequestError,
    MissingTokenError,
    ReadOnlyError,
    RevokedTokenError,
    TooLargeError,
    TooOftenError,
    UnauthorizedError,
    UnavailableError,
    UnsupportedEncodingError,
)
from api.http.responses import Failure

ViewT = TypeVar("ViewT", bound=Callable[..., Any])


def _join_lines(text: str) -> str:
    return " ".join(text.split())


@dataclass(frozen=True)
class Failures:
    """The response of one status, with every error that it may carry.

    Attributes:
        name: Of the component in the document.
        description: What it means and what to do.
        errors: Each by its class, or as the example that is to be shown.
        response: The body.
    """

    name: str
    description: str
    errors: tuple[type[ApiError] | ApiError, ...]
    response: type[Failure] = Failure

    @classmethod
    def of(
        cls, error: type[ApiError], *others: type[ApiError], response: type[Failure] = Failure
    ) -> Self:
        """The response of an error, described by its class, and of others of its kind."""
        name = error.__name__.removesuffix("Error")
        return cls(name, _join_lines(error.__doc__ or ""), (error, *others), response)

    @property
    def status(self) -> HTTPStatus:
        return self.errors[0].status

    @property
    def examples(self) -> list[ApiError]:
        return [each if isinstance(each, ApiError) else each.example() for each in self.errors]


UNAUTHORIZED: Final = Failures.of(
    UnauthorizedError, MissingTokenError, ExpiredTokenError, RevokedTokenError
)
CROWDED: Final = Failures(
    "Crowded",
    "Too many such requests run at once, or the database is away.",
    (BusyError, UnavailableError),
)


@dataclass(frozen=True)
class Operation:
    """What a view says of itself.

    Attributes:
        name: The operationId; that of the typed client's method where there is one.
        tag: Under which it is listed; one of `TAGS`.
        response: The body of a success, one of several if it is a union, None for what is no JSON.
        status: Of a success.
        media_type: Of a success without a model; None for a redirect.
        examples: Of a success, by name; by default those of the response's model.
        page: What a page says that may come instead, with 200; None where there is none.
        headers: What the headers of a success say.
        is_conditional: Sends an ETag and answers If-None-Match.
        failures: What may go wrong besides what goes without saying. One that is given replaces
            what would be said for its status.
        is_signed: Takes webhooks, which are signed.
        body: The request's JSON, one of several if it is a union.
        asked: Examples of that JSON, or of the form, by name.
        query: The query parameters as a model, with their examples.
        parameters: The query parameters, each with what it is, where there is no model.
        path: For each part of the path that varies what it is, and an example.
        sent_headers: Headers of the request, each with what it is.
        form: Fields of an HTML form, each with what it is.
    """

    name: str
    tag: str
    _: KW_ONLY
    response: type[BaseModel] | UnionType | None = None
    status: int = 200
    media_type: str | None = "text/html"
    examples: Mapping[str, BaseModel | str] | None = None
    page: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    is_conditional: bool = False
    failures: tuple[Failures | type[ApiError], ...] = ()
    is_signed: bool = False
    body: type[BaseModel] | UnionType | None = None
    asked: Mapping[str, Any] = field(default_factory=dict)
    query: type[BaseModel] | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    path: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    sent_headers: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, view: ViewT) -> ViewT:
        """Describe a view."""
        _OPERATIONS[view] = self
        return view

    def list_failures(self, *, is_guarded: bool, only_shows: bool) -> list[Failures]:
        """Everything that may go wrong, by status, one for each.

        Args:
            is_guarded: Whether the view needs a token.
            only_shows: Whether a token that may only look is enough.
        """
        expected: list[Failures | type[ApiError]] = []
        if is_guarded:
            expected += [UNAUTHORIZED, TooOftenError, UnavailableError]
            expected += [] if only_shows else [ReadOnlyError]
            expected += [InvalidRequestError] if self.query or self.parameters else []
            if self.body:
                expected += [InvalidRequestError, TooLargeError, UnsupportedEncodingError]
        return list(_by_status([*expected, *self.failures]))


_OPERATIONS: Final[dict[Callable[..., Any], Operation]] = {}


def operation_of(view: Callable[..., Any]) -> Operation | None:
    """What a view says of itself; None for one that is not in the document."""
    return _OPERATIONS.get(view)


def read_words(view: Callable[..., Any]) -> tuple[str, str]:
    """Summary and description of a view."""
    summary, _, description = inspect.cleandoc(view.__doc__ or "").partition("\n\n")
    paragraphs = map(_join_lines, description.split("\n\n"))
    return _join_lines(summary).removesuffix("."), "\n\n".join(paragraphs)


def _by_status(failures: Iterable[Failures | type[ApiError]]) -> Iterable[Failures]:
    found = (each if isinstance(each, Failures) else Failures.of(each) for each in failures)
    by_status = {each.status: each for each in found}
    return (by_status[status] for status in sorted(by_status))
