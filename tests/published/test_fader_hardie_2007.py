"""Fader & Hardie (2007), J. Interactive Marketing 21(1): two segments of subscribers, fitted on seven renewals."""

import pandas as pd
import pytest

from retention_kit.errors import MetricError
from retention_kit.models import fit_sbg


def life_table(shared, segment: str, *, renewals: int) -> pd.DataFrame:
    table = pd.read_csv(shared / "published" / "fader_hardie_2007_survival.csv")
    alive = table.set_index(table.columns[0])[segment].loc[:renewals]
    alive = (alive * (1000 / alive.iloc[0])).round()
    rows = pd.DataFrame({"duration": range(1, renewals + 1), "n_ended": -alive.diff().dropna().to_numpy()})
    return rows.assign(n_running=[0] * (renewals - 1) + [alive.iloc[-1]])


@pytest.mark.parametrize(("segment", "alpha", "beta"), [("high_end", 0.668, 3.806), ("regular", 0.704, 1.182)])
def test_parameters_are_those_of_the_paper(shared, segment, alpha, beta):
    model = fit_sbg(life_table(shared, segment, renewals=7))
    assert (round(model.alpha, 3), round(model.beta, 3)) == (alpha, beta)


def test_high_end_survival_of_years_8_to_12_is_that_of_the_paper(shared):
    model = fit_sbg(life_table(shared, "high_end", renewals=7))
    assert [round(float(share), 3) for share in model.survival([8, 9, 10, 11, 12])] == [
        0.460,
        0.436,
        0.414,
        0.395,
        0.378,
    ]


def test_one_constant_churn_rate_predicts_far_fewer_survivors(shared):
    table = life_table(shared, "high_end", renewals=7)
    first_year_churn = table["n_ended"].iloc[0] / 1000
    assert (1 - first_year_churn) ** 12 < 0.25 < fit_sbg(table).survival(12)


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ({"duration": [1], "n_ended": [0], "n_running": [9]}, "Nobody has ended: there is no rate to learn from."),
        ({"duration": [0], "n_ended": [3], "n_running": [9]}, "A life table has durations from 1 and counts from 0."),
    ],
)
def test_impossible_life_tables_are_refused(rows, text):
    with pytest.raises(MetricError) as error:
        fit_sbg(pd.DataFrame(rows))
    assert error.value.what == text
