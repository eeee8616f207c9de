"""Reports on this machine: what is served, and what is not."""

import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from retention_kit.errors import UsageError
from retention_kit.run.serve import server_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    reports = tmp_path / "reports"
    (reports / ".failed").mkdir(parents=True)
    for name in ("mycompany", "alerts"):
        (reports / name).mkdir()
    (reports / "alerts" / "DK.csv").write_text("secret", encoding="utf-8")
    (reports / "index.html").write_text("<!doctype html>all markets", encoding="utf-8")
    (reports / "DK.json").write_text("{}", encoding="utf-8")
    (reports / ".failed" / "DK.ipynb").write_text("secret", encoding="utf-8")
    (tmp_path / "outside.txt").write_text("secret", encoding="utf-8")
    return reports


@pytest.fixture
def asked(folder: Path) -> Iterator:
    with server_of(folder, port=0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()

        def ask(path: str, host: str = "localhost") -> tuple[int, str, dict]:
            connection = HTTPConnection("127.0.0.1", server.server_port, timeout=5)
            connection.request("GET", path, headers={"Host": host})
            answer = connection.getresponse()
            content = answer.read().decode()
            connection.close()
            return answer.status, content, dict(answer.getheaders())

        yield ask
        server.shutdown()
        thread.join()


def test_the_index_and_the_files_beside_it_are_served_and_kept_by_nobody(asked):
    status, content, headers = asked("/")
    assert (status, content) == (200, "<!doctype html>all markets")
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Frame-Options"] == "DENY"
    assert asked("/DK.json")[:2] == (200, "{}")


@pytest.mark.parametrize(
    "path",
    [
        *("/.failed/DK.ipynb", "/%2efailed/DK.ipynb", "/mycompany/../.failed/DK.ipynb", "/.lock"),
        *("/../outside.txt", "/%2e%2e/outside.txt", "/..%2foutside.txt", "/mycompany/", "/absent.html"),
        *("/alerts/DK.csv", "/%61lerts/DK.csv", "/Alerts/DK.csv", "/mycompany/../alerts/DK.csv"),
    ],
)
def test_what_is_hidden_outside_or_a_folder_is_not_there(asked, path):
    status, content, _ = asked(path)
    assert status == 404
    assert "secret" not in content


def test_who_asks_by_the_name_of_another_machine_gets_nothing(asked):
    assert asked("/", host="evil.example")[0] == 421
    assert asked("/", host="127.0.0.1:8000")[0] == 200


def test_a_folder_without_reports_and_a_port_that_is_taken_are_told(folder, tmp_path):
    with pytest.raises(UsageError, match=r"There are no reports in 'reports2'\."):
        server_of(tmp_path / "reports2", port=0)
    with server_of(folder, port=0) as server, pytest.raises(UsageError) as raised:
        server_of(folder, port=server.server_port)
    assert (
        str(raised.value) == f"Port {server.server_port} is taken.\n  try:   --port with another number, or 0 for any"
    )
