import math

import pandas as pd

from retention_kit.metrics import (
    average_order_value,
    purchase_frequency,
    repeat_customer_rate,
    repeat_customer_rate_by_days,
)

# October: 4 customers, one with two orders of one day, one with orders on two days; 6 orders, 129.50 net.
# November: nobody. December is not over.
COUNTS = pd.DataFrame(
    {
        "market": "DK",
        "grain": "month",
        "period": [24297, 24298, 24299],
        "complete": [1, 1, 0],
        "first_day": [19997, 20028, 20058],
        "next_day": [20028, 20058, 20089],
        "n_customers": [4, 0, 3],
        "n_repeat_customers": [2, 0, 1],
        "n_repeat_customers_by_days": [1, 0, 1],
        "n_orders": [6, 0, 4],
        "revenue_minor": [12950, 0, 400],
    }
)


def first_and_second(table: pd.DataFrame, name: str) -> tuple[float, bool, int]:
    return table[name][0], math.isnan(table[name][1]), len(table)


def test_order_value_is_net_revenue_over_orders_in_units_of_the_currency():
    found = average_order_value.frame(COUNTS, minor_per_unit=100)
    assert first_and_second(found, "average_order_value") == (129.50 / 6, True, 2)
    assert average_order_value.frame(COUNTS, minor_per_unit=1)["average_order_value"][0] == 12950 / 6


def test_frequency_is_orders_per_customer_and_says_over_how_many_days():
    found = purchase_frequency.frame(COUNTS)
    assert first_and_second(found, "purchase_frequency") == (6 / 4, True, 2)
    assert found["n_days"].tolist() == [31, 30]


def test_repeat_customers_by_orders_and_by_days_differ_by_orders_of_one_day():
    assert first_and_second(repeat_customer_rate.frame(COUNTS), "repeat_customer_rate") == (2 / 4, True, 2)
    assert first_and_second(repeat_customer_rate_by_days.frame(COUNTS), "repeat_customer_rate_by_days") == (
        1 / 4,
        True,
        2,
    )
