"""Sheets to look at: the sample's Denmark, and markets with awkward names."""

from collections.abc import Iterator
from dataclasses import replace

import company
import matplotlib as mpl
import pytest

from retention_kit.metrics import Sheet
from retention_kit.present import figures


@pytest.fixture
def house_style() -> Iterator[None]:
    """Draw in the house style, and leave matplotlib as it was."""
    with mpl.rc_context():
        figures.house_style()
        yield


@pytest.fixture(scope="session")
def denmark(sample_counts) -> Sheet:
    """Return the sheet of the sample's Denmark."""
    return company.sheet_of(sample_counts.of("DK"))


@pytest.fixture(params=["<script>alert(1)</script>", "$x_1$", r"C:\new\1", '" onload="alert(1)', "a & b"])
def awkward(request) -> str:
    """Return a name that would do harm where it is taken for markup, mathematics or a pattern."""
    return request.param


@pytest.fixture
def awkward_sheet(denmark: Sheet, awkward: str) -> Sheet:
    """Return a sheet of a market with an awkward name, and customers paying in an awkward way."""
    returned = denmark.tables["returned"]
    paid = returned.assign(value=returned["value"].where(returned["value"] != "card", awkward))
    market = denmark.market.model_copy(update={"name": awkward})
    return replace(denmark, market=market, tables={**denmark.tables, "returned": paid})
