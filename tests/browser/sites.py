"""A website that is not ours: the dashboard of a platform, on a site of its own or on ours."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass
class Site:
    """Pages by path. `url` names the host as localhost: to browsers another site than 127.0.0.1.

    `sibling_url` names it as that: of our site, but of another origin.
    """

    url: str
    sibling_url: str
    pages: dict[str, str] = field(default_factory=dict)


@contextmanager
def serving_site() -> Iterator[Site]:
    pages: dict[str, str] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            # Browsers ask for an icon too, and complain without one.
            body = pages.get(urlsplit(self.path).path, "").encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.05], daemon=True)
        thread.start()
        try:
            port = server.server_port
            yield Site(f"http://localhost:{port}", f"http://127.0.0.1:{port}", pages)
        finally:
            server.shutdown()
            thread.join()
