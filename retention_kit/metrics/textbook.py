"""The textbook calculators: retention and churn from three counts, for people who only have those.

S customers at the start, E at the end, N new ones of those at the end. They cannot tell a customer who
stayed from one who left and came back; `metrics.base` can.
"""

from numbers import Real

from retention_kit.errors import MetricError


def retention_rate(*, n_start: int, n_end: int, n_new: int) -> float:
    """Share of the customers at the start that the textbook calls retained, (E − N) / S.

    It counts a customer who came back as one who stayed, and so can pass 1.

    Raises
    ------
    MetricError : a count is negative or not whole, N > E, or S = 0: there is no rate.

    >>> retention_rate(n_start=1000, n_end=1100, n_new=300)
    0.8
    >>> retention_rate(n_start=10, n_end=8, n_new=0)
    0.8
    >>> retention_rate(n_start=2000, n_end=900, n_new=0)
    0.45
    """
    _refuse_impossible(n_start=n_start, n_end=n_end, n_new=n_new)
    return (n_end - n_new) / n_start


def churn_rate(*, n_start: int, n_end: int) -> float:
    """Share of the customers at the start by which the base shrank, (S − E) / S.

    It hides the customers who left behind the new ones, and is negative in a base that grows.

    Raises
    ------
    MetricError : a count is negative or not whole, or S = 0: there is no rate.

    >>> churn_rate(n_start=10, n_end=8)
    0.2
    """
    _refuse_impossible(n_start=n_start, n_end=n_end, n_new=0)
    return (n_start - n_end) / n_start


def _refuse_impossible(*, n_start: int, n_end: int, n_new: int) -> None:
    counts = {"n_start (S)": n_start, "n_end (E)": n_end, "n_new (N)": n_new}
    for name, count in counts.items():
        if isinstance(count, bool) or not isinstance(count, Real) or not float(count).is_integer() or count < 0:
            raise MetricError(
                f"{name} is not a count of customers.", found=f"{count}", to_try="a whole number, 0 or more"
            )
    if n_new > n_end:
        raise MetricError(
            "There are more new customers than customers at the end: N > E.",
            found=f"N = {n_new}, E = {n_end}",
            to_try="count as new only those who are still customers at the end",
        )
    if n_start == 0:
        raise MetricError(
            "There is no rate: nobody was a customer at the start.",
            found="S = 0",
            to_try="a period that begins with customers",
        )
