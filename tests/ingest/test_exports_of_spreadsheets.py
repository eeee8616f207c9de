from datetime import UTC, datetime

import pytest

from retention_kit import ingest
from retention_kit.errors import DataError

EXCEL = """
[orders]
encoding = "{encoding}"
separator = ";"
decimal = ","
thousands = "."
date_format = "{date_format}"
time_zone = "market"

[orders.columns]
order_id = "{order_id}"
customer_id = "{customer_id}"
market = "{market}"
ordered_at = "{ordered_at}"
amount = "{amount}"
currency = "{currency}"
"""


def utc_us(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp()) * 1_000_000


def test_dutch_excel_with_byte_order_mark_day_first_and_decimal_comma(export, connection):
    profile = EXCEL.format(
        encoding="utf-8",
        date_format="%d-%m-%Y %H:%M",
        order_id="Ordernummer",
        customer_id="Klantnummer",
        market="Land",
        ordered_at="Besteldatum",
        amount="Bedrag",
        currency="Munt",
    )
    text = (
        "\ufeffOrdernummer;Klantnummer;Land;Besteldatum;Bedrag;Munt\r\n"
        "1;00123;Netherlands;01-02-2026 10:30;1.234,50;EUR\r\n"
        "2;123;NL;2-7-2025 0:05;9,95;EUR\r\n"
    )
    ingest.load(export(text, profile=profile), connection)
    assert connection.sql(
        "SELECT order_id, customer_id, market, ordered_us, amount_minor FROM orders ORDER BY 1"
    ).fetchall() == [
        ("1", "00123", "NL", utc_us(2026, 2, 1, 9, 30), 123450),
        ("2", "123", "NL", utc_us(2025, 7, 1, 22, 5), 995),
    ]


def test_danish_excel_in_cp1252_with_a_line_that_says_the_separator(export, connection):
    profile = EXCEL.format(
        encoding="cp1252",
        date_format="%d/%m/%Y",
        order_id="Ordrenr",
        customer_id="Kundenr",
        market="Land",
        ordered_at="Ordredato",
        amount='\\"Beløb\\"',
        currency="Valuta",
    )
    text = "sep=;\r\nOrdrenr;Kundenr;Land;Ordredato;Beløb;Valuta\r\n7;Søren;Danmark;01/02/2026;-1.000,00;DKK\r\n"
    ingest.load(export(text, profile=profile, encoding="cp1252"), connection)
    assert connection.sql("SELECT customer_id, market, ordered_us, amount_minor FROM orders").fetchall() == [
        ("Søren", "DK", utc_us(2026, 1, 31, 23), -100000)
    ]


def test_romanian_excel_in_utf_16_with_tabs(export, connection):
    profile = EXCEL.format(
        encoding="utf-16",
        date_format="%d.%m.%Y",
        order_id='\\"Nr. comandă\\"',
        customer_id="Client",
        market='\\"Țară\\"',
        ordered_at="Data",
        amount='\\"Sumă\\"',
        currency="Moneda",
    ).replace('separator = ";"', 'separator = "\\t"')
    text = "Nr. comandă\tClient\tȚară\tData\tSumă\tMoneda\r\n1\t7\tRomânia\t28.02.2025\t12,5\tRON\r\n"
    ingest.load(export(text, profile=profile, encoding="utf-16"), connection)
    assert connection.sql("SELECT market, ordered_us, amount_minor FROM orders").fetchall() == [
        ("RO", utc_us(2025, 2, 27, 22), 1250)
    ]


def test_na_is_namibia_and_null_is_a_name_and_only_nothing_is_missing(export, orders_of, connection):
    text = orders_of(
        "NA,null,NA,2025-01-01T10:00:00Z,1.00,NAD",
        "2,None,NA,2025-01-01T10:00:00Z,1.00,NAD",
        "3,,NA,2025-01-01T10:00:00Z,1.00,NAD",
    )
    findings = ingest.load(export(text, max_refused=0.5), connection)
    assert connection.sql("SELECT order_id, customer_id, market FROM orders ORDER BY 1").fetchall() == [
        ("2", "None", "NA"),
        ("NA", "null", "NA"),
    ]
    assert [finding.text for finding in findings.rows] == ["1 of 3 orders have no customer_id"]


def test_ids_above_two_to_the_53_stay_apart(export, orders_of, connection):
    text = orders_of(
        "1,9007199254740993,NL,2025-01-01,1,EUR",
        "2,9007199254740992,NL,2025-01-01,1,EUR",
    )
    ingest.load(export(text), connection)
    assert connection.sql("SELECT count(DISTINCT customer_id) FROM orders").fetchall() == [(2,)]


def test_ids_in_a_decimal_column_are_whole_again_with_a_note(typed, connection):
    source = typed(customer_id="17850.0::DOUBLE")
    findings = ingest.load(source, connection)
    assert connection.sql("SELECT customer_id FROM orders").fetchall() == [("17850",)]
    assert [finding.text for finding in findings.rows] == [
        "1 of 1 orders have a customer_id written as 17850.0, taken as 17850"
    ]


@pytest.mark.parametrize("value", ["9007199254740992", "1.5"])
def test_ids_that_a_decimal_column_has_rounded_are_an_error(typed, connection, value):
    source = typed(customer_id=f"{value}::DOUBLE")
    with pytest.raises(DataError) as error:
        ingest.load(source, connection)
    assert str(error.value) == (
        "orders: 'customer_id' is a decimal column, and 1 of its values are no whole number below 2^53.\n"
        "  found: ids that may have been rounded to each other\n"
        "  try:   export 'customer_id' as text"
    )


def test_amounts_are_rounded_half_to_even_and_noted(export, orders_of, connection):
    amounts = ["0.005", "0.015", "-0.025", "0.0251", "1e3", "2.50"]
    rows = [f"{n},c,NL,2025-01-01,{amount},EUR" for n, amount in enumerate(amounts)]
    findings = ingest.load(export(orders_of(*rows), max_refused=0.5), connection)
    minor = connection.sql("SELECT amount_minor FROM orders ORDER BY order_id").fetchall()
    assert [n for (n,) in minor] == [0, 2, -2, 3, 250]
    assert [finding.text for finding in findings.rows] == [
        "1 of 6 orders have an amount that is not a number as declared",
        "4 of 6 orders have an amount with more decimals than is counted; rounded half to even",
        "1 of 6 orders have an amount of zero",
        "1 of 6 orders have an amount below zero",
    ]


def test_a_double_is_the_decimal_it_shows(typed, connection):
    source = typed(amount="6 * 2.55::DOUBLE")  # 15.299999999999999
    ingest.load(source, connection)
    assert connection.sql("SELECT amount_minor FROM orders").fetchall() == [(1530,)]


@pytest.mark.parametrize(
    ("type_", "minor"),
    [("DECIMAL(12, 2)", 1250), ("DECIMAL(38, 10)", 1250), ("BIGINT", 1200), ("FLOAT", 1250), ("VARCHAR", 1250)],
)
def test_amounts_of_every_type_become_the_same_minor_units(typed, connection, type_, minor):
    source = typed(amount=f"12.5::DECIMAL(3,1)::{type_}")
    if type_ == "BIGINT":
        source = typed(amount="12::BIGINT")
    ingest.load(source, connection)
    assert connection.sql("SELECT amount_minor FROM orders").fetchall() == [(minor,)]
