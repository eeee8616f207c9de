"""Coverage by simulation, sized to run in seconds; `python tests/metrics/simulation.py` runs a thousand markets."""

import numpy as np
import pytest
from simulation import cohorts, simulated

from retention_kit.metrics.changes import where_it_changed

pytestmark = pytest.mark.xdist_group("coverage")  # markets are simulated once, not once by each worker


@pytest.fixture(scope="module")
def found():
    return simulated(200, seed=20)


def test_intervals_of_small_markets_cover_what_they_should(found):
    # of 4,000 and of 200 draws: 95 % ± 3 standard errors, and within the 93 to 97 % that are asked for
    assert 0.94 < found.wilson < 0.96
    assert 0.90 < found.newcombe < 0.99
    assert 0.90 < found.money < 0.99


def test_pooled_shares_come_nearer_to_the_truth_than_raw_ones(found):
    assert found.error_pooled < 0.9 * found.error_raw


def test_markets_that_do_not_differ_raise_an_alarm_in_at_most_one_run_of_twenty(found):
    assert found.any_alarm_holm <= 0.08
    assert found.any_alarm_bh <= 0.08
    assert found.any_reading <= 0.15


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_was_put_into_a_table_of_cohorts_is_read_there(seed):
    random = np.random.default_rng(seed)

    def outage(cohort: int, age: int) -> float:
        return 0.3 if cohort + age == 20 else 1.0

    def newcomers(cohort: int, age: int) -> float:
        return 0.45 if cohort >= 17 else 1.0

    def one_age(cohort: int, age: int) -> float:
        return 0.2 if age == 3 and cohort >= 12 else 1.0

    readings = [
        where_it_changed(cohorts(random, size=600, share=share), grain="month")
        for share in (outage, newcomers, one_age)
    ]
    assert [(reading.kind, reading.at) for reading in readings] == [("period", 20), ("cohorts", 17), ("age", 3)]
    assert all(reading.upper < 1 for reading in readings)
