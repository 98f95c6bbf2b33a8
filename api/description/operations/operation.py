"""How one operation is described."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import UnionType
from typing import Any, Literal

from pydantic import BaseModel

from api.description.operations.failures import Failing

Security = Literal["bearer", "signature"] | None


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One method of one path.

    Attributes:
        method: In lower case.
        path: With `{log_id}` where an entry is named.
        name: The operationId; that of the typed client's method where there is one.
        tag: Under which it is listed.
        summary: In one line, without a full stop.
        description: What else a caller wants to know.
        answer: The body of a success, one of several if it is a union, None for what is no JSON.
        answered: Examples of that body by name, or of a text.
        status: Of a success.
        media_type: Of a success without JSON; None for a redirect.
        page: What a page says that may come instead, with 200; None where there is none.
        headers: What the headers of a success say.
        failures: What may go wrong.
        security: Who may ask.
        body: The request's JSON, one of several if it is a union.
        asked: Examples of that JSON, or of the form, by name.
        query: The query parameters as a model.
        parameters: The query parameters, each with what it is, where there is no model.
        query_example: A value for each query parameter that should show one.
        sent_headers: Headers of the request, each with what it is.
        form: Fields of an HTML form, each with what it is.
        is_conditional: Sends an ETag and answers If-None-Match.
    """

    method: str
    path: str
    name: str
    tag: str
    summary: str
    description: str
    answer: type[BaseModel] | UnionType | None = None
    answered: Mapping[str, BaseModel | str] = field(default_factory=dict)
    status: int = 200
    media_type: str | None = "text/html"
    page: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    failures: tuple[Failing, ...] = ()
    security: Security = None
    body: type[BaseModel] | UnionType | None = None
    asked: Mapping[str, Any] = field(default_factory=dict)
    query: type[BaseModel] | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    query_example: Mapping[str, Any] = field(default_factory=dict)
    sent_headers: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    is_conditional: bool = False
