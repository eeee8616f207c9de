"""A file is somebody's bytes: it prints no customer's name, hides no character, and ends in no traceback."""

from collections import Counter

import duckdb
import pytest

from retention_kit import ingest
from retention_kit.errors import DataError, UsageError, listed, shown

GOOD = "1,c,NL,2025-01-01,9.95,EUR"
DECLARE = "declare what is missing in shop.toml, or leave it out: --unknown-markets ignore"


def error_of(source: ingest.Source) -> str:
    with duckdb.connect() as connection, pytest.raises(DataError) as error:
        ingest.load(source, connection)
    return str(error.value)


def orders_in(markets, customer="c") -> list[str]:
    return [f"{n},{customer},{market},2025-01-01,1,EUR" for n, market in enumerate(markets)]


def test_a_name_is_printed_without_what_hides_or_turns_it_and_not_in_full_length():
    assert shown("\x1b[2Jgone\u202egnp\n") == "\ufffd[2Jgone\ufffdgnp\ufffd"
    assert shown("România, 中国, السعودية") == "România, 中国, السعودية"
    assert listed(["x" * 1000]) == f"'{'x' * 39}…'"


def test_an_unknown_market_is_printed_without_what_hides_or_turns_it(export, orders_of):
    told = error_of(export(orders_of(*orders_in(["\x1b[2J\u202eLN", "x" * 1000]))))
    assert f"found: '\ufffd[2J\ufffdLN' (1), '{'x' * 39}…' (1)\n" in told


@pytest.mark.parametrize(
    "markets",
    [
        [f"Place {'abcdefghijklmnopqrstuvwxyzABCDEFGH'[n]}" for n in range(31) for _ in range(3)],
        ["Ann", "Bo", "Cy", "Di", "Ed", "Flo"],
        ["17850"] * 9,
        ["ann@example.com"] * 9,
    ],
)
def test_unknown_markets_that_may_be_customers_are_counted_and_not_named(export, orders_of, markets):
    source = export(orders_of(*orders_in(markets)))
    n = len(Counter(markets))
    names = "names a market that is" if n == 1 else f"names {n} markets that are"
    assert error_of(source) == (
        f"orders {names} not declared.\n"
        f"  found: {n} values that look like ids, not names of markets; they are not shown\n"
        "  try:   look which column [orders.columns] of shop.toml makes the market of\n"
        f"         {DECLARE}"
    )
    text = ingest.check(source).text()
    assert not any(market in text for market in markets)


def test_a_market_that_is_mapped_to_the_customer_names_no_customer(export, orders_of):
    rows = [*orders_in(["NL"] * 3, customer="Ann"), *orders_in(["NL"] * 3, customer="Bo")]
    told = ingest.check(export(orders_of(*rows), profile='[orders.columns]\nmarket = "customer_id"\n')).text()
    assert "a market that is not declared: 2 values that look like ids" in told
    assert "Ann" not in told


def test_a_market_that_has_other_names_already_keeps_them_in_the_advice(export, orders_of):
    told = error_of(export(orders_of(*orders_in(["Danmarc"] * 3))))
    assert 'try:   \'Danmarc\' may be DK: give DK the line aliases = ["Danmark", "Danmarc"] in shop.toml\n' in told


def test_no_order_being_left_is_not_told_where_an_error_explains_it(export, orders_of):
    report = ingest.check(export(orders_of(*orders_in(["XX"] * 3))))
    assert [error.what for error in report.errors] == ["orders names a market that is not declared."]


def test_a_where_that_leaves_everything_out_is_what_to_correct(export, orders_of):
    report = ingest.check(export(orders_of(GOOD), profile="[orders]\nwhere = \"market = 'Netherlands'\"\n"))
    assert [str(error) for error in report.errors] == [
        "No order is left: every row was refused or left out.\n"
        "  found: 1 of 1 orders are left out by 'where'\n"
        "  try:   correct 'where' under [orders] in shop.toml"
    ]


def test_a_header_with_an_endless_field_is_no_traceback(export, tmp_path):
    source = export("x" * 3_000_000 + ",b\n1,2\n")
    assert error_of(source) == (
        "orders.csv has a header that cannot be read.\n"
        "  found: a first line of 1,048,576 characters or more, separated as declared too rarely\n"
        "  try:   names of columns in the first line, with the separator and quote declared in shop.toml"
    )
    with pytest.raises(DataError, match=r"orders\.csv has no rows that can be told apart"):
        ingest.propose(tmp_path / "orders.csv")


def test_hidden_files_are_no_parts_of_a_table(tmp_path, connection, typed):
    typed()
    (tmp_path / "orders").mkdir()
    (tmp_path / "orders.parquet").rename(tmp_path / "orders" / "a.parquet")
    (tmp_path / "orders" / ".hidden.parquet").write_text("half written")
    ingest.load(ingest.source(str(tmp_path)), connection)
    assert connection.sql("SELECT count(*) FROM orders").fetchall() == [(1,)]


def test_what_is_named_as_a_file_and_is_none(tmp_path):
    (tmp_path / "orders" / "part.csv").mkdir(parents=True)
    assert error_of(ingest.source(str(tmp_path))) == (
        "'part.csv' of orders is no file.\n  try:   the files themselves, each by its name"
    )
    with pytest.raises(UsageError, match="is a folder"):
        ingest.propose(tmp_path)


def test_a_file_that_may_not_be_read_is_told(export, orders_of, tmp_path):
    source = export(orders_of(GOOD))
    (tmp_path / "orders.csv").chmod(0)
    try:
        (tmp_path / "orders.csv").read_bytes()
    except PermissionError:
        told = "'orders.csv' cannot be opened.\n  found: Permission denied\n  try:   a file that you may read"
        assert error_of(source) == told
        with pytest.raises(UsageError) as error:
            ingest.propose(tmp_path / "orders.csv")
        assert str(error.value) == told
    else:
        pytest.skip("this user may read every file")


@pytest.mark.parametrize("name", ["", " "])
def test_no_name_is_no_data_and_no_file(name):
    with pytest.raises(UsageError, match="No data are named"):
        ingest.source(name)
    with pytest.raises(UsageError, match="No file of orders is named"):
        ingest.source("sample", files={"orders": name})


@pytest.mark.parametrize("declared", ["utf-8", "cp1252"])
def test_utf_16_is_recognised_by_its_mark(export, orders_of, declared):
    source = export(orders_of(GOOD), encoding="utf-16", profile=f'[orders]\nencoding = "{declared}"\n')
    assert error_of(source) == (
        f"orders.csv is not text in {declared}.\n"
        '  found: the mark of UTF-16 at its start, as in Excel\'s "Unicode text"\n'
        '  try:   declare encoding = "utf-16" in shop.toml, and separator = "\\t" where tabs separate it'
    )


STATES = {
    "Voltooid": "Geannuleerd", "completed": "cancelled", "Gennemført": "annulleret", "finalizată": "Anulată",
    "abgeschlossen": "Storniert",
}  # fmt: skip


@pytest.mark.parametrize("done", STATES)
def test_a_column_of_states_is_proposed_to_mark_cancelled_orders(tmp_path, done):
    gone = STATES[done]
    rows = [f"{n},7,NL,2025-01-0{n},9.95,EUR,{done if n % 2 else gone}" for n in range(1, 7)]
    (tmp_path / "export.csv").write_text("\n".join(["order_id,customer_id,market,date,amount,currency,Status", *rows]))
    proposed = ingest.propose(tmp_path / "export.csv")
    assert proposed.endswith(
        f"# cancelled = \"Status = '{gone}'\"  # its values: {listed(sorted([done, gone]))}; drop the # if it is so\n"
    )
    (tmp_path / "export.toml").write_text(proposed.replace("# cancelled", "cancelled"))
    text = ingest.check(ingest.source(str(tmp_path / "export.toml"))).text()
    assert "  cancelled 3 of 6\n" in text


def test_a_column_of_yes_and_no_is_proposed_as_a_comparison(tmp_path, connection):
    (tmp_path / "export.csv").write_text(
        "order_id,customer_id,market,date,amount,currency,Geannuleerd\n"
        "1,7,NL,2025-01-01,9.95,EUR,Nee\n2,7,NL,2025-01-02,9.95,EUR,Ja\n"
    )
    proposed = ingest.propose(tmp_path / "export.csv")
    assert "cancelled = \"Geannuleerd = 'Ja'\"\n" in proposed
    (tmp_path / "export.toml").write_text(proposed)
    ingest.load(ingest.source(str(tmp_path / "export.toml")), connection)
    assert connection.sql("SELECT order_id FROM orders WHERE cancelled").fetchall() == [("2",)]


def test_a_proposal_spells_out_what_cannot_be_seen(tmp_path):
    (tmp_path / "export.csv").write_text(
        "order_id,customer_id,market,date,Sum\u202ema\x7f,amount\u200e\n1,7,NL,x,1,2\n"
    )
    proposed = ingest.propose(tmp_path / "export.csv")
    assert 'amount = "\\"amount\\u200e\\""\n' in proposed
    assert "'Sum\ufffdma\ufffd'" in proposed


def test_a_cancellation_that_no_order_has_is_noted(export, orders_of):
    source = export(orders_of(GOOD), profile="[orders.columns]\ncancelled = \"market = 'geannuleerd'\"\n")
    assert (
        "  note      none of 1 orders is cancelled by cancelled = market = 'geannuleerd': is it written as in the file?"
    ) in ingest.check(source).text()


@pytest.mark.parametrize(("as_of", "noted"), [("2025-03-02", False), ("2025-03-03", True)])
def test_an_as_of_long_after_the_last_order_is_noted(export, orders_of, as_of, noted):
    # 2025-01-01 local midnight: 60 days to 2 March, 61 to 3 March
    report = ingest.check(export(orders_of(GOOD), profile=f'as_of = "{as_of}"\n'))
    text = "the last order is 61 days before as_of 2025-03-03: whoever bought until then looks lost"
    assert [finding.text for finding in report.findings.rows] == ([text] if noted else [])
    assert report.ok
