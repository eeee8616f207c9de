from decimal import Decimal
from pathlib import Path

import pytest

from retention_kit.config import Lifespan, Markets, data_root, markets_of, project_root, read_markets, store_root
from retention_kit.errors import ConfigError, UsageError

DENMARK = {"name": "Denmark", "languages": ["da-DK"], "currency": "DKK", "time_zone": "Europe/Copenhagen"}


def market(**facts):
    return markets_of({"DK": DENMARK | facts}, where="markets.toml")["DK"]


def error_of(tables) -> str:
    with pytest.raises(ConfigError) as error:
        markets_of(tables, where="markets.toml")
    assert error.value.exit_code == 2
    return str(error.value)


def written(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "markets.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def file_error(path: Path) -> str:
    with pytest.raises(ConfigError) as error:
        read_markets(path)
    return str(error.value)


def test_a_market_is_what_is_declared_and_nothing_is_derived_from_its_code():
    found = market(lifespan={"value": 10, "unit": "month"}, gross_margin=0.4, acquisition_cost="13.50")
    assert found.lifespan == Lifespan(value=10, unit="month")
    assert found.acquisition_cost == Decimal("13.50")
    assert (found.activity_window_days, found.week_start, found.digits, found.minor_per_unit) == (90, "monday", 2, 100)
    assert found.zone.key == "Europe/Copenhagen"


@pytest.mark.parametrize(
    ("facts", "minor_per_unit"),
    [({"currency": "JPY"}, 1), ({"currency": "KWD"}, 1000), ({"currency": "EUR", "minor_digits": 4}, 10_000)],
)
def test_money_is_counted_in_the_minor_units_of_its_currency(facts, minor_per_unit):
    assert market(**facts).minor_per_unit == minor_per_unit


def test_defaults_are_shared_by_all_markets_and_each_may_say_otherwise():
    tables = {"defaults": {"activity_window_days": 60}, "DK": DENMARK}
    tables["NO"] = DENMARK | {"name": "Norway", "currency": "NOK", "activity_window_days": 30}
    found = markets_of(tables, where="markets.toml")
    assert [found[code].activity_window_days for code in found] == [60, 30]


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({"curency": "DKK"}, "unknown key 'curency'\n  try:   'currency'"),
        (
            {"currency": "DKKK"},
            "'currency': 'DKKK' is not a currency of ISO 4217: did you mean 'DKK'?\n  try:   correct 'currency'",
        ),
        (
            {"time_zone": "Europe/Kopenhagen"},
            "'time_zone': 'Europe/Kopenhagen' is not a time zone: did you mean 'Europe/Copenhagen'?\n"
            "  try:   correct 'time_zone'",
        ),
        (
            {"languages": ["danish!"]},
            "'languages': 'danish!' is not a language, such as 'nl-NL' or 'zh-Hans-CN'\n  try:   correct 'languages'",
        ),
        (
            {"gross_margin": 42},
            "'gross_margin': Input should be less than or equal to 1\n  try:   correct 'gross_margin'",
        ),
        (
            {"gross_margin": float("nan")},
            "'gross_margin': Input should be a finite number\n  try:   correct 'gross_margin'",
        ),
        (
            {"activity_window_days": "90"},
            "'activity_window_days': Input should be a valid integer\n  try:   correct 'activity_window_days'",
        ),
        (
            {"lifespan": {"value": 10, "unit": "months"}},
            "'lifespan.unit': Input should be 'week', 'month', 'quarter' or 'year'\n  try:   correct 'lifespan.unit'",
        ),
        (
            {"lifespan": {"value": float("inf"), "unit": "year"}},
            "'lifespan.value': Input should be a finite number\n  try:   correct 'lifespan.value'",
        ),
        (
            {"lifespan": {"value": 10, "unit": "month", "units": "month"}},
            "unknown key 'lifespan.units'\n  try:   'lifespan.unit'",
        ),
    ],
)
def test_what_cannot_be_is_told_with_the_near_miss(facts, text):
    told = error_of({"DK": DENMARK | facts})
    assert told == f"markets.toml [DK] cannot be read as written.\n  found: {text}"


def test_every_mistake_of_a_market_is_told_at_once():
    assert error_of({"DK": {"nme": "Denmark", "languages": ["da"], "currency": "DKK", "time_zone": "Mars"}}) == (
        "markets.toml [DK] cannot be read as written.\n"
        "  found: no 'name'\n"
        "         'time_zone': 'Mars' is not a time zone\n"
        "         unknown key 'nme'\n"
        "  try:   add 'name'\n"
        "         correct 'time_zone'\n"
        "         'name'"
    )


@pytest.mark.parametrize("code", ["dk", "D", "ALL", "../DK", "DK NL"])
def test_a_code_that_could_not_name_a_file_is_refused(code):
    assert error_of({code: DENMARK}) == (
        f"markets.toml [{code}] cannot be read as written.\n"
        f"  found: 'code': a market's code is 2 to 16 of A-Z, 0-9 and -, and not 'ALL', not '{code}'\n"
        "  try:   correct 'code'"
    )


def test_a_code_is_the_name_of_the_table_and_is_not_stated_again():
    assert error_of({"DK": DENMARK | {"code": "NL"}}) == (
        "markets.toml [DK] states a code.\n  found: code\n  try:   leave it out: the code is the table's name, DK"
    )


def test_a_market_that_is_no_table_is_told():
    assert error_of({"DK": "Denmark"}) == (
        "markets.toml: 'DK' is not a table.\n  try:   [DK], and under it name, languages, …"
    )


def test_two_markets_of_one_name_are_refused():
    assert error_of({"DK": DENMARK, "NO": DENMARK | {"name": "Norway", "aliases": ["Denmark"]}}) == (
        "markets.toml: 'Denmark' names two markets.\n"
        "  found: 'DK', 'NO'\n"
        "  try:   give each market its own name and aliases"
    )


def test_no_market_at_all_is_told():
    assert error_of({}) == (
        "markets.toml declares no market.\n"
        "  try:   add a table such as [NL] with name, languages, currency and time_zone"
    )


@pytest.mark.parametrize("table", ["DK", "markets.DK"])
def test_two_markets_of_one_code_are_refused(tmp_path, table):
    assert file_error(written(tmp_path, f"[{table}]\n[{table}]\n")) == (
        "markets.toml declares 'DK' twice.\n  try:   give each market its own code"
    )


def test_a_file_that_is_no_toml_names_the_line(tmp_path):
    told = file_error(written(tmp_path, '[DK]\nname = "Denmark\n'))
    assert told.startswith("markets.toml is not valid TOML.\n  found: ")
    assert "line 2" in told
    assert told.endswith("\n  try:   mend that line")


def test_a_file_in_another_encoding_is_told(tmp_path):
    path = written(tmp_path, '[RO]\nname = "România"\n'.encode("cp1250"))
    assert file_error(path) == "markets.toml is not UTF-8 text.\n  try:   save it as UTF-8"


def test_a_file_that_is_not_there_names_those_beside_it(tmp_path):
    written(tmp_path, "")
    assert file_error(tmp_path / "market.toml") == (
        "There is no file 'market.toml'.\n  found: 'markets.toml'\n  try:   check the path"
    )


@pytest.mark.parametrize(("asked", "meant"), [("DKK", "DK"), ("Danmark", "DK"), ("denmark", "DK")])
def test_an_unknown_market_names_the_near_miss_by_code_or_name(asked, meant):
    markets = markets_of({"DK": DENMARK}, where="markets.toml")
    assert isinstance(markets, Markets)
    with pytest.raises(UsageError) as error:
        markets[asked]
    assert str(error.value) == f"There is no market '{asked}'.\n  found: 'DK'\n  try:   '{meant}'"


def test_the_project_is_found_upwards_or_by_its_name(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "data" / "markets.toml").write_text("", encoding="utf-8")
    monkeypatch.delenv("RETENTION_KIT_PROJECT", raising=False)
    monkeypatch.chdir(tmp_path / "notebooks")
    assert project_root() == tmp_path.resolve()
    monkeypatch.setenv("RETENTION_KIT_PROJECT", str(tmp_path / "notebooks"))
    with pytest.raises(UsageError) as error:
        project_root()
    assert str(error.value) == (
        "No project here: there is no data/markets.toml in this folder or above it.\n"
        "  try:   run it inside the project, or set RETENTION_KIT_PROJECT to the project's folder"
    )


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Leave the project for a folder that is in none."""
    monkeypatch.delenv("RETENTION_KIT_PROJECT", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_project_s_data_are_read_and_its_counts_kept_in_it(elsewhere):
    (elsewhere / "data").mkdir()
    (elsewhere / "data" / "markets.toml").write_text("", encoding="utf-8")
    assert data_root() == elsewhere.resolve()
    assert store_root() == elsewhere.resolve() / "reports"


def test_without_a_project_the_kit_s_own_data_are_read_and_counts_kept_in_the_user_s_cache(elsewhere, monkeypatch):
    monkeypatch.setattr("retention_kit.config.user_cache_path", lambda name, *, appauthor: elsewhere / "cache" / name)
    assert (data_root() / "data" / "sample" / "orders.parquet").is_file()
    assert (data_root() / "notebooks" / "market_report.ipynb").is_file()
    assert store_root() == elsewhere / "cache" / "retention-kit"


def test_what_a_wheel_brings_is_read_and_is_nobody_s_project(elsewhere, monkeypatch):
    bundled = elsewhere.resolve() / "package" / "project"
    (bundled / "data").mkdir(parents=True)
    (bundled / "data" / "markets.toml").write_text("", encoding="utf-8")
    monkeypatch.setattr("retention_kit.config.BUNDLED", bundled)
    monkeypatch.chdir(bundled)
    assert data_root() == bundled
    with pytest.raises(UsageError, match="No project here"):
        project_root()


@pytest.mark.parametrize("root", [data_root, store_root])
def test_a_project_that_is_named_and_is_none_is_told(root, elsewhere, monkeypatch):
    monkeypatch.setenv("RETENTION_KIT_PROJECT", str(elsewhere))
    with pytest.raises(UsageError, match="No project here"):
        root()
