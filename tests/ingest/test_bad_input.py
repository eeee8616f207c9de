import duckdb
import pytest

from retention_kit import ingest
from retention_kit.errors import ConfigError, DataError, UsageError

GOOD = "1,c,NL,2025-01-01,9.95,EUR"
CORRECT = "correct the export, or raise max_refused, or declare the share as [expected], in shop.toml"


def error_of(source: ingest.Source) -> str:
    """Return the text of the error that loading gives."""
    with duckdb.connect() as connection, pytest.raises(DataError) as error:
        ingest.load(source, connection)
    return str(error.value)


def test_an_empty_file(export):
    assert error_of(export("")) == "orders.csv is empty.\n  try:   export orders again"


def test_a_header_without_rows(export, orders_of):
    assert error_of(export(orders_of())) == "orders has no rows.\n  try:   another file, or export it again"


def test_a_file_that_is_not_there(export, tmp_path):
    export("")
    with pytest.raises(UsageError) as error:
        ingest.source(str(tmp_path / "shop.toml"), files={"orders": str(tmp_path / "order.csv")})
    assert str(error.value) == (
        "There is no file 'order.csv' of orders.\n  found: 'orders.csv', 'shop.toml'\n  try:   'orders.csv'"
    )


def test_a_damaged_parquet_file(tmp_path):
    (tmp_path / "orders.parquet").write_text("no Parquet at all")
    assert error_of(ingest.source(str(tmp_path))) == (
        "orders.parquet cannot be read as Parquet.\n"
        "  found: 17 bytes, damaged or another format\n"
        "  try:   export it again; a text file must end in .csv"
    )


def test_a_folder_without_orders(tmp_path):
    (tmp_path / "ordres.csv").write_text("x")
    with pytest.raises(UsageError) as error:
        ingest.source(str(tmp_path))
    assert str(error.value) == (
        f"The folder '{tmp_path.name}' holds no orders.\n"
        "  found: 'ordres.csv'\n"
        "  try:   a file orders.parquet or orders.csv in it, or a profile that says which file it is"
    )


def test_a_folder_that_holds_orders_twice(tmp_path):
    (tmp_path / "orders.csv").write_text("x")
    (tmp_path / "orders.parquet").write_text("x")
    with pytest.raises(UsageError) as error:
        ingest.source(str(tmp_path))
    assert str(error.value) == (
        f"The folder '{tmp_path.name}' holds orders twice.\n"
        "  found: 'orders.parquet', 'orders.csv'\n"
        "  try:   keep one of them"
    )


def test_a_kind_of_file_that_cannot_be_read(export, tmp_path):
    (tmp_path / "orders.xlsx").write_text("x")
    source = export("")
    source = ingest.source(str(tmp_path / "shop.toml"), files={"orders": str(tmp_path / "orders.xlsx")})
    assert error_of(source) == (
        "orders.xlsx is of a kind that cannot be read.\n"
        "  found: '.xlsx'\n"
        "  try:   Parquet, or text saved as .csv; unpack archives, save spreadsheets as CSV UTF-8"
    )


def test_a_missing_column_names_the_near_miss(export):
    source = export("order_id,customer_id,market,orderd_at,amount,currency\n" + GOOD)
    assert error_of(source) == (
        "orders lacks 'ordered_at'.\n"
        "  found: 'order_id', 'customer_id', 'market', 'orderd_at', 'amount', 'currency'\n"
        "  try:   rename 'orderd_at' to 'ordered_at', or map it in shop.toml"
    )


def test_an_expression_over_a_column_that_is_not_there(export, orders_of):
    source = export(orders_of(GOOD), profile='[orders.columns]\namount = "amonut * 2"\n')
    assert error_of(source) == (
        "orders lacks 'amonut', of which shop.toml [orders] makes 'amount'.\n"
        "  found: 'order_id', 'customer_id', 'market', 'ordered_at', 'amount', 'currency'\n"
        "  try:   'amount' in its place"
    )


def test_an_expression_that_is_no_sql(export, orders_of):
    with pytest.raises(ConfigError) as error:
        export(orders_of(GOOD), profile='[orders.columns]\namount = "amount +"\n')
    assert str(error.value) == (
        "shop.toml [orders] cannot make 'amount'.\n"
        '  found: syntax error at or near ")"\n'
        "  try:   one expression over the file's columns, "
        'such as "Status = \'Geannuleerd\'" or "Quantity * UnitPrice"'
    )


@pytest.mark.parametrize(
    ("column", "sql"),
    [
        ("amount", "CAST(customer_id AS INTEGER)"),
        ("ordered_at", "strptime(customer_id, '%d')"),
        ("amount", "error(customer_id)::DOUBLE"),
    ],
)
def test_an_expression_that_fails_on_a_row_does_not_quote_it(export, orders_of, column, sql):
    source = export(orders_of(GOOD), profile=f'[orders.columns]\n{column} = "{sql}"\n')
    assert error_of(source) == (
        "orders: an expression of shop.toml fails on some row.\n"
        "  try:   TRY_CAST instead of CAST, or a CASE that leaves such rows out, so that they are counted"
    )


def test_a_file_with_another_separator_than_declared(export, orders_of):
    assert error_of(export(orders_of(GOOD).replace(",", ";"))) == (
        "orders.csv has one column.\n"
        "  found: its header holds a semicolon 5 times\n"
        '  try:   declare separator = ";" in shop.toml'
    )


def test_a_file_that_says_another_separator_than_declared(export, orders_of):
    assert error_of(export("sep=;\n" + orders_of(GOOD).replace(",", ";"))) == (
        'orders.csv says that its separator is another.\n  found: sep=;\n  try:   declare separator = ";" in shop.toml'
    )


def test_columns_of_the_same_name(export):
    assert error_of(export("order_id,amount,amount\n1,2,3\n")) == (
        "orders.csv has columns of the same name.\n  found: 'amount'\n  try:   give each column its own name"
    )


@pytest.mark.parametrize(("declared", "written"), [("utf-8", "cp1252"), ("utf-16", "utf-8")])
def test_text_in_another_encoding_than_declared(export, orders_of, declared, written):
    source = export(
        orders_of("1,Søren,NL,2025-01-01,9.95,EUR"), profile=f'[orders]\nencoding = "{declared}"\n', encoding=written
    )
    assert error_of(source) == (
        f"orders.csv is not text in {declared}.\n"
        '  try:   declare its encoding in shop.toml, such as encoding = "cp1252"'
    )


def test_an_undeclared_decimal_comma_in_quotes(export, orders_of):
    assert error_of(export(orders_of('1,c,NL,2025-01-01,"9,95",EUR', GOOD.replace("1", "2", 1)))) == (
        "orders: 50 % of the rows were refused, more than the 1 % allowed.\n"
        "  found: 1 of 2 orders have an amount that is not a number as declared\n"
        '  try:   declare how [orders] writes numbers, such as decimal = ",", in shop.toml\n'
        f"         {CORRECT}"
    )


def test_an_undeclared_decimal_comma_that_moves_the_columns(export, orders_of):
    assert error_of(export(orders_of("1,c,NL,2025-01-01,9,95,EUR", GOOD.replace("1", "2", 1)))) == (
        "orders: 50 % of the rows were refused, more than the 1 % allowed.\n"
        "  found: 1 of 2 orders have more or fewer columns than the header, or a broken quote\n"
        "  try:   declare the separator and quote of [orders] in shop.toml; a decimal comma needs quotes\n"
        f"         {CORRECT}"
    )


def test_a_thousands_dot_that_is_not_declared_is_never_a_decimal_point(export, orders_of):
    rows = ["1,c,NL,2025-01-01,1.234.567,EUR", '2,c,NL,2025-01-01,"1,234",EUR']
    assert "2 of 2 orders have an amount that is not a number as declared" in error_of(export(orders_of(*rows)))


def test_every_row_refused_for_its_date(export, orders_of):
    assert error_of(export(orders_of("1,c,NL,01-02-2025,9.95,EUR", "2,c,NL,31-02-2025,9.95,EUR"))) == (
        "No order is left: every row was refused or left out.\n"
        "  found: 2 of 2 orders have an ordered_at that is not a date as declared\n"
        '  try:   declare how [orders] writes dates, such as date_format = "%d-%m-%Y", in shop.toml'
    )


@pytest.mark.parametrize("date", ["31-02-2025", "01-02-2025 x", "2025-02-01"])
def test_a_date_that_is_not_as_declared_is_refused(export, orders_of, connection, date):
    source = export(
        orders_of(f"1,c,NL,{date},9.95,EUR", "2,c,NL,28-02-2025,9.95,EUR"),
        profile='[orders]\ndate_format = "%d-%m-%Y"\n',
        max_refused=0.5,
    )
    assert [finding.reason for finding in ingest.load(source, connection).rows] == ["unparsable_ordered_at"]


@pytest.mark.parametrize("year", ["0025", "25", "1899", "2201"])
def test_a_year_out_of_range_is_told_as_one(export, orders_of, year):
    source = export(orders_of(f"1,c,NL,01-02-{year},9.95,EUR"), profile='[orders]\ndate_format = "%d-%m-%Y"\n')
    assert error_of(source) == (
        "No order is left: every row was refused or left out.\n"
        "  found: 1 of 1 orders have an ordered_at out of range, before 1900 or after 2199\n"
        '  try:   declare how [orders] writes years: "%d-%m-%y" where they have two digits, in shop.toml'
    )


def test_times_without_offset_or_zone(export, orders_of):
    assert error_of(export(orders_of("1,c,NL,2025-02-01 10:00,9.95,EUR"))) == (
        "No order is left: every row was refused or left out.\n"
        "  found: 1 of 1 orders have an ordered_at without an offset, and no time_zone is declared\n"
        '  try:   declare time_zone under [orders], such as time_zone = "market", in shop.toml'
    )


def test_unknown_markets_are_named_with_counts_and_near_misses(export, orders_of):
    rows = [GOOD, "2,c,Nederland,2025-01-01,1,EUR", "3,c,Nederland,2025-01-01,1,EUR", "4,c,XX,2025-01-01,1,EUR"]
    assert error_of(export(orders_of(*rows))) == (
        "orders names 2 markets that are not declared.\n"
        "  found: 'Nederland' (2), 'XX' (1)\n"
        "  try:   'Nederland' may be NL: give NL the line aliases = [\"Nederland\"] in shop.toml\n"
        "         declare what is missing in shop.toml, or leave it out: --unknown-markets ignore"
    )


def test_unknown_markets_can_be_left_out_and_are_counted(export, orders_of, connection):
    source = export(orders_of(GOOD, "2,c,XX,2025-01-01,1,EUR"), unknown_markets="ignore")
    findings = ingest.load(source, connection)
    assert [(finding.severity, finding.text) for finding in findings.rows] == [
        ("warning", "1 of 2 orders have a market that is not declared: 'XX' (1)")
    ]
    assert connection.sql("SELECT DISTINCT market FROM orders").fetchall() == [("NL",)]


def test_several_currencies_without_rates(export, orders_of):
    assert error_of(export(orders_of(GOOD, "2,c,DK,2025-01-01,1,DKK", "3,c,DK,2025-01-01,1,SEK"))) == (
        "orders are in several currencies, and there are no exchange rates.\n"
        "  found: 'SEK in DK' (1)\n"
        "  try:   a table exchange_rates with date, currency and rate, for the order's currency and the market's"
    )


def test_a_currency_without_a_rate_among_those_that_have_one(export, orders_of):
    source = export(
        orders_of(GOOD, "2,c,NL,2025-01-01,1,SEK", "3,c,NL,2025-01-01,1,DKK"),
        exchange_rates="date,currency,rate\n2025-01-01,EUR,1\n2025-01-01,DKK,7.46\n",
    )
    assert error_of(source) == (
        "orders: 33.3 % of the rows were refused, more than the 1 % allowed.\n"
        "  found: 1 of 3 orders have a currency that is not the market's own and has no exchange rate\n"
        f"  try:   {CORRECT}"
    )


def test_everything_wrong_is_told_at_once_with_counts(export, orders_of):
    rows = [
        GOOD,
        "1,c,NL,2025-01-01,9.95,EUR",
        ",c,NL,2025-01-01,9.95,EUR",
        "3,,NL,2025-01-01,9.95,EUR",
        "4,,NL,2025-01-01,9.95,EUR",
        "5,c,,2025-01-01,9.95,EUR",
        "6,c,NL,yesterday,9.95,EUR",
        "7,c,NL,2025-01-01,,EUR",
        "8,c,NL,2025-01-01,1,XYZ",
        "9,c,NL,2025-01-01,99999999999999,EUR",
    ]
    assert error_of(export(orders_of(*rows))) == (
        "orders: 90 % of the rows were refused, more than the 1 % allowed.\n"
        "  found: 2 of 10 orders have no customer_id\n"
        "         1 of 10 orders have an amount too large to count\n"
        "         1 of 10 orders have no amount\n"
        "         1 of 10 orders have no market\n"
        "         1 of 10 orders have no order_id\n"
        "         1 of 10 orders repeat an order_id of their market\n"
        "         1 of 10 orders have a currency that is not in ISO 4217\n"
        "         1 of 10 orders have an ordered_at that is not a date as declared\n"
        '  try:   declare how [orders] writes dates, such as date_format = "%d-%m-%Y", in shop.toml\n'
        f"         {CORRECT}"
    )


def test_one_refused_row_in_a_hundred_is_allowed_and_counted(export, orders_of, connection):
    rows = [f"{n},c,NL,2025-01-01,9.95,EUR" for n in range(99)] + ["99,,NL,2025-01-01,9.95,EUR"]
    findings = ingest.load(export(orders_of(*rows)), connection)
    assert [(finding.severity, finding.text) for finding in findings.rows] == [
        ("refused", "1 of 100 orders have no customer_id")
    ]
    assert findings.refused_share("orders") == 0.01
    assert ingest.Findings.from_dicts(findings.to_dicts()).rows == findings.rows


def test_an_expected_share_does_not_count_until_it_is_passed(export, orders_of, connection):
    rows = [GOOD, "2,,NL,2025-01-01,9.95,EUR"]
    ingest.load(export(orders_of(*rows), profile="[expected]\nno_customer_id = 0.5\n"), connection)
    assert error_of(export(orders_of(*rows), profile="[expected]\nno_customer_id = 0.4\n")).startswith(
        "orders: 50 % of the rows were refused"
    )


def test_odd_refunds_are_told_and_a_negative_one_is_refused(export, connection):
    text = (
        "order_id,customer_id,market,ordered_at,amount,currency,refunded_amount,refunded_at\n"
        "1,c,NL,2025-01-02,10,EUR,11,2025-01-01\n"
        "2,c,NL,2025-01-02,10,EUR,-1,2025-01-03\n"
        "3,c,NL,2025-01-02,10,EUR,,\n"
        "4,c,NL,2025-01-02,10,EUR,3,\n"
    )
    findings = ingest.load(export(text, profile='refund_policy = "processed"\n', max_refused=0.5), connection)
    assert [(finding.severity, finding.text) for finding in findings.rows] == [
        ("refused", "1 of 4 orders have a refunded_amount below zero"),
        ("warning", "1 of 4 orders have more refunded than was paid"),
        ("warning", "1 of 4 orders have a refunded_at before ordered_at"),
        ("warning", "1 of 4 orders have a refund without refunded_at; it counts on the day of the order"),
    ]
    assert connection.sql("SELECT order_id, refunded_minor, cancelled FROM orders ORDER BY 1").fetchall() == [
        ("1", 1100, False),
        ("3", 0, False),
        ("4", 300, False),
    ]


def test_repeated_customers_keep_the_first_and_bad_extras_are_left_empty(export, orders_of, connection):
    source = export(
        orders_of(GOOD),
        customers="customer_id,market,acquisition_cost\nc,NL,9.50\nc,NL,8\nc,DK,7\nd,NL,cheap\n",
    )
    findings = ingest.load(source, connection)
    assert [(finding.severity, finding.text) for finding in findings.rows] == [
        ("note", "1 of 4 customers repeat a customer_id of their market; the first one counts"),
        ("warning", "1 of 4 customers have an acquisition_cost that is not a number as declared"),
    ]
    assert connection.sql("SELECT * FROM customers ORDER BY ALL").fetchall() == [
        ("c", "DK", 700),
        ("c", "NL", 950),
        ("d", "NL", None),
    ]


def test_rates_that_repeat_or_are_not_above_zero_are_refused(export, orders_of, connection):
    source = export(
        orders_of(GOOD),
        exchange_rates="date,currency,rate\n2025-01-01,DKK,7\n2025-01-01,DKK,8\n2025-01-02,DKK,0\n",
        max_refused=1,
    )
    findings = ingest.load(source, connection)
    assert [finding.reason for finding in findings.rows] == ["repeated_rate", "unusable_rate"]
    assert connection.sql("SELECT * FROM exchange_rates").fetchall() == [(20089, "DKK", 7.0)]


@pytest.mark.parametrize(
    ("profile", "text"),
    [
        ("mincell = 5\n", "shop.toml cannot be read as written.\n  found: unknown key 'mincell'\n  try:   'min_cell'"),
        (
            '[orders]\nseperator = ";"\n',
            "shop.toml [orders] cannot be read as written.\n  found: unknown key 'seperator'\n  try:   'separator'",
        ),
        (
            '[orders]\ndecimal = ","\nthousands = ","\n',
            "shop.toml [orders] cannot be read as written.\n"
            "  found: 'thousands': decimal is ',' too\n"
            "  try:   correct 'thousands'",
        ),
        (
            '[orders]\ntime_zone = "Europe/Amsterdm"\n',
            "shop.toml [orders] cannot be read as written.\n"
            "  found: 'time_zone': 'Europe/Amsterdm' is not a time zone: did you mean 'Europe/Amsterdam'?\n"
            "  try:   correct 'time_zone'",
        ),
        (
            '[orders]\ndate_format = "dd-mm-yyyy"\n',
            "shop.toml [orders] cannot be read as written.\n"
            "  found: 'date_format': 'dd-mm-yyyy' is not a date format, such as '%d-%m-%Y %H:%M'\n"
            "  try:   correct 'date_format'",
        ),
        (
            "min_cell = 0\n",
            "shop.toml cannot be read as written.\n"
            "  found: 'min_cell': Input should be greater than or equal to 1\n"
            "  try:   correct 'min_cell'",
        ),
        (
            "[expected]\nno_custmer_id = 0.1\n",
            "shop.toml cannot be read as written.\n"
            "  found: 'expected': 'no_custmer_id' is no reason: did you mean 'no_customer_id'?\n"
            "  try:   correct 'expected'",
        ),
        (
            '[customers.attributes]\nconsent = "Toestemming"\n',
            "shop.toml [customers] cannot name an attribute 'consent'.\n"
            "  found: a column of the kit\n"
            "  try:   small letters, digits and single underscores, such as shoe_size",
        ),
        (
            '[customers.attributes]\n"Shoe size" = "Maat"\n',
            "shop.toml [customers] cannot name an attribute 'Shoe size'.\n"
            "  try:   small letters, digits and single underscores, such as shoe_size",
        ),
        (
            '[orders.attributes]\nsize = "Maat"\n',
            "shop.toml [orders] cannot have attributes.\n  try:   attributes only under [customers]",
        ),
        (
            '[customers.columns]\nmarkt = "Land"\n',
            "There is no column of customers 'markt'.\n"
            "  found: 'customer_id', 'market', 'language', 'acquired_at', 'acquisition_channel', 'acquisition_cost', "
            "'referred_by', 'loyalty_tier', 'loyalty_joined_at', 'consent'\n"
            "  try:   'market'",
        ),
    ],
)
def test_a_profile_that_cannot_be_is_told_with_the_near_miss(export, profile, text):
    with pytest.raises(ConfigError) as error:
        export("", profile=profile)
    assert str(error.value) == text


def test_columns_of_the_companys_own_are_kept_as_they_are(export, orders_of, connection):
    source = export(
        orders_of(GOOD),
        profile='[customers.attributes]\nshoe_size = "Maat"\nis_tall = "Maat > \'40\'"\n',
        customers="customer_id,market,Maat\na,NL, 41 \nb,NL,\nc,DK,38\n",
    )
    ingest.load(source, connection)
    rows = connection.sql("SELECT customer_id, shoe_size, is_tall FROM customers ORDER BY 1").fetchall()
    assert rows == [("a", " 41 ", "false"), ("b", None, None), ("c", "38", "false")]


def test_an_unknown_table_or_profile_names_the_near_miss(export, tmp_path):
    with pytest.raises(UsageError) as error:
        ingest.source("sample", files={"order": "x"})
    assert str(error.value).endswith("try:   'orders'")
    with pytest.raises(UsageError) as error:
        ingest.source("onlineretail")
    assert str(error.value).endswith("try:   'online_retail'")


def test_files_of_one_table_with_other_columns(tmp_path, connection):
    (tmp_path / "orders").mkdir()
    for name, column in (("a", "amount"), ("b", "amonut")):
        connection.execute(f"COPY (SELECT 1 AS {column}) TO '{tmp_path / 'orders' / name}.parquet'")
    assert error_of(ingest.source(str(tmp_path))) == (
        "b.parquet has other columns than a.parquet.\n"
        "  found: 'amonut INTEGER'\n"
        "  try:   the columns and types of a.parquet"
    )
