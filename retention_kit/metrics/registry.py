"""`@metric` files what a metric is: its unit, range and source, for tests, labels, glossary and README."""

from collections.abc import Callable
from dataclasses import dataclass
from inspect import getdoc, signature
from typing import Any

_Function = Callable[..., Any]


@dataclass(frozen=True)
class Metric:
    """A metric as filed: the function, and what a reader must know to read its number."""

    function: _Function
    unit: str
    range: tuple[float | None, float | None]
    source: str

    @property
    def name(self) -> str:
        """Return the metric's name, which is also the column it adds."""
        return self.function.__name__

    @property
    def definition(self) -> str:
        """Return the first sentence of its docstring, on one line."""
        return " ".join((getdoc(self.function) or "").split("\n\n")[0].split())

    @property
    def takes(self) -> str:
        """Return the name of the counts table, or of the first quantity, that it takes."""
        return next(iter(signature(self.function).parameters))


METRICS: dict[str, Metric] = {}
"""Every metric of the kit, by name, in the order of its file."""


def metric(*, unit: str, range: tuple[float | None, float | None], source: str) -> Callable[[_Function], _Function]:
    """File a function as a metric and leave it as it is.

    Parameters
    ----------
    unit : what one of it is: "share of customers", "orders per customer".
    range : least and greatest value it can take; None where there is no bound.
    source : where the definition comes from.
    """

    def filed(function: _Function) -> _Function:
        METRICS[function.__name__] = Metric(function, unit, range, source)
        return function

    return filed
