from retention_kit import ingest

LINES = "[orders]\ngroup_by_order = true\n"


def test_lines_become_orders_at_their_earliest_line(export, orders_of, connection):
    text = orders_of(
        "1,c,NL,2025-01-01T10:01:00Z,2.50,EUR",
        "1,c,NL,2025-01-01T10:00:00Z,1.25,EUR",
        "2,d,NL,2025-01-02T10:00:00Z,9,EUR",
    )
    ingest.load(export(text, profile=LINES), connection)
    columns = "order_id, customer_id, ordered_us, amount_minor"
    assert connection.sql(f"SELECT {columns} FROM orders ORDER BY 1").fetchall() == [
        ("1", "c", 1_735_725_600_000_000, 375),
        ("2", "d", 1_735_812_000_000_000, 900),
    ]


def test_an_order_of_two_customers_or_with_a_refused_line_is_refused_whole(export, orders_of, connection):
    text = orders_of(
        "1,c,NL,2025-01-01,1,EUR",
        "1,d,NL,2025-01-01,1,EUR",
        "2,c,NL,2025-01-01,1,EUR",
        "2,c,NL,2025-01-01,?,EUR",
        "3,c,NL,2025-01-01,1,EUR",
        "4,,NL,2025-01-01,1,EUR",
    )
    findings = ingest.load(export(text, profile=LINES, max_refused=1), connection)
    assert [finding.text for finding in findings.rows] == [
        "1 of 6 order lines have no customer_id",
        "1 of 6 order lines have an amount that is not a number as declared",
        "1 of 3 orders have lines that were refused",
        "1 of 3 orders have lines of different customers, markets or currencies",
    ]
    assert connection.sql("SELECT order_id FROM orders").fetchall() == [("3",)]


def test_a_cancelled_line_adds_nothing_and_an_order_is_cancelled_with_its_last_line(export, connection):
    text = (
        "order_id,customer_id,market,ordered_at,amount,currency,cancelled\n"
        "1,c,NL,2025-01-01,1,EUR,false\n"
        "1,c,NL,2025-01-01,5,EUR,true\n"
        "2,c,NL,2025-01-01,7,EUR,true\n"
    )
    ingest.load(export(text, profile=LINES), connection)
    assert connection.sql("SELECT order_id, amount_minor, cancelled FROM orders ORDER BY 1").fetchall() == [
        ("1", 100, False),
        ("2", 700, True),
    ]


def test_rows_left_out_by_the_profile_are_counted(export, orders_of, connection):
    source = export(
        orders_of("1,c,NL,2025-01-01,1,EUR", "2,c,NL,2025-01-01,0,EUR"), profile="[orders]\nwhere = \"amount <> '0'\"\n"
    )
    findings = ingest.load(source, connection)
    assert [(finding.severity, finding.text) for finding in findings.rows] == [
        ("note", "1 of 2 orders are left out by 'where'")
    ]


def test_a_file_without_order_ids_counts_its_rows_over_all_files(tmp_path, export, connection):
    for name in ("a", "b"):
        connection.execute(
            "COPY (SELECT 'c' AS customer_id, 'NL' AS market, DATE '2025-01-01' AS ordered_at, 1 AS amount, "
            f"'EUR' AS currency FROM range(2)) TO '{tmp_path / name}.parquet'"
        )
    export("", profile='[orders.columns]\norder_id = "file_row_number"\n')
    source = ingest.source(str(tmp_path / "shop.toml"), files={"orders": str(tmp_path / "*.parquet")})
    ingest.load(source, connection)
    assert connection.sql("SELECT order_id FROM orders ORDER BY 1").fetchall() == [("0",), ("1",), ("2",), ("3",)]


def test_money_without_a_currency_is_in_that_of_the_customer_s_market(export, orders_of, connection):
    rows = ["1,c,NL,2025-01-01,1,EUR", "2,d,JP,2025-01-01,100,JPY"]
    japan = '[markets.JP]\nname = "Japan"\nlanguages = ["ja-JP"]\ncurrency = "JPY"\ntime_zone = "Asia/Tokyo"\n'
    source = export(
        orders_of(*rows),
        profile=japan,
        assignments="experiment,customer_id,arm,assigned_at,cost\nx,c,a,2025-01-01,5\nx,d,a,2025-01-01,500\n",
    )
    ingest.load(source, connection)
    assert connection.sql("SELECT customer_id, cost_minor FROM assignments ORDER BY 1").fetchall() == [
        ("c", 500),
        ("d", 500),
    ]
    assert connection.sql("SELECT amount_minor FROM orders ORDER BY order_id").fetchall() == [(100,), (100,)]


def test_a_market_may_count_its_own_currency_in_more_digits(export, orders_of, connection):
    profile = (
        '[markets.GB]\nname = "Britain"\nlanguages = ["en-GB"]\ncurrency = "GBP"\n'
        'time_zone = "Europe/London"\nminor_digits = 3\n'
    )
    source = export(orders_of("1,c,GB,2025-01-01,1.234,GBP"), profile=profile)
    findings = ingest.load(source, connection)
    assert connection.sql("SELECT amount_minor FROM orders").fetchall() == [(1234,)]
    assert ingest.minor_digits("GBP", source.markets["GB"], source.markets) == 3
    assert findings.rows == ()


def test_the_fingerprint_changes_with_the_file_the_profile_and_the_strictness(export, orders_of):
    prints = [
        export(orders_of("1,c,NL,2025-01-01,1,EUR")).fingerprint(),
        export(orders_of("1,c,NL,2025-01-01,10,EUR")).fingerprint(),
        export(orders_of("1,c,NL,2025-01-01,10,EUR"), profile="min_cell = 5\n").fingerprint(),
        export(orders_of("1,c,NL,2025-01-01,10,EUR"), max_refused=0.2).fingerprint(),
    ]
    assert len(set(prints)) == 4
    source = export(orders_of("1,c,NL,2025-01-01,1,EUR"))
    assert source.fingerprint() == source.fingerprint()
