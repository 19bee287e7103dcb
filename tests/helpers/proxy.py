"""A proxy in front of a tracking server, which fails as a test demands."""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

# What happens to a request: the server handles it ("pass"), also if the response is lost ("lose");
# it breaks off halfway ("cut"); it waits for the gate to open ("wait"); or the proxy responds with
# this status without asking the server.
Fate = Literal["pass", "lose", "cut", "wait"] | int


@dataclass
class Proxy:
    """A proxy, the rule for its requests, and those it has received."""

    address: str
    fate: Callable[[str, str], Fate] = lambda method, path: "pass"
    gate: threading.Event = field(default_factory=threading.Event)
    seen: list[tuple[str, str, Fate]] = field(default_factory=list)

    def lose_first(self, *ends: str, hold: str = "") -> None:
        """From now on, lose the first response to a POST to a path with each of these endings.

        Args:
            hold: requests that write to a path with this ending wait at the gate, which is closed.
        """
        left = set(ends)
        self.gate.clear()

        def fate(method: str, path: str) -> Fate:
            if hold and method != "GET" and path.endswith(hold):
                return "wait"
            matching = {end for end in left if method == "POST" and path.endswith(end)}
            left.difference_update(matching)
            return "lose" if matching else "pass"

        self.fate = fate

    def fail(self, status: int = 500) -> None:
        """From now on, respond to every request with this status."""
        self.fate = lambda method, path: status

    def waiting(self, end: str) -> bool:
        """Whether a request to a path with this ending waits or has waited at the gate."""
        return any(fate == "wait" and path.endswith(end) for _, path, fate in self.seen)

    def count(self, end: str, fate: Fate = "pass") -> int:
        """The number of POST requests to a path with this ending that had this fate."""
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
            except OSError:  # the server has been killed
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
            with suppress(OSError):  # the client has been killed
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
