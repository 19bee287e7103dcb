"""A tracking server that fails on purpose: a real one, behind a proxy that a test commands."""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

# What becomes of a request: it passes; is answered with this status and never reaches the server;
# reaches it and the answer is lost; reaches it by half; waits until the gate opens.
Fate = Literal["pass", "lose", "cut", "wait"] | int


@dataclass
class Proxy:
    """What happens to requests, and which there were."""

    address: str
    fate: Callable[[str, str], Fate] = lambda method, path: "pass"
    gate: threading.Event = field(default_factory=threading.Event)
    seen: list[tuple[str, str, Fate]] = field(default_factory=list)

    def lose_first(self, *ends: str, hold: str = "") -> None:
        """From now on the first answer to a POST to each path with such an end is lost.

        Args:
            hold: what is written to a path with this end waits at the gate, which is closed.
        """
        left = set(ends)
        self.gate.clear()

        def fate(method: str, path: str) -> Fate:
            if hold and method != "GET" and path.endswith(hold):
                return "wait"
            found = {end for end in left if method == "POST" and path.endswith(end)}
            left.difference_update(found)
            return "lose" if found else "pass"

        self.fate = fate

    def fail(self, status: int = 500) -> None:
        """From now on every request is answered with that status."""
        self.fate = lambda method, path: status

    def waiting(self, end: str) -> bool:
        """Whether a request to a path with this end has come to the gate."""
        return any(fate == "wait" and path.endswith(end) for _, path, fate in self.seen)

    def count(self, end: str, fate: Fate = "pass") -> int:
        """How many POST requests to a path with this end have met this fate."""
        return sum(m == "POST" and p.endswith(end) and f == fate for m, p, f in self.seen)


@contextmanager
def proxied(server: str) -> Iterator[Proxy]:
    """A proxy in front of the server at the address."""
    behind = urlsplit(server).netloc

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            path = urlsplit(self.path).path
            fate = proxy.fate(self.command, path)
            proxy.seen.append((self.command, path, fate))
            if isinstance(fate, int):
                self.send_error(fate)
                return
            if fate == "wait":
                proxy.gate.wait()
            connection = http.client.HTTPConnection(behind, timeout=60)
            try:
                headers = {k: v for k, v in self.headers.items() if k != "Host"}
                if fate == "cut":
                    self.close_connection = True
                    connection.request(
                        self.command, self.path, content[: len(content) // 2], headers
                    )
                    return
                connection.request(self.command, self.path, content, headers)
                answer = connection.getresponse()
                body = answer.read()
            except OSError:  # the server is dead, and so is the way to it
                self.close_connection = True
                return
            finally:
                connection.close()
            if fate == "lose":
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(OSError):  # who asked has been killed
                self.wfile.write(body)

        do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    proxy = Proxy(f"http://127.0.0.1:{listener.server_port}")
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    try:
        yield proxy
    finally:
        proxy.gate.set()
        listener.shutdown()
        listener.server_close()
