"""The seller's own site: a small server of another origin than the shop's, with a strict policy."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass
class Site:
    """A page at ``address``. ``body`` is what stands in it, ``policy`` what its visitors' browsers are told."""

    address: str
    policy: str
    body: str = ""
    head: str = (
        "<!DOCTYPE html><meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
        "<title>Tea house</title><h1>Tea house</h1>"
    )


@contextmanager
def site(shop: str) -> Iterator[Site]:
    """Serve a page whose policy allows the shop's frames and loader, and nothing else of anybody."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = f"{own.head}{own.body}<p id='end'>The end</p>".encode() if self.path == "/" else b""
            self.send_response(200 if self.path == "/" else 204)  # No icon.
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(page)))
            self.send_header("Content-Security-Policy", own.policy)
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    own = Site(
        f"http://127.0.0.1:{server.server_port}",
        f"default-src 'none'; script-src {shop}; frame-src {shop}; base-uri 'none'",
    )
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield own
    finally:
        server.shutdown()
        server.server_close()
