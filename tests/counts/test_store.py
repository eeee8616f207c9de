"""What was counted once is read, not counted again; and a store can be damaged, or written by two at once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import company
import pandas as pd
import pytest

from retention_kit import counts, ingest
from retention_kit.counts import Session, store
from retention_kit.counts.files import header

ASKED = {"as_of": "2024-07-01", "grains": ["month"]}


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """Return an empty project, of which the store is."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "markets.toml").write_text(company.declared(), encoding="utf-8")
    monkeypatch.setenv("RETENTION_KIT_PROJECT", str(tmp_path))
    return tmp_path


@pytest.fixture
def source(project) -> ingest.Source:
    rows = company.orders({"always": (2, company.MONTHLY), "once": (3, ["2024-02-29"])})
    return ingest.source(str(company.write(project / "shop", rows)))


@pytest.fixture
def never_counted(monkeypatch):
    """Return a function after which counting is a failure."""

    def forbid() -> None:
        for counting in ("counts", "counts_of_group", "load"):
            monkeypatch.setattr(Session, counting, lambda *_, **__: pytest.fail("counted again"))

    return forbid


def counted(source: ingest.Source, **asked) -> counts.Counted:
    found = counts.counted(source, **ASKED | asked)
    found.prepare()
    return found


def same(one: counts.Counted, other: counts.Counted) -> None:
    """Fail where two counts differ in a number, a type or a finding."""
    for name in counts.COUNTS_TABLES:
        pd.testing.assert_frame_equal(one.tables[name], other.tables[name])
    assert one.findings.rows == other.findings.rows
    assert one.as_of == other.as_of


def kept(project: Path) -> list[Path]:
    return sorted((project / "reports" / ".counts").iterdir())


def test_what_is_read_from_the_store_is_what_was_counted(source, project, never_counted):
    fresh = counts.count(source, **ASKED)
    first = counted(source)
    never_counted()
    same(first, fresh)
    same(counted(source), fresh)


def test_a_table_is_counted_when_it_is_asked_for_and_no_other(source, project):
    found = counts.counted(source, **ASKED)
    assert not (project / "reports" / ".counts").exists()
    assert len(found.of("DK").cohort_counts)
    assert len(kept(project)) == 1
    assert len(found.of("ALL").cohort_counts)
    assert len(kept(project)) == 2


def test_what_does_not_depend_on_a_grain_is_not_counted_again_by_another(source, project):
    counted(source)
    before = {path.name for path in kept(project)}
    counted(source, grains=["week"])
    added = {path.name for path in kept(project)} - before
    of_grains = [name for name in counts.COUNTS_TABLES if "grain" in header(name).keys]
    assert len(of_grains) < len(added) < 2 * len(of_grains) + 1
    assert len(of_grains) < len(counts.COUNTS_TABLES) - 8


def test_another_as_of_other_windows_or_another_order_are_counted_anew(source, project):
    first = counted(source)
    counted(source, as_of="2024-06-01")
    n = len(kept(project))
    orders = project / "shop" / "orders.csv"
    orders.write_text(
        orders.read_text(encoding="utf-8") + "o1,late,DK,2024-03-01T12:00:00Z,100,DKK\n", encoding="utf-8"
    )
    later = counted(source)
    assert later.tables["order_counts"].query("market == 'DK' and grain == 'history'")["n_customers"].tolist() == [6]
    assert len(kept(project)) > n
    assert first.tables["order_counts"].query("market == 'DK' and grain == 'history'")["n_customers"].tolist() == [5]


def test_an_open_session_counts_as_of_another_day_without_reading_the_data_again(source, project, monkeypatch):
    session = Session(source)
    first = counts.counted(source, **ASKED, session=session)
    assert len(first.of("DK").cohort_counts)
    monkeypatch.setattr("retention_kit.counts.session.loaded", lambda *_, **__: pytest.fail("read again"))
    for asked in ({"as_of": "2024-06-01"}, {"grains": ["week"]}, {"grains": ["day"], "as_of": "2024-05-01"}):
        again = counts.counted(source, **ASKED | asked, session=session).of("DK").cohort_counts
        assert set(again["grain"]) == set((ASKED | asked)["grains"])


def test_two_that_count_at_once_get_the_same_and_keep_it_once(source, project):
    together = Barrier(2)

    def at_once() -> counts.Counted:
        together.wait()
        return counted(source)

    with ThreadPoolExecutor(2) as pool:
        one, other = [run.result() for run in [pool.submit(at_once) for _ in range(2)]]
    same(one, other)
    assert not [path for path in kept(project) if path.name.startswith(".writing")]


def test_many_that_write_at_once_leave_one_whole_file(tmp_path):
    table = pd.DataFrame({"market": ["DK", "NL"] * 500, "n": range(1000)}).sort_values("market", ignore_index=True)
    together = Barrier(6)

    def write() -> None:
        together.wait()
        store.keep_table(tmp_path, "kept", table)

    with ThreadPoolExecutor(6) as pool:
        for run in [pool.submit(write) for _ in range(6)]:
            run.result()
    assert [path.name for path in tmp_path.iterdir()] == ["kept.arrow"]
    pd.testing.assert_frame_equal(store.read_table(tmp_path, "kept").whole, table)


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:100])


def _empty(file: Path) -> None:
    file.write_bytes(b"")


def _turned(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-9] ^= 1
    file.write_bytes(bytes(content))


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(_cut, marks=pytest.mark.slow),
        pytest.param(_empty, marks=pytest.mark.slow),
        _turned,
        pytest.param(Path.unlink, marks=pytest.mark.slow),
    ],
    ids=["cut", "emptied", "turned", "gone"],
)
def test_a_damaged_store_is_counted_again_only_once(source, project, never_counted, damage):
    known = counted(source)
    for path in kept(project):
        if path.suffix == ".arrow":
            damage(path)
    same(counted(source), known)
    never_counted()
    same(counted(source), known)


def customers(tables: dict[str, pd.DataFrame], *, of: str) -> dict[str, pd.DataFrame]:
    """Return what is made of counts: the customers of a market, in a table."""
    made.append(of)
    history = tables["order_counts"].query("grain == 'history' and market == @of")
    return {"customers": history[["n_customers"]].reset_index(drop=True)}


made: list[str] = []


def test_what_is_made_of_counts_is_made_once_for_each_thing_it_is_told(source, never_counted):
    made.clear()
    first = counted(source).kept(customers, of="DK")
    never_counted()
    again = counts.counted(source, **ASKED)
    assert made == ["DK"]
    pd.testing.assert_frame_equal(again.kept(customers, of="DK")["customers"], first["customers"])
    assert first["customers"]["n_customers"].tolist() == [5]
    assert made == ["DK"]
    assert again.kept(customers, of="NL")["customers"].empty
    assert made == ["DK", "NL"]


def test_counts_that_are_not_kept_keep_nothing_that_is_made_of_them(source):
    made.clear()
    found = counts.count(source, **ASKED)
    found.kept(customers, of="DK")
    found.kept(customers, of="DK")
    assert made == ["DK", "DK"]


def test_a_market_read_alone_is_the_market_of_all(source, project):
    fresh = counts.count(source, **ASKED)
    counted(source)
    kept_tables = counts.counted(source, **ASKED)
    for market in ("DK", "ALL"):
        for name in counts.COUNTS_TABLES:
            pd.testing.assert_frame_equal(kept_tables.of(market).tables[name], fresh.of(market).tables[name])


def test_tables_are_kept_whatever_the_order_of_their_markets(tmp_path):
    mixed = pd.DataFrame({"market": ["NL", "DK", "NL"], "n": [1, 2, 3]})
    tables = {"mixed": mixed, "empty": mixed.head(0), "bare": mixed[["n"]], "sorted": mixed.sort_values("market")}
    tables = {name: table.reset_index(drop=True) for name, table in tables.items()}
    for name, table in tables.items():
        store.keep_table(tmp_path, name, table)
    found = {name: store.read_table(tmp_path, name) for name in tables}
    for name, table in tables.items():
        pd.testing.assert_frame_equal(found[name].whole, table)
    of_market = {name: found[name].of("NL")["n"].tolist() for name in ("mixed", "empty", "sorted")}
    assert of_market == {"mixed": [1, 3], "empty": [], "sorted": [1, 3]}
    assert found["sorted"].of("JP").empty
