"""An expression of a profile is one expression over the columns of a row: no statement, and no other table or file."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from retention_kit.errors import ConfigError, UsageError, shown

if TYPE_CHECKING:
    import duckdb

_PERMITTED = 'one expression over the file\'s columns, such as "Status = \'Geannuleerd\'" or "Quantity * UnitPrice"'


def quoted(name: str) -> str:
    """Return a name as an identifier of SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def refuse_other_than_expressions(expressions: dict[str, str], *, where: str) -> None:
    """Raise a ConfigError for the first text that is not one expression of DuckDB's SQL over a row.

    DuckDB's own parser is asked, so that nothing can be read in one way here and in another when it runs.

    Parameters
    ----------
    expressions : SQL by what it makes, a column or `where`.
    where : file and table that declare them.
    """
    if not expressions:
        return
    import duckdb

    with duckdb.connect() as parser:
        bare = _parsed(parser, "1")
        for name, sql in expressions.items():
            wrong = _wrong(_parsed(parser, sql), bare)
            if wrong:
                raise ConfigError(f"{where} cannot make '{shown(name)}'.", found=wrong, to_try=_PERMITTED)


def refuse_other_than_a_value(sql: str) -> None:
    """Raise a UsageError for a text that is not one value of a row: a query, an aggregate, several columns or rows.

    Parameters
    ----------
    sql : an expression of DuckDB's SQL over the columns of a row, such as a segment's.
    """
    import duckdb

    with duckdb.connect() as parser:
        parsed = _parsed(parser, sql)
        wrong = _wrong(parsed, _parsed(parser, "1"))
        if not wrong:
            wrong = next(filter(None, map(_many, _nodes(parsed["statements"][0]["node"]["select_list"]))), "")
    if wrong:
        raise UsageError(
            "A segment is one value of each customer.",
            found=f"{shown(sql, most=80)}: {wrong}",
            to_try="a column, or an expression such as \"acquisition_channel = 'referral'\"",
        )


_AGGREGATES = {"count", "count_star", "sum", "avg", "min", "max", "any_value", "first", "last", "list", "string_agg"}


def _many(node: dict[str, Any]) -> str:
    """Return what a part of an expression makes more of than one value of a row; nothing where it does not."""
    name = str(node.get("function_name", "")).casefold()
    if node.get("class") == "STAR" or name in ("columns", "row", "struct_pack"):
        return "several columns"
    if name in ("unnest", "generate_series", "range"):
        return "several rows"
    if node.get("class") == "WINDOW" or name in _AGGREGATES:
        return "a value of several rows"
    return ""


def columns_of(sql: str) -> list[str]:
    """Return the columns that an expression names."""
    import duckdb

    with duckdb.connect() as parser:
        nodes = _nodes(_parsed(parser, sql))
        return [node["column_names"][-1] for node in nodes if node.get("class") == "COLUMN_REF"]


def _parsed(parser: "duckdb.DuckDBPyConnection", sql: str) -> dict[str, Any]:
    """Return the statement that takes an expression, as the engine parses it."""
    import duckdb

    try:
        rows = parser.execute("SELECT json_serialize_sql(?)", [f"SELECT ({sql})"]).fetchall()
    except duckdb.Error as why:
        return {"error": True, "error_message": str(why).splitlines()[0]}
    return json.loads(rows[0][0])


def _wrong(parsed: dict[str, Any], bare: dict[str, Any]) -> str:
    """Return what makes a text more or less than one expression; nothing where it is one.

    Parameters
    ----------
    parsed, bare : the statement that takes the text, and the one that takes `1`.
    """
    if parsed["error"]:
        message = parsed["error_message"]
        return "a statement of its own" if message.startswith("Only SELECT") else shown(message, most=120)
    expressions = parsed["statements"][0]["node"].get("select_list", [])
    if _around(parsed) != _around(bare) or len(expressions) != 1:
        return "more than one expression"
    if any(node.get("class") == "SUBQUERY" for node in _nodes(expressions)):
        return "a query within it, which could read other tables or files"
    return ""


def _around(parsed: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the statements without what they select."""
    return [
        statement | {"node": {key: value for key, value in statement["node"].items() if key != "select_list"}}
        for statement in parsed["statements"]
    ]


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Return every part of an expression."""
    if isinstance(tree, dict):
        yield tree
    for part in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _nodes(part)
