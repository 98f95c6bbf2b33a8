"""Response headers: what browsers may do with our responses, and which origins may ask."""

from flask import Flask, Response, request

from shared.configuration.settings import ApiSettings

PRIVATE_PATHS = ("/api/hubspot/", "/api/call-sources")
# What a dashboard of another origin loads and asks; a webhook's sender is no browser.
CORS_PATHS = (
    *(*PRIVATE_PATHS, "/client.js", "/client.d.ts", "/embed/"),
    *("/healthz", "/readyz", "/metrics", "/openapi.json"),
)
EXPOSED_HEADERS = "Content-Disposition, ETag, Retry-After, X-Truncated"
NO_CONTENT_POLICY = "default-src 'none'; frame-ancestors 'none'"
PREFLIGHT_S = 600
# Nothing here needs any of it, also not when a script of somebody else's got in.
NO_DEVICES = "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"


def add_headers(app: Flask, settings: ApiSettings) -> None:
    """Add security headers to every response and CORS to the dashboard's routes.

    A view that shows a page sets its own Content-Security-Policy.
    """
    allowed = frozenset(settings.trusted_origins)
    usual = {
        "x-content-type-options": "nosniff",
        "content-security-policy": NO_CONTENT_POLICY,
        "referrer-policy": "no-referrer",
        "permissions-policy": NO_DEVICES,
    }
    if settings.public_url.startswith("https://"):
        usual["strict-transport-security"] = "max-age=31536000"

    @app.after_request
    def secure(response: Response) -> Response:
        headers = response.headers
        # Looked up once for all: one by one costs three times as much.
        given = {name.lower() for name in headers.keys()}  # noqa: SIM118 -- alone, it yields pairs
        for name, value in usual.items():
            if name not in given:
                headers.add(name, value)
        path = request.path
        if path.startswith(PRIVATE_PATHS):
            headers.setdefault("Cache-Control", "no-store")
        if path.startswith(CORS_PATHS):
            _allow_origin(response, allowed)
        return response


def _allow_origin(response: Response, allowed: frozenset[str]) -> None:
    response.vary.add("Origin")
    origin = request.headers.get("Origin")
    if origin not in allowed:
        return
    headers = response.headers
    headers["Access-Control-Allow-Origin"] = origin
    # The cookie that binds an authorization to its browser is set by `initiate`.
    headers["Access-Control-Allow-Credentials"] = "true"
    headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
    if request.method == "OPTIONS":
        headers["Access-Control-Allow-Methods"] = "GET, POST, PATCH, DELETE"
        headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type, If-None-Match"
        headers["Access-Control-Max-Age"] = str(PREFLIGHT_S)
