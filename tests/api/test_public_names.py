"""The public names: few, lazily imported, documented; a wrong one names the near miss."""

import inspect
import subprocess
import sys

import pytest

import retention_kit as rk
from retention_kit.errors import UsageError


def test_the_names_are_few_and_all_there():
    assert len(rk.__all__) <= 26
    assert all(getattr(rk, name) is not None for name in rk.__all__)
    assert set(rk.__all__) <= set(dir(rk))


def test_importing_it_imports_nothing_heavy():
    heavy = "{'pandas', 'duckdb', 'scipy', 'pydantic', 'matplotlib'}"
    code = f"import sys, retention_kit; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_wrong_name_names_the_near_miss(denmark):
    with pytest.raises(AttributeError, match=r"retention_kit has no 'opne'. Did you mean 'open'\?"):
        _ = rk.opne
    with pytest.raises(AttributeError, match=r"A market has no 'retenton'. Did you mean 'retention'\?"):
        _ = denmark.retenton


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        (lambda shop: shop.market("DX"), "There is no market 'DX'."),
        (lambda shop: shop["DK"].cohorts("months"), "There is no grain 'months'."),
        (lambda shop: shop["DK"].cohorts(kind="rolling"), "There is no kind of retention 'rolling'."),
        (lambda shop: shop["DK"].retention_rate(rule="engaged"), "There is no activity rule 'engaged'."),
        (lambda shop: shop["DK"].counts("cohort_count"), "There is no counts table 'cohort_count'."),
        (lambda shop: shop["DK"].returned("payment"), "There is no cut 'payment'."),
        (lambda shop: shop["DK"].returned(within=45), "Second orders are not counted within 45 days."),
        (lambda shop: shop.window(0), "An activity window of 0 is none."),
        (lambda shop: shop.compare("clv_simple"), "'clv_simple' is no share of customers."),
        (lambda shop: shop.at("soon"), "as_of 'soon' is neither a date nor an instant with an offset."),
    ],
)
def test_what_cannot_be_asked_is_refused_with_what_can(shop, asked, text):
    with pytest.raises(UsageError) as why:
        asked(shop)
    assert str(why.value).startswith(text)
    assert "try:" in str(why.value) or "found:" in str(why.value)


def test_a_shop_without_a_day_asks_for_one(thirty_lines):
    with pytest.raises(UsageError, match="name no as_of, and none is given"):
        rk.open(thirty_lines, market="SE", currency="SEK", time_zone="Europe/Stockholm")


def test_frozen_settings_say_how_to_change_them(shop):
    with pytest.raises(AttributeError, match=r"shop\.at\(day\)"):
        shop.as_of = "2025-01-01"


def test_every_public_method_is_documented():
    for thing in (rk.Shop, rk.Market, rk.Table):
        for name, member in inspect.getmembers(thing):
            if not name.startswith("_") and (callable(member) or isinstance(member, property)):
                assert inspect.getdoc(member), f"{thing.__name__}.{name}"


def test_the_module_is_the_command():
    told = subprocess.run([sys.executable, "-m", "retention_kit", "--help"], capture_output=True, text=True, check=True)
    assert "Customer retention, market by market." in told.stdout
