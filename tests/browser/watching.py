"""What a page must never do: ask foreign hosts, or complain in the console."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Request, WebError


@dataclass
class Watch:
    """Collects faults of every page of a context; `expected` are pieces of expected complaints.

    Pages may ask `origins`; what HubSpot's own pages, at `hubspot_url`, complain of is not ours.
    """

    origins: frozenset[str]
    hubspot_url: str
    expected: list[str] = field(default_factory=list)
    foreign_requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def attach(self, context: BrowserContext) -> None:
        context.on("request", self._see_request)
        context.on("console", self._see_message)
        context.on("weberror", self._see_error)

    def faults(self) -> list[str]:
        unexpected = [
            text for text in self.complaints if not any(piece in text for piece in self.expected)
        ]
        return self.foreign_requests + unexpected

    def _see_request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        origin = f"{parts.scheme}://{parts.netloc}"
        if parts.scheme not in {"about", "blob", "data"} and origin not in self.origins:
            self.foreign_requests.append(request.url)

    def _see_message(self, message: ConsoleMessage) -> None:
        url = message.location["url"]
        if message.type in {"error", "warning"} and not url.startswith(self.hubspot_url):
            self.complaints.append(f"{message.type}: {message.text} ({url})")

    def _see_error(self, error: WebError) -> None:
        self.complaints.append(f"uncaught: {error.error}")
