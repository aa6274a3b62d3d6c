"""How the node is: /healthz says that it lives, /readyz that it can take images in, /metrics gives the figures."""

import logging
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import BoundedSemaphore, Thread
from typing import Any, cast

from config.settings import Http
from node.logs import blame

log = logging.getLogger(__name__)

MOST_REQUESTS = 8  # at one time
REQUEST_S = 10.0
TEXT = "text/plain; charset=utf-8"
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"

Page = Callable[[], tuple[HTTPStatus, str, bytes]]
Ask = Callable[[], Sequence[str]]
"""Gives what is wrong, one line each."""


def pages(health: Ask, readiness: Ask, metrics: Callable[[], bytes]) -> Mapping[str, Page]:
    return {
        "/healthz": lambda: _verdict(health(), "alive"),
        "/readyz": lambda: _verdict(readiness(), "ready"),
        "/metrics": lambda: (HTTPStatus.OK, PROMETHEUS, metrics()),
    }


def _verdict(wrong: Sequence[str], well: str) -> tuple[HTTPStatus, str, bytes]:
    status = HTTPStatus.SERVICE_UNAVAILABLE if wrong else HTTPStatus.OK
    return status, TEXT, "".join(f"{line}\n" for line in wrong or [well]).encode()


@contextmanager
def answering(settings: Http, pages: Mapping[str, Page]) -> Iterator[int]:
    """Answer GET and HEAD for these paths while the block runs; gives the port."""
    with _Server((settings.host, settings.port), pages) as server:
        port = int(server.server_address[1])
        Thread(target=server.serve_forever, name="health", daemon=True).start()
        log.info("answering over HTTP", extra={"host": settings.host, "port": port})
        try:
            yield port
        finally:
            server.shutdown()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], pages: Mapping[str, Page]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.pages = pages
        self._room = BoundedSemaphore(MOST_REQUESTS)
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._room.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - socketserver's
        log.warning("HTTP request not answered", extra={"error": blame(sys.exc_info()[1] or OSError())})


class _Handler(BaseHTTPRequestHandler):
    timeout = REQUEST_S
    server_version = "sedas-node"
    sys_version = ""

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        page = cast("_Server", self.server).pages.get(self.path.partition("?")[0])
        if page is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        status, kind, body = page()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - http.server's
        """Nothing: a scrape every few seconds is no event."""
