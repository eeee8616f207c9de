"""Show a folder of reports on this machine alone: pages and their files, nothing hidden, nothing of elsewhere."""

import re
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from retention_kit.errors import UsageError

HOST = "127.0.0.1"
_LISTS = "alerts"  # the folder whose files are for their owner alone, and not for all who use this machine
_OUR_NAMES = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d+)?")


class _Reports(SimpleHTTPRequestHandler):
    """Serves the files of a folder; of hidden ones, lists of customers and what folders hold it knows nothing."""

    server_version, sys_version = "retention-kit", ""

    def send_head(self):
        """Refuse what is hidden, and who asks by another name than this machine's: a page of elsewhere might."""
        parts = unquote(urlsplit(self.path).path).split("/")
        if not _OUR_NAMES.fullmatch(self.headers.get("Host", "")):
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
            return None
        if any(part.startswith(".") or "\\" in part or part.casefold() == _LISTS for part in parts):
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        return super().send_head()

    def list_directory(self, path: str) -> None:
        """Show no folder's content."""
        del path
        self.send_error(HTTPStatus.NOT_FOUND)

    def end_headers(self) -> None:
        """Let nobody keep, guess or frame what is shown."""
        for name, value in (
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"),
            ("Referrer-Policy", "no-referrer"),
        ):
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing of each request."""


def server_of(folder: Path, *, port: int) -> ThreadingHTTPServer:
    """Return a server of a folder's reports, on this machine alone; its `serve_forever` serves.

    Parameters
    ----------
    port : 0 for any that is free.

    Raises
    ------
    UsageError : there is no index in the folder, or the port is taken.
    """
    if not (folder / "index.html").is_file():
        raise UsageError(
            f"There are no reports in '{folder.name}'.", to_try="`retention-kit report`, and then this again"
        )
    try:
        return ThreadingHTTPServer((HOST, port), partial(_Reports, directory=str(folder)))
    except OSError:
        raise UsageError(f"Port {port} is taken.", to_try="--port with another number, or 0 for any") from None


def serve(folder: Path, *, port: int, say: Callable[[str], object]) -> None:
    """Serve a folder's reports until Ctrl-C; parameters and errors as of `server_of`."""
    with server_of(folder, port=port) as server:
        say(f"http://{HOST}:{server.server_port}/  (Ctrl-C ends it)")
        try:
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            say("Ended.")
