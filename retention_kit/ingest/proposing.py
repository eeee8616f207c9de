"""For a file never seen: a profile to start from. Guesses are proposed here and nowhere else, each told as one."""

import codecs
import csv
import io
import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

import duckdb

from retention_kit.errors import DataError, UsageError, listed, shown, unopened
from retention_kit.ingest.expressions import literal
from retention_kit.ingest.sources import READABLE
from retention_kit.ingest.tables import TABLES, Column, Kind

_SAMPLE_BYTES, _SAMPLE_ROWS = 1 << 20, 2000
_BOMS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_SEPARATORS = (";", ",", "\t", "|")

_NAMES: dict[str, tuple[str, ...]] = {
    "order_id": (
        *("orderid", "orderno", "ordernumber", "order", "invoiceno", "invoiceid", "invoice", "transactionid"),
        *("ordernummer", "bestelnummer", "factuurnummer", "bestelling", "ordrenummer", "ordrenr", "fakturanr"),
        *("fakturanummer", "comanda", "nrcomanda", "numarcomanda", "factura", "nrfactura", "bestellnummer"),
    ),
    "customer_id": (
        *("customerid", "customerno", "customernumber", "customer", "clientid", "userid", "buyerid"),
        *("klantnummer", "klantid", "klantnr", "klant", "kundenummer", "kundenr", "kundeid", "kunde"),
        *("client", "idclient", "codclient", "nrclient", "kundennummer"),
    ),
    "market": (
        *("market", "country", "countrycode", "billingcountry", "shippingcountry", "region"),
        *("land", "landcode", "landkode", "marked", "markt", "tara", "codtara", "piata"),
    ),
    "ordered_at": (
        *("orderedat", "orderdate", "invoicedate", "date", "createdat", "purchasedate", "datetime", "timestamp"),
        *("besteldatum", "orderdatum", "datum", "factuurdatum", "ordredato", "dato", "fakturadato", "tidspunkt"),
        *("data", "datacomanda", "datacomenzii", "datafactura", "bestelldatum"),
    ),
    "amount": (
        *("amount", "total", "value", "ordertotal", "revenue", "price", "totalamount", "grandtotal", "netamount"),
        *("bedrag", "totaal", "totaalbedrag", "orderbedrag", "omzet", "belob", "belb", "ordrebelob", "totalbelob"),
        *("suma", "valoare", "valoarecomanda", "pret", "betrag", "gesamtbetrag", "umsatz"),
    ),
    "currency": ("currency", "currencycode", "valuta", "munt", "muntsoort", "moneda", "valutakode", "waehrung"),
    "refunded_amount": (
        *("refundedamount", "refund", "refundamount", "terugbetaald", "retourbedrag", "refunderet"),
        *("refunderetbelob", "sumarambursata", "rambursat", "erstattet"),
    ),
    "refunded_at": ("refundedat", "refunddate", "retourdatum", "refunderetdato", "datarambursarii"),
    "cancelled": ("cancelled", "canceled", "geannuleerd", "annulleret", "anulat", "anulata", "storniert"),
    "discount_amount": ("discount", "discountamount", "korting", "rabat", "reducere", "rabatt"),
    "coupon": ("coupon", "voucher", "kortingscode", "rabatkode", "cupon", "gutschein"),
    "channel": ("channel", "kanaal", "kanal", "canal"),
    "payment_method": ("paymentmethod", "betaalmethode", "betaalwijze", "betalingsmetode", "metodaplata"),
    "promised_at": ("promisedat", "promiseddate", "beloofdedatum", "lovetdato"),
    "delivered_at": ("deliveredat", "deliverydate", "leverdatum", "leveringsdato", "datalivrarii"),
    "campaign": ("campaign", "campagne", "kampagne", "campanie"),
}
"""Names that columns of orders have in English, Dutch, Danish, Romanian, German; folded to letters a to z."""

_DATES = {
    "%Y-%m-%d": "day", "%d-%m-%Y": "day first", "%d/%m/%Y": "day first", "%d.%m.%Y": "day first",
    "%m/%d/%Y": "month first", "%m-%d-%Y": "month first", "%Y/%m/%d": "day", "%Y%m%d": "day",
    "%d-%m-%y": "day first", "%d.%m.%y": "day first", "%m/%d/%y": "month first",
}  # fmt: skip
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H.%M")


@dataclass(frozen=True)
class _Seen:
    """The first rows of a file, as they look: how it is written, its columns, values by column."""

    written: Mapping[str, str]
    values: Mapping[str, Sequence[str]]
    typed: Mapping[str, str]
    notes: Sequence[str] = ()


def propose(path: str | Path) -> str:
    """Return the text of a profile for a file of orders: guesses to be read and corrected, not to be trusted.

    Guessed from the first rows: encoding, separator, decimal, date format, and which column is which by its
    name in English, Dutch, Danish, Romanian or German. What could as well be otherwise is said in a comment.

    Raises
    ------
    UsageError, DataError : no such file, an empty one, or one of a kind that cannot be read.
    """
    path = Path(path)
    if path.is_dir():
        raise UsageError(
            f"'{shown(path.resolve().name)}' is a folder.",
            found=listed(sorted(file.name for file in path.iterdir() if not file.name.startswith("."))),
            to_try="one file: --file path/to/orders.csv; or --data for a folder of tables",
        )
    if not path.is_file():
        there = sorted(file.name for file in path.parent.glob("*")) if path.parent.is_dir() else []
        raise UsageError(f"There is no file '{path.name}'.", found=listed(there), to_try="check the path")
    if not path.name.endswith(READABLE) or path.name.endswith(".gz"):
        raise UsageError(f"{path.name} is of a kind that no profile is proposed for.", to_try="Parquet or .csv")
    try:
        path.open("rb").close()
    except OSError as why:
        raise unopened(path.name, why, error=UsageError) from why
    if path.stat().st_size == 0:
        raise DataError(f"{path.name} is empty.", to_try="export it again")
    seen = _seen_parquet(path) if path.suffix in (".parquet", ".pq") else _seen_text(path)
    return _toml(path, seen, _matched(seen))


def _seen_parquet(path: Path) -> _Seen:
    try:
        with duckdb.connect() as connection:
            described = connection.execute("DESCRIBE FROM read_parquet(?)", [str(path)]).fetchall()
            columns = ", ".join('CAST("' + name.replace('"', '""') + '" AS VARCHAR)' for name, *_ in described)
            rows = connection.execute(f"SELECT {columns} FROM read_parquet(?) LIMIT {_SAMPLE_ROWS}", [str(path)])
            values = list(zip(*rows.fetchall(), strict=True)) or [() for _ in described]
    except duckdb.Error as why:
        raise DataError(
            f"{path.name} cannot be read as Parquet.",
            found=f"{path.stat().st_size:,} bytes, damaged or another format",
            to_try="export it again; a text file must end in .csv",
        ) from why
    names = [name for name, *_ in described]
    return _Seen(
        {},
        {n: [v for v in column if v] for n, column in zip(names, values, strict=True)},
        {name: type_ for name, type_, *_ in described},
    )


def _seen_text(path: Path) -> _Seen:
    with path.open("rb") as file:
        start = file.read(_SAMPLE_BYTES)
    encoding, notes = _encoding(start, whole=len(start) < _SAMPLE_BYTES)
    text = codecs.getincrementaldecoder(encoding)("replace").decode(start).removeprefix("\ufeff")
    text = re.sub(r'\A"?sep=.\"?\r?\n', "", text)
    lines = text.splitlines()[: None if len(start) < _SAMPLE_BYTES else -1]
    try:
        separator = max(_SEPARATORS, key=lambda mark: _agreement(lines, mark))
        rows = list(islice(csv.reader(io.StringIO("\n".join(lines)), delimiter=separator), _SAMPLE_ROWS + 1))
    except csv.Error:  # one field that goes on for 131,072 characters
        rows = []
    if not rows:
        raise DataError(
            f"{path.name} has no rows that can be told apart.",
            found=f"{path.stat().st_size:,} bytes, in which one field never ends, or no line",
            to_try="a text with names of columns in the first line, a row a line, and every quote closed",
        )
    header = [name.strip() for name in rows[0]]
    full = [row for row in rows[1:] if len(row) == len(header)]
    values = {name: [row[i].strip() for row in full if row[i].strip()] for i, name in enumerate(header)}
    return _Seen({"encoding": encoding, "separator": separator}, values, {}, notes)


def _encoding(start: bytes, *, whole: bool) -> tuple[str, list[str]]:
    """Return the encoding the bytes look like, and what makes it doubtful."""
    for mark, encoding in _BOMS.items():
        if start.startswith(mark):
            return encoding, []
    if start[1::2][:200].count(0) > len(start[1::2][:200]) / 2:
        return "utf-16-le", []
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start, final=whole)
    except UnicodeDecodeError:
        doubt = "not UTF-8: cp1252 is Western Excel's; Romanian and other Central European Excel writes cp1250"
        return "cp1252", [doubt]
    return "utf-8", []


def _agreement(lines: Sequence[str], separator: str) -> tuple[int, int]:
    """Return how many rows have as many columns as the header, if it has several; and how many columns."""
    rows = list(islice(csv.reader(lines, delimiter=separator), 200))
    width = len(rows[0]) if rows else 0
    return (sum(len(row) == width for row in rows) if width > 1 else 0, width)


def _matched(seen: _Seen) -> dict[str, str]:
    """Return the file's column by the kit's column, by name."""
    folded = {name: _folded(name) for name in seen.values}
    matched: dict[str, str] = {}
    for column, names in _NAMES.items():
        exact = [name for known in names for name, letters in folded.items() if letters == known]
        free = [name for name in exact if name not in matched.values()]
        if free:
            matched[column] = free[0]
    return matched


def _folded(name: str) -> str:
    plain = name.casefold().replace("ø", "o").replace("æ", "ae").replace("å", "a").replace("ß", "ss")
    plain = unicodedata.normalize("NFKD", plain)
    return re.sub(r"[^a-z]", "", plain)


def _decimal(values: Sequence[str]) -> dict[str, str]:
    """Return decimal and thousands as the amounts are written."""
    comma = sum(bool(re.search(r"\d,\d{1,2}$|\.\d{3},", value)) for value in values)
    point = sum(bool(re.search(r"\d\.\d{1,2}$|,\d{3}\.", value)) for value in values)
    decimal = "," if comma > point else "."
    other = "." if decimal == "," else ","
    for thousands in (other, " ", "\u00a0", "\u202f", "'"):
        if any(re.search(rf"\d{re.escape(thousands)}\d{{3}}(\D|$)", value) for value in values):
            return {"decimal": decimal, "thousands": thousands}
    return {"decimal": decimal}


def _date_formats(values: Sequence[str]) -> list[str]:
    """Return the formats that read every value, day first before month first; empty where ISO 8601 does."""
    iso = r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?( ?(Z|[+-]\d{2}:?\d{2}))?)?"
    if not values or all(re.fullmatch(iso, value) for value in values):
        return []
    formats = [day + clock for clock in _CLOCKS for day in _DATES]
    return [text for text in formats if all(_reads(value, text) for value in values[:500])]


def _reads(value: str, text: str) -> bool:
    try:
        return 1900 < datetime.strptime(value, text).year < 2200
    except ValueError:
        return False


def _toml(path: Path, seen: _Seen, matched: Mapping[str, str]) -> str:
    name = shown(path.name)
    lines = [
        f"# Proposed for {name} from its first rows. Every line is a guess: read it, correct it, keep it as",
        "# data/sources/<name>.toml.",
        f"title = {_string(path.stem)}",
        'markets = "markets.toml"',
        "",
        "[orders]",
        f"file = {_string(str(path.resolve()))}",
    ]
    lines += [f"# {note}" for note in seen.notes]
    lines += [f"{key} = {_string(value)}" for key, value in seen.written.items()]
    lines += _how_written(seen, matched)
    lines += ["", "[orders.columns]"]
    lines += [_column_line(column, seen, matched) for column in TABLES["orders"]]
    state = None if "cancelled" in matched else _state(seen, matched)
    lines += [_state_line(*state)] if state else []
    left = [name for name in seen.values if name not in matched.values() and not (state and name == state[0])]
    lines += [f"# not used: {_plain(listed(left, most=30))}"] if left else []
    return "\n".join(line for line in lines if line is not None) + "\n"


def _how_written(seen: _Seen, matched: Mapping[str, str]) -> list[str]:
    """Return the lines on numbers, dates, zone and currency."""
    lines = []
    if not seen.typed:
        amounts = seen.values.get(matched.get("amount", ""), [])
        lines += [f"{key} = {_string(value)}" for key, value in _decimal(amounts).items()]
        lines += _date_lines(seen.values.get(matched.get("ordered_at", ""), []))
    lines += ['# "UTC" where times carry an offset or are UTC; a zone\'s name where one clock ruled them all']
    lines += ['time_zone = "market"']
    if "currency" not in matched:
        lines += ['# currency = "EUR"  # no column looks like it: say which one all amounts are in']
    ids = seen.values.get(matched.get("order_id", ""), [])
    if len(set(ids)) < len(ids):
        lines += ["# an order_id comes more than once: the rows look like order lines", "group_by_order = true"]
    return lines


def _date_lines(values: Sequence[str]) -> list[str]:
    formats = _date_formats(values)
    if not formats:
        iso = all(re.match(r"\d{4}-\d{2}-\d{2}", value) for value in values)
        return [] if iso else ['# date_format = "%d-%m-%Y"  # the dates look like none of the usual formats']
    orders = {_DATES[text.split(" ")[0]] for text in formats}
    doubt = []
    if {"day first", "month first"} <= orders:
        doubt = ["# day first or month first? no date in the first rows tells: ask who exported it"]
    return [*doubt, f"date_format = {_string(formats[0])}"]


def _column_line(column: Column, seen: _Seen, matched: Mapping[str, str]) -> str | None:
    name = matched.get(column.name)
    if name is not None and column.kind is Kind.FLAG and (yes := _yes(seen.values[name])):
        return f"{column.name} = {_string(_is_one_of(name, yes))}"
    if name is not None:
        return f"{column.name} = {_string(_identifier(name))}"
    if not column.required or column.name == "currency":
        return None
    if column.name == "amount" and (product := _product(seen)):
        return f"amount = {_string(product)}"
    if column.kind is Kind.MARKET:
        return f"# {column.name} = \"'NL'\"  # no column looks like it: one market for all rows, or a column"
    if column.name == "order_id":
        return 'order_id = "file_row_number"  # no column looks like it: each row is taken as an order'
    return f'# {column.name} = "?"  # no column looks like it: {_plain(listed(seen.values, most=30))}'


def _state(seen: _Seen, matched: Mapping[str, str]) -> tuple[str, list[str], list[str]] | None:
    """Return a column of few values of which some say that an order was cancelled, with those and all values."""
    for name, values in seen.values.items():
        different = sorted(set(values))
        cancelled = [value for value in different if re.match(_CANCELLED, _folded(value))]
        if name not in matched.values() and cancelled and 1 < len(different) <= _MOST_STATES:
            return name, cancelled, different
    return None


def _state_line(name: str, cancelled: Sequence[str], different: Sequence[str]) -> str:
    expression = _string(_is_one_of(name, cancelled))
    return f"# cancelled = {expression}  # its values: {_plain(listed(different))}; drop the # if it is so"


def _yes(values: Sequence[str]) -> list[str]:
    """Return the values that say yes where true and false are written as words of a language; else none."""
    words = {value: _folded(value) for value in sorted(set(values))}
    if not set(words.values()) <= _YES | _NO:
        return []
    return [value for value, word in words.items() if word in _YES]


def _is_one_of(name: str, values: Sequence[str]) -> str:
    """Return SQL, whether a column has one of the values."""
    texts = [literal(value) for value in values]
    column = _identifier(name)
    return f"{column} = {texts[0]}" if len(texts) == 1 else f"{column} IN ({', '.join(texts)})"


def _product(seen: _Seen) -> str | None:
    """Return quantity × unit price, where a typed file has both and no amount."""
    by_letters = {_folded(name): name for name in seen.typed}
    prices = [by_letters[letters] for letters in ("unitprice", "stukprijs", "stykpris") if letters in by_letters]
    counts = [by_letters[letters] for letters in ("quantity", "aantal", "antal") if letters in by_letters]
    return f"{_identifier(counts[0])} * {_identifier(prices[0])}" if prices and counts else None


def _identifier(name: str) -> str:
    plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) and name.upper() not in _KEYWORDS
    return name if plain else '"' + name.replace('"', '""') + '"'


_KEYWORDS = {"ORDER", "GROUP", "SELECT", "FROM", "WHERE", "TABLE", "USER", "TO", "END", "DESC", "ASC", "LIMIT"}


def _string(text: str) -> str:
    """Return a text as TOML writes it; what cannot be seen is spelled out."""
    written = json.dumps(text, ensure_ascii=False)
    return "".join(letter if shown(letter) == letter else _spelled(letter) for letter in written)


def _spelled(letter: str) -> str:
    return f"\\u{ord(letter):04x}" if ord(letter) < 1 << 16 else f"\\U{ord(letter):08x}"


_YES = {"ja", "yes", "y", "j", "da", "oui", "si", "sim"}
_NO = {"nee", "nej", "no", "n", "nein", "nu", "non", "nao"}
_CANCELLED = r"(ge|order|bestelling)?(cancel|kansel|annul|anul|storn|afbest|avbest)"
_MOST_STATES = 12


def _plain(text: str) -> str:
    return re.sub(r"[\x00-\x1f\"\\]", " ", text)
