"""The right to read is enough for PostgreSQL; where a right lacks, the reader is told which."""

import pytest

from retention_kit import counts
from retention_kit.errors import KitError

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'retention-kit[postgres]'")

ORDERS = """
    CREATE SCHEMA IF NOT EXISTS rights;
    DROP TABLE IF EXISTS rights.orders;
    CREATE TABLE rights.orders AS SELECT 1001 AS order_id, 'ana' AS customer_id, 'NL' AS market, 'EUR' AS currency,
        TIMESTAMPTZ '2025-01-01 12:00:00+00' AS ordered_at, 10::numeric AS amount
"""
READER = """
    DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN; GRANT USAGE ON SCHEMA rights TO reader;
    GRANT SELECT ON rights.orders TO reader
"""

pytestmark = pytest.mark.xdist_group("postgresql")


@pytest.fixture
def server(postgres_url):
    """Return a connection of the owner, who lays a table that a reader may read, and takes the reader away again."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(ORDERS)
        connection.execute(READER)
        yield connection
        connection.execute("DROP OWNED BY reader; DROP ROLE reader")


def n_orders(postgres_url: str, tmp_path) -> int:
    from retention_kit import ingest

    url = postgres_url.replace("kit@", "reader@")
    (tmp_path / "shop.toml").write_text(f'engine = "{url}"\n[orders]\ntable = "rights.orders"\n', encoding="utf-8")
    found = counts.count(ingest.source(str(tmp_path / "shop.toml")), as_of="2025-02-01", grains=["month"])
    return int(found.of("NL").order_counts.query("grain == 'history'")["n_orders"].item())


def said(act) -> str:
    with pytest.raises(KitError) as raised:
        act()
    return str(raised.value)


def test_the_right_to_read_is_enough(server, postgres_url, tmp_path):
    assert n_orders(postgres_url, tmp_path) == 1


def test_without_the_right_to_read_the_readable_tables_are_named(server, postgres_url, tmp_path):
    server.execute("REVOKE SELECT ON rights.orders FROM reader")
    assert said(lambda: n_orders(postgres_url, tmp_path)).splitlines()[0] == (
        "There is no table 'rights.orders' in postgresql://reader@/postgres, of which shop.toml makes orders."
    )


def test_without_the_right_to_temporary_tables_the_grant_is_told(server, postgres_url, tmp_path):
    server.execute("REVOKE TEMPORARY ON DATABASE postgres FROM PUBLIC")
    try:
        assert said(lambda: n_orders(postgres_url, tmp_path)) == (
            "postgresql://reader@/postgres does not allow it.\n"
            '  found: permission denied to create temporary tables in database "postgres"\n'
            "  try:   GRANT SELECT on the tables and TEMPORARY on the database to that user"
        )
    finally:
        server.execute("GRANT TEMPORARY ON DATABASE postgres TO PUBLIC")


def test_a_read_only_user_is_told_so(server, postgres_url, tmp_path):
    server.execute("ALTER ROLE reader SET default_transaction_read_only = on")
    assert said(lambda: n_orders(postgres_url, tmp_path)) == (
        "postgresql://reader@/postgres allows no temporary table: it is read only.\n"
        "  try:   the server itself, not its replica, or a user whose default_transaction_read_only is off"
    )
