"""A site on this machine, whose pages are told in a table, and that remembers who asked for what, and when."""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self


class Said(NamedTuple):
    """An answer: what is not said about it goes without saying."""

    body: str | bytes = ""
    status: int = 200
    kind: str | None = "text/html; charset=utf-8"
    headers: Mapping[str, str] = {}


Route = Said | str | Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Says what the table says, and that there is nothing else."""

    protocol_version = "HTTP/1.1"
    server: "Server"  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        self.server.asked.append((self.path, time.monotonic()))
        self.server.agents.add(self.headers["User-Agent"])
        route = self.server.routes.get(self.path, Said("none", 404))
        with suppress(ConnectionError):
            if callable(route):
                route(self)
            else:
                self.say(route if isinstance(route, Said) else Said(route))

    def say(self, answer: Said) -> None:
        body = answer.body.encode() if isinstance(answer.body, str) else answer.body
        self.send_response(answer.status)
        for name, value in {"Content-Length": f"{len(body)}", **answer.headers}.items():
            self.send_header(name, value)
        if answer.kind:
            self.send_header("Content-Type", answer.kind)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """The table is told by the test."""


class Server(ThreadingHTTPServer):
    """Serves while it is entered."""

    daemon_threads = True

    def __init__(self, routes: Mapping[str, Route], port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.routes = dict(routes)
        self.asked = list[tuple[str, float]]()
        self.agents = set[str]()
        self.held, self.over = threading.Event(), threading.Event()
        self.address = f"http://127.0.0.1:{self.server_port}"

    @property
    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [path for path, _ in self.asked]

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}).start()
        return self

    def __exit__(self, *args: object) -> None:
        self.over.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who breaks off is expected to."""


def page(*links: str, head: str = "", text: str = "") -> str:
    """A page with links."""
    anchors = "".join(f'<a href="{one}">{one}</a> ' for one in links)
    return f"<!doctype html><html lang=en><head>{head}</head><body><p>{text}</p>{anchors}</body></html>"
