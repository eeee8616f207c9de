import duckdb
import pytest

from retention_kit import ingest
from retention_kit.errors import DataError, UsageError


def test_a_check_tells_rows_times_markets_and_every_mistake_without_raising(export, orders_of):
    source = export(
        orders_of(
            "1,c,NL,2025-01-01T00:00:00Z,1,EUR",
            "2,c,DK,2025-01-03T00:00:00Z,1,DKK",
            "3,c,XX,2025-01-02T00:00:00Z,1,EUR",
            "4,,NL,2025-01-02T00:00:00Z,1,EUR",
        ),
        profile='as_of = "2025-01-02"\n',
        customers="customer,market\nc,NL\n",
    )
    report = ingest.check(source)
    assert not report.ok
    assert report.text() == (
        "orders: 2 rows, 2025-01-01 00:00 UTC to 2025-01-03 00:00 UTC\n"
        "  markets   DK 1 · NL 1\n"
        "  currency  DKK 1 · EUR 1\n"
        "  refused   1 of 4 orders have no customer_id\n"
        "  refused   1 of 4 orders have a market that is not declared: 'XX' (1)\n"
        "  note      1 of 2 orders lie after as_of 2025-01-02; they are not counted\n"
        "\n"
        "orders names a market that is not declared.\n"
        "  found: 'XX' (1)\n"
        "  try:   declare what is missing in shop.toml, or leave it out: --unknown-markets ignore\n"
        "\n"
        "customers lacks 'customer_id'.\n"
        "  found: 'customer', 'market'\n"
        "  try:   rename 'customer' to 'customer_id', or map it in shop.toml\n"
        "\n"
        "orders: 50 % of the rows were refused, more than the 1 % allowed.\n"
        "  found: 1 of 4 orders have no customer_id\n"
        "         1 of 4 orders have a market that is not declared: 'XX' (1)\n"
        "  try:   correct the export, or raise max_refused, or declare the share as [expected], in shop.toml\n"
        "\n"
        "shop cannot be counted."
    )


def test_a_check_of_good_data_says_so(export, orders_of):
    report = ingest.check(export(orders_of("1,c,NL,2025-01-01T00:00:00Z,1,EUR")))
    assert report.ok
    assert report.text().endswith("\n\nshop can be counted.")


EXPORTS = {
    "dutch": (
        "\ufeffOrdernummer;Klantnummer;Land;Besteldatum;Bedrag;Munt\r\n"
        "1;00123;NL;13-02-2025 10:00;1.234,50;EUR\r\n"
        "2;00124;NL;04-02-2025 10:00;9,95;EUR\r\n",
        "utf-8",
        "2025-02-13 09:00",
    ),
    "danish": (
        "Ordrenr;Kundenr;Land;Ordredato;Beløb;Valuta\r\n"
        "1;123;DK;13/02/2025;1.234,50;DKK\r\n2;9;DK;04/02/2025;9,95;DKK\r\n",
        "cp1252",
        "2025-02-12 23:00",
    ),
    "romanian": (
        "Nr. comandă\tClient\tȚară\tData\tSumă\tMoneda\r\n"
        "1\t7\tRO\t13.02.2025\t1.234,50\tRON\r\n2\t7\tRO\t14.02.2025\t9,95\tRON\r\n",
        "utf-16",
        "2025-02-12 22:00",
    ),
    "english": (
        "Order ID,Customer ID,Country,Order Date,Total,Currency\n"
        '1,7,NL,02/13/2025 10:00,"1,234.50",EUR\n2,7,NL,02/04/2025 10:00,9.95,EUR\n',
        "utf-8",
        "2025-02-13 09:00",
    ),
    "iso": (
        "order_id|customer_id|market|created_at|amount|currency\n1|7|NL|2025-02-13T10:00:00+01:00|1234.50|EUR\n",
        "utf-8",
        "2025-02-13 09:00",
    ),
}


@pytest.mark.parametrize("name", EXPORTS)
def test_a_proposed_profile_reads_the_file_it_was_proposed_for(tmp_path, connection, name):
    text, encoding, ordered = EXPORTS[name]
    (tmp_path / "export.csv").write_bytes(text.encode(encoding))
    (tmp_path / "proposed.toml").write_text(ingest.propose(tmp_path / "export.csv"), encoding="utf-8")
    findings = ingest.load(ingest.source(str(tmp_path / "proposed.toml")), connection)
    assert findings.rows == ()
    amount, when = connection.sql(
        "SELECT amount_minor, make_timestamp(ordered_us) FROM orders WHERE order_id = '1'"
    ).fetchall()[0]
    assert (amount, f"{when:%Y-%m-%d %H:%M}") == (123450, ordered)


def test_a_proposal_says_what_could_be_otherwise(tmp_path):
    (tmp_path / "export.csv").write_text("Order;Kunde;Dato;Beløb\n1;7;03-02-2025;9,95\n1;7;04-02-2025;9,95\n", "cp1252")
    assert ingest.propose(tmp_path / "export.csv") == (
        "# Proposed for export.csv from its first rows. Every line is a guess: read it, correct it, keep it as\n"
        "# data/sources/<name>.toml.\n"
        'title = "export"\n'
        'markets = "markets.toml"\n'
        "\n"
        "[orders]\n"
        f'file = "{tmp_path / "export.csv"}"\n'
        "# not UTF-8: cp1252 is Western Excel's; Romanian and other Central European Excel writes cp1250\n"
        'encoding = "cp1252"\n'
        'separator = ";"\n'
        'decimal = ","\n'
        "# day first or month first? no date in the first rows tells: ask who exported it\n"
        'date_format = "%d-%m-%Y"\n'
        '# "UTC" where times carry an offset or are UTC; a zone\'s name where one clock ruled them all\n'
        'time_zone = "market"\n'
        '# currency = "EUR"  # no column looks like it: say which one all amounts are in\n'
        "# an order_id comes more than once: the rows look like order lines\n"
        "group_by_order = true\n"
        "\n"
        "[orders.columns]\n"
        'order_id = "\\"Order\\""\n'
        'customer_id = "Kunde"\n'
        "# market = \"'NL'\"  # no column looks like it: one market for all rows, or a column\n"
        'ordered_at = "Dato"\n'
        'amount = "\\"Beløb\\""\n'
    )


def test_a_typed_file_is_proposed_by_its_names_alone(tmp_path):
    duckdb.sql(f"COPY (SELECT 1 AS InvoiceNo, 2 AS Quantity, 2.5 AS UnitPrice) TO '{tmp_path / 'lines.parquet'}'")
    proposed = ingest.propose(tmp_path / "lines.parquet")
    assert 'amount = "Quantity * UnitPrice"' in proposed
    assert "encoding" not in proposed


def test_nothing_is_proposed_for_a_file_that_is_not_there_or_empty(tmp_path):
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(DataError) as error:
        ingest.propose(tmp_path / "empty.csv")
    assert str(error.value) == "empty.csv is empty.\n  try:   export it again"
    with pytest.raises(UsageError) as error:
        ingest.propose(tmp_path / "orders.csv")
    assert str(error.value) == "There is no file 'orders.csv'.\n  found: 'empty.csv'\n  try:   check the path"
