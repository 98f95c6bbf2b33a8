"""The types of client.js, made from the OpenAPI document: `python -m api.dashboard.client_types`.

A method of client.js has the name of the operation that it calls; its arguments, response and
errors come from there.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from api.app import describe_api
from api.dashboard.typescript import (
    Json,
    find_references,
    write_comment,
    write_declaration,
    write_type,
)

FILE: Final = Path(__file__).with_name("client.d.ts")
ERRORS: Final = {
    400: "BadRequestError",
    401: "UnauthorizedError",
    403: "ForbiddenError",
    404: "NotFoundError",
    409: "ConflictError",
    413: "TooLargeError",
    429: "RateLimitedError",
    503: "UnavailableError",
}


# What client.js makes of a response that is not JSON, or has no shape of its own.
RESPONSES: Final = {
    "exportSyncLogs": "SyncLogExport",
    "getMetrics": "string",
    "getOpenApi": "Record<string, unknown>",
}
# Query parameters that the client takes under another name.
RENAMED: Final = {"return_to": "returnTo"}

HEAD: Final = """\
// The types of client.js. Made from the OpenAPI document by `make client`: do not edit.

export interface ClientOptions {
  /** Where the API answers, without a slash at the end; the page's own origin if left out. */
  baseUrl?: string;
  /**
   * The JWT, or a function that gives it. The function is asked for each request, and once more,
   * with `refused: true`, when the API answered 401: then it should fetch a new token.
   */
  token?: string | null | TokenProvider;
  /** Instead of the browser's own. */
  fetch?: typeof globalThis.fetch;
}

export type TokenProvider = (state: { refused: boolean }) => string | null | Promise<string | null>;

export interface RequestOptions {
  /** Ends the request; the promise is then rejected with the signal's reason. */
  signal?: AbortSignal;
}

export interface SyncLogExport {
  /** The CSV. */
  blob: Blob;
  filename: string;
  /** Whether the filter matches more rows than one export holds. */
  truncated: boolean;
}

/** The API answered with an error. `code` is stable, `message` is for people. */
export declare class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  /** What is wrong in the request, field by field. */
  readonly fields: FieldProblem[];
  /** When the same request may succeed, if the API said so. */
  readonly retryAfterMs: number | null;
}
"""
NETWORK_ERROR: Final = """\
/** No answer came: offline, a wrong address, or an origin that the API does not allow. */
export declare class NetworkError extends Error {}
"""


@dataclass(frozen=True)
class Method:
    """One method of the client: the operation whose `operationId` it is named after."""

    verb: str
    path: str
    operation: Json

    @property
    def name(self) -> str:
        return str(self.operation["operationId"])

    @property
    def success(self) -> Json:
        """The response of a success."""
        responses = self.operation["responses"]
        found: Json = responses[min(responses, key=int)]
        return found

    @property
    def query(self) -> list[Json]:
        parameters = self.operation.get("parameters", ())
        return [each for each in parameters if each["in"] == "query"]


def list_methods(document: Json) -> list[Method]:
    """Every operation but those for others: what is signed, pages, and redirects."""
    methods = [
        Method(verb, path, operation)
        for path, operations in document["paths"].items()
        for verb, operation in operations.items()
        if {"signature": []} not in operation.get("security", ())
    ]
    return [
        method for method in methods if method.success.get("content", {}).keys() - {"text/html"}
    ]


def render_types() -> str:
    """The whole of client.d.ts."""
    document = describe_api("")
    methods = list_methods(document)
    return "\n".join(
        [
            HEAD,
            *map(_declare_error, ERRORS),
            NETWORK_ERROR,
            *_declare_schemas(document, methods),
            *_declare_queries(methods),
            _declare_errors(methods),
            _declare_client(methods),
        ]
    )


def _declare_error(status: int) -> str:
    return (
        f"export declare class {ERRORS[status]} extends ApiError {{\n"
        f"  readonly status: {status};\n}}\n"
    )


def _declare_schemas(document: Json, methods: list[Method]) -> Iterator[str]:
    """Each schema that a method's arguments or responses need, by name."""
    schemas = document["components"]["schemas"]
    wanted: set[str] = set()
    waiting = {"FieldProblem", *find_references([method.operation for method in methods])}
    while waiting:
        wanted |= waiting
        waiting = {each for name in waiting for each in find_references(schemas[name])} - wanted
    for name in sorted(wanted):
        yield write_declaration(name, schemas[name])


def _declare_queries(methods: list[Method]) -> Iterator[str]:
    """An interface for the query parameters of each method that has some."""
    for method in methods:
        fields = [
            f"{write_comment(asked.get('description'), '  ')}"
            f"  {RENAMED.get(asked['name'], asked['name'])}?: {_query_type(asked)};\n"
            for asked in method.query
        ]
        if fields:
            yield f"export interface {_query_name(method)} {{\n{''.join(fields)}}}\n"


def _declare_errors(methods: list[Method]) -> str:
    """Every method with what it may be rejected with."""
    lines = []
    for method in methods:
        statuses = map(int, method.operation["responses"])
        named = [ERRORS[status] for status in statuses if status in ERRORS]
        lines.append(f"  {method.name}: {' | '.join([*named, 'ApiError', 'NetworkError'])};\n")
    comment = write_comment("What each method may be rejected with.")
    return f"{comment}export interface ClientErrors {{\n{''.join(lines)}}}\n"


def _declare_client(methods: list[Method]) -> str:
    return (
        "export declare class HubSpotCallSyncClient {\n"
        f"  constructor(options?: ClientOptions);\n\n{''.join(map(_declare_method, methods))}}}\n"
    )


def _declare_method(method: Method) -> str:
    arguments = ", ".join([*_declare_arguments(method), "request?: RequestOptions"])
    response = RESPONSES.get(method.name) or write_type(
        method.success["content"]["application/json"]["schema"]
    )
    text = f"{method.verb.upper()} {method.path}\n\n{method.operation['summary']}."
    return f"{write_comment(text, '  ')}  {method.name}({arguments}): Promise<{response}>;\n"


def _declare_arguments(method: Method) -> Iterator[str]:
    if "{" in method.path:
        yield "id: string"
    if body := method.operation.get("requestBody"):
        yield f"body: {write_type(body['content']['application/json']['schema'])}"
    if method.query:
        yield f"query?: {_query_name(method)}"


def _query_type(asked: Json) -> str:
    """What a query parameter may be; null and undefined are left out of the address."""
    return f"{write_type(asked['schema'])} | null | undefined"


def _query_name(method: Method) -> str:
    return f"{method.name[0].upper()}{method.name[1:]}Query"


if __name__ == "__main__":
    FILE.write_text(render_types())
