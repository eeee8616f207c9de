"""What was counted once is read, not counted again; and a store can be damaged, or written by two at once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import company
import pandas as pd
import pytest

from retention_kit import counts, ingest
from retention_kit.counts import counting, store
from retention_kit.ingest import Findings

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
        monkeypatch.setattr(counting, "count", lambda *_, **__: pytest.fail("counted again"))

    return forbid


def same(one: counts.Counted, other: counts.Counted) -> None:
    """Fail where two counts differ in a number, a type or a finding."""
    assert list(one.tables) == list(other.tables)
    for name, table in one.tables.items():
        pd.testing.assert_frame_equal(table, other.tables[name])
    assert one.findings.rows == other.findings.rows
    assert one.as_of == other.as_of


def kept(project: Path) -> list[Path]:
    return sorted((project / "reports" / ".counts").iterdir())


def test_what_is_read_from_the_store_is_what_was_counted(source, project, never_counted):
    fresh = counts.count(source, **ASKED)
    first = counts.counted(source, **ASKED)
    never_counted()
    same(first, fresh)
    same(counts.counted(source, **ASKED), fresh)
    assert len(kept(project)) == 1


def test_another_as_of_other_grains_or_another_order_are_counted_anew(source, project):
    counts.counted(source, **ASKED)
    counts.counted(source, as_of="2024-06-01", grains=["month"])
    counts.counted(source, as_of="2024-07-01", grains=["week"])
    orders = project / "shop" / "orders.csv"
    orders.write_text(
        orders.read_text(encoding="utf-8") + "o1,late,DK,2024-03-01T12:00:00Z,100,DKK\n", encoding="utf-8"
    )
    later = counts.counted(source, **ASKED)
    assert later.tables["order_counts"].query("market == 'DK' and grain == 'history'")["n_customers"].tolist() == [6]
    assert len(kept(project)) == 4


def test_two_that_count_at_once_get_the_same_and_keep_it_once(source, project):
    together = Barrier(2)

    def counted() -> counts.Counted:
        together.wait()
        return counts.counted(source, **ASKED)

    with ThreadPoolExecutor(2) as pool:
        one, other = [run.result() for run in [pool.submit(counted) for _ in range(2)]]
    same(one, other)
    assert [folder.name for folder in kept(project)] == [store.key(source, **ASKED)]


def test_many_that_write_at_once_leave_one_whole_folder(source, project):
    fresh = counts.count(source, **ASKED)
    folder = project / "reports" / ".counts" / "kept"
    together = Barrier(6)

    def write() -> None:
        together.wait()
        store.write(folder, fresh.tables, fresh.findings)

    with ThreadPoolExecutor(6) as pool:
        for run in [pool.submit(write) for _ in range(6)]:
            run.result()
    assert kept(project) == [folder]
    tables, findings = store.read(folder, list(fresh.tables))
    same(counts.Counted(source, fresh.as_of, tables, findings), fresh)


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:100])


def _empty(file: Path) -> None:
    file.write_bytes(b"")


@pytest.mark.parametrize("damage", [_cut, _empty, Path.unlink], ids=["cut", "emptied", "gone"])
@pytest.mark.parametrize("name", ["tables.arrow", "tables.json"])
def test_a_damaged_store_is_counted_again(source, project, damage, name):
    known = counts.counted(source, **ASKED)
    damage(kept(project)[0] / name)
    same(counts.counted(source, **ASKED), known)


def test_a_damaged_store_is_counted_again_only_once(source, project, never_counted):
    known = counts.counted(source, **ASKED)
    _cut(kept(project)[0] / "tables.arrow")
    counts.counted(source, **ASKED)
    never_counted()
    same(counts.counted(source, **ASKED), known)


def test_a_store_that_lost_a_file_is_counted_again_only_once(source, project, never_counted):
    known = counts.counted(source, **ASKED)
    (kept(project)[0] / "tables.arrow").unlink()
    counts.counted(source, **ASKED)
    never_counted()
    same(counts.counted(source, **ASKED), known)


def customers(tables: dict[str, pd.DataFrame], *, of: str) -> dict[str, pd.DataFrame]:
    """Return what is made of counts: the customers of a market, in a table."""
    made.append(of)
    history = tables["order_counts"].query("grain == 'history' and market == @of")
    return {"customers": history[["n_customers"]].reset_index(drop=True)}


made: list[str] = []


def test_what_is_made_of_counts_is_made_once_for_each_thing_it_is_told(source, never_counted):
    made.clear()
    counted = counts.counted(source, **ASKED)
    first = counted.kept(customers, of="DK")
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
    counted = counts.count(source, **ASKED)
    counted.kept(customers, of="DK")
    counted.kept(customers, of="DK")
    assert made == ["DK", "DK"]


def test_a_market_read_alone_is_the_market_of_all(source, project):
    fresh = counts.count(source, **ASKED)
    assert isinstance(fresh.tables, dict)
    counts.counted(source, **ASKED)
    kept_tables = counts.counted(source, **ASKED)
    assert isinstance(kept_tables.tables, store.KeptTables)
    for market in ("DK", "ALL"):
        for name, table in fresh.of(market).tables.items():
            pd.testing.assert_frame_equal(kept_tables.of(market).tables[name], table)


def test_tables_are_kept_whatever_the_order_of_their_markets(tmp_path):
    mixed = pd.DataFrame({"market": ["NL", "DK", "NL"], "n": [1, 2, 3]})
    tables = {"mixed": mixed, "empty": mixed.head(0), "bare": mixed[["n"]], "sorted": mixed.sort_values("market")}
    store.write(tmp_path / "kept", {name: table.reset_index(drop=True) for name, table in tables.items()}, Findings())
    found, _ = store.read(tmp_path / "kept")
    assert list(found) == list(tables)
    for name, table in tables.items():
        pd.testing.assert_frame_equal(found[name], table.reset_index(drop=True))
    of_market = {name: found.of("NL")[name]["n"].tolist() for name in ("mixed", "empty", "sorted")}
    assert of_market == {"mixed": [1, 3], "empty": [], "sorted": [1, 3]}
    assert found.of("JP")["sorted"].empty
