"""What a customer is worth, the simple way: order value × frequency × lifespan, with units that must fit.

One constant churn rate for everybody is a strong assumption: it predicts 0.4 % alive at year 12 where
39.4 % were (Fader & Hardie 2007, "High End"). The number is a seed, not a forecast.
"""

from dataclasses import dataclass

from retention_kit.config import Lifespan
from retention_kit.errors import MetricError
from retention_kit.messages import N_
from retention_kit.metrics.registry import metric

_PER_YEAR = {"week": 365.25 / 7, "month": 12.0, "quarter": 4.0, "year": 1.0}


@dataclass(frozen=True)
class Frequency:
    """Orders per customer in one `per`: a week, month, quarter or year."""

    value: float
    per: str


def lifespan_from_churn(churn_rate: float, *, per: str) -> Lifespan | None:
    """Return 1 / churn, in the period that the churn rate is of; None where nobody left.

    >>> lifespan_from_churn(0.25, per="quarter").value
    4.0
    """
    if not 0 <= churn_rate <= 1:
        raise MetricError("A churn rate is a share.", found=f"{churn_rate}", to_try="a number from 0 to 1")
    return Lifespan(value=1 / churn_rate, unit=per) if churn_rate > 0 else None


def lifespan_in(lifespan: Lifespan, *, unit: str) -> Lifespan:
    """Return the same lifespan in another unit.

    >>> lifespan_in(Lifespan(value=30, unit="month"), unit="year").value
    2.5
    """
    return Lifespan(value=lifespan.value / _PER_YEAR[lifespan.unit] * _PER_YEAR[unit], unit=unit)


@metric(
    unit="currency per customer",
    range=(0, None),
    source="by definition: AOV × frequency × lifespan × margin",
    label=N_("Customer lifetime value (simple)"),
)
def clv_simple(
    average_order_value: float, *, frequency: Frequency, lifespan: Lifespan, gross_margin: float | None = None
) -> float:
    """Average order value × purchase frequency × customer lifespan, × gross margin where given.

    Parameters
    ----------
    average_order_value : units of currency per order.
    frequency : orders per customer, in the unit of the lifespan.
    lifespan : how long a customer stays.
    gross_margin : share of revenue left after the cost of goods; None leaves revenue.

    Raises
    ------
    MetricError : the frequency is per another unit than the lifespan's.

    >>> clv_simple(50.0, frequency=Frequency(4, per="year"), lifespan=Lifespan(value=3, unit="year"))
    600.0
    """
    if frequency.per != lifespan.unit:
        raise MetricError(
            "Frequency and lifespan are in different units.",
            found=f"orders per {frequency.per}, a lifespan in {lifespan.unit}s",
            to_try=f"lifespan_in(lifespan, unit='{frequency.per}')",
        )
    revenue = average_order_value * frequency.value * lifespan.value
    return revenue * (1 if gross_margin is None else gross_margin)


@metric(
    unit="currency per customer",
    range=(None, None),
    source="by definition: CLV (simple) − acquisition cost",
    label=N_("Lifetime value less acquisition cost"),
)
def cltv(clv_simple: float, *, acquisition_cost: float) -> float:
    """Customer lifetime value less what it cost to win the customer, in units of currency.

    >>> cltv(600.0, acquisition_cost=45.0)
    555.0
    """
    return clv_simple - acquisition_cost
