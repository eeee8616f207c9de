"""A profile is somebody's text: it makes columns, and can neither run a statement nor read another file."""

import pytest

from retention_kit import ingest
from retention_kit.config import project_root
from retention_kit.errors import ConfigError

GOOD = "1,c,NL,2025-01-01,9.95,EUR"
QUERY = "a query within it, which could read other tables or files"
STATEMENT = "a statement of its own"


def error_of(export, orders: str, profile: str) -> str:
    with pytest.raises(ConfigError) as error:
        export(orders, profile=profile)
    return str(error.value)


def test_a_statement_behind_an_expression_is_never_run(export, orders_of, tmp_path):
    pwned = tmp_path / "pwned"
    for sql in (f"1=1); COPY (SELECT 'pwned') TO '{pwned}' ; --", f"1=1); COPY (SELECT 1) TO '{pwned}'; SELECT (1"):
        assert error_of(export, orders_of(GOOD), f'[orders]\nwhere = "{sql}"\n') == (
            "shop.toml [orders] cannot make 'where'.\n"
            f"  found: {STATEMENT}\n"
            "  try:   one expression over the file's columns, "
            'such as "Status = \'Geannuleerd\'" or "Quantity * UnitPrice"'
        )
    assert not pwned.exists()


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("(SELECT content FROM read_text('/etc/hostname'))", QUERY),
        ("amount IN (SELECT content FROM read_text('/etc/hostname'))", QUERY),
        ("exists(FROM read_text('/etc/hostname'))", QUERY),
        ("array(SELECT content FROM read_text('/etc/hostname'))[1]", QUERY),
        ("list_transform([1], x -> (SELECT content FROM read_text('/etc/hostname')))[1]", QUERY),
        ("content) FROM read_text('/etc/hostname') WHERE (1=1", "more than one expression"),
        ("1) UNION ALL SELECT (2", "more than one expression"),
        ("1), (2", "more than one expression"),
        ("1) LIMIT (1", "more than one expression"),
        ("1); DROP TABLE market_names; SELECT (1", STATEMENT),
        ("1); ATTACH 'x.db' AS x; SELECT (1", STATEMENT),
        ("SELECT 1", QUERY),
        ("amount -- the rest", None),
    ],
)
def test_a_column_is_made_of_the_row_alone(export, orders_of, sql, found):
    told = error_of(export, orders_of(GOOD), f'[orders.columns]\namount = "{sql}"\n')
    assert told.startswith("shop.toml [orders] cannot make 'amount'.\n")
    assert found is None or f"\n  found: {found}\n" in told


@pytest.mark.parametrize("table_function", ["read_text('/etc/hostname')", "glob('/etc/*')"])
def test_a_table_function_is_no_column(export, orders_of, connection, table_function):
    source = export(orders_of(GOOD), profile=f'[orders.columns]\namount = "{table_function}"\n')
    report = ingest.check(source)
    assert [error.what for error in report.errors] == ["shop.toml [orders] cannot make 'amount'."]


@pytest.mark.parametrize(
    "sql",
    [
        "CASE WHEN market = 'NL' THEN amount ELSE '0' END",
        "/* as the shop says */ amount",
        "replace(regexp_extract(amount, '([0-9.]+)', 1), ';', '')",
        "list_transform([amount], lambda x: x)[1]",
        "coalesce(nullif(trim(amount), ''), '0')",
        "amount::DECIMAL(10, 2) * 1",
    ],
)
def test_an_expression_over_the_row_is_taken_as_it_is(export, orders_of, connection, sql):
    ingest.load(export(orders_of(GOOD), profile=f'[orders.columns]\namount = "{sql}"\n'), connection)
    assert connection.sql("SELECT amount_minor FROM orders").fetchall() == [(995,)]


def test_a_check_reads_the_sources_own_files_by_whatever_path(tmp_path, typed, monkeypatch):
    (tmp_path / "sub folder's").mkdir()
    typed()
    monkeypatch.setenv("RETENTION_KIT_PROJECT", str(project_root()))
    monkeypatch.chdir(tmp_path / "sub folder's")
    assert ingest.check(ingest.source("..")).ok
    (tmp_path / "orders.parquet").rename("orders.parquet")
    assert ingest.check(ingest.source(str(tmp_path / "sub folder's"))).ok


@pytest.mark.parametrize(
    ("profile", "told"),
    [
        ('markets = "shop.toml"\n', "shop.toml names itself as the file of its markets."),
        ("markets = 3\n", "'markets': neither the path of a markets.toml, in quotes, nor tables such as [markets.NL]"),
        ("markets = {NL = 3}\n", "shop.toml: 'NL' is not a table."),
        ("[orders]\ndate_format = 3\n", "'date_format': should be a list of texts"),
        ("[orders]\ndate_format = [3]\n", "'date_format.0': should be a text in quotes"),
        ('[orders]\ngroup_by_order = "yes"\n', "'group_by_order': should be true or false, without quotes"),
        ('[orders]\ncolumns = "amount"\n', "'columns': should be a table"),
        *(
            (f'[orders]\nencoding = "{name}"\n', f"'{name}' is not an encoding of text, such as 'utf-8' or 'cp1252'")
            for name in ("base64", "idna", "rot13", "zlib", "punycode", "unicode_escape", "undefined", "latin-x")
        ),
    ],
)
def test_a_value_of_the_wrong_kind_is_told_in_plain_words(tmp_path, profile, told):
    (tmp_path / "shop.toml").write_text(profile)
    (tmp_path / "orders.csv").write_text("x")
    with pytest.raises(ConfigError) as error:
        ingest.source(str(tmp_path / "shop.toml"), files={"orders": str(tmp_path / "orders.csv")})
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("line", "found", "advice"),
    [
        ("aliases = 3", "'aliases': should be a list of texts", 'aliases = ["Nederland"]'),
        ("languages = 3", "'languages': should be a list of texts", 'languages = ["nl-NL"]'),
        ("lifespan = 3", "'lifespan': should be a table", 'lifespan = { value = 10, unit = "month" }'),
        ('acquisition_cost = "much"', "'acquisition_cost': 'much' is not a number such as \"13.50\"",
         "correct 'acquisition_cost'"),
    ],
)  # fmt: skip
def test_a_market_of_the_wrong_kind_shows_how_it_is_written(tmp_path, line, found, advice):
    languages = "" if line.startswith("languages") else 'languages = "nl-NL"\n'
    (tmp_path / "markets.toml").write_text(
        f'[NL]\nname = "Netherlands"\ncurrency = "EUR"\ntime_zone = "Europe/Amsterdam"\n{languages}{line}\n'
    )
    (tmp_path / "orders.csv").write_text("x")
    with pytest.raises(ConfigError) as error:
        ingest.source(str(tmp_path))
    assert str(error.value) == f"markets.toml [NL] cannot be read as written.\n  found: {found}\n  try:   {advice}"


def test_one_text_stands_for_a_list_of_one_and_a_date_needs_no_quotes(tmp_path):
    (tmp_path / "orders.csv").write_text("x")
    (tmp_path / "shop.toml").write_text(
        "as_of = 2026-01-01\n"
        '[markets.NL]\nname = "Netherlands"\naliases = "Nederland"\nlanguages = "nl-NL"\n'
        'currency = "EUR"\ntime_zone = "Europe/Amsterdam"\n'
    )
    source = ingest.source(str(tmp_path / "shop.toml"), files={"orders": str(tmp_path / "orders.csv")})
    assert source.as_of == "2026-01-01"
    assert source.markets.by_written_name["Nederland"] == "NL"
    assert source.markets["NL"].languages == ("nl-NL",)


@pytest.mark.parametrize("brackets", ["[[7, 1]]", "[[0, 7]]", "[[1, 7, 9]]", "[[1, 3651]]", '[["1", 7]]'])
def test_a_bracket_is_its_first_and_last_day(export, orders_of, brackets):
    assert error_of(export, orders_of(GOOD), f"brackets = {brackets}\n[orders]\n") == (
        "shop.toml cannot be read as written.\n"
        "  found: 'brackets': a bracket is its first and last day, from 1 to 3650, such as [1, 7]\n"
        "  try:   correct 'brackets'"
    )


def test_own_brackets_are_read(export, orders_of):
    source = export(orders_of(GOOD), profile="brackets = [[1, 10], [11, 20]]\n[orders]\n")
    assert source.profile.brackets == ((1, 10), (11, 20))
