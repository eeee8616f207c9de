"""How a forecast is judged on a hold-out, whatever it is of: beside what was made, and beside naive ones."""

from abc import ABC, abstractmethod

from retention_kit.messages import Number

_REACH = 1.96


class HoldoutResult(ABC):
    """A forecast made before a hold-out, and its result: `actual` was made, `lower` and `upper` bound the forecast."""

    actual: int
    forecast: float
    lower: float
    upper: float

    @abstractmethod
    def _naive_errors(self) -> list[float]:
        """Return how far the forecasts that need no model are off, over what was made."""

    @abstractmethod
    def _by_chance(self) -> float:
        """Return the standard deviation of what is made by chance alone, over what was made."""

    def off(self, forecast: float) -> float:
        """Return how far any forecast is off, over what was made; over one where nothing was."""
        made = max(self.actual, 1)
        return forecast / made - self.actual / made

    @property
    def error(self) -> float:
        """Return how far the forecast is off, over what was made; below 0 where it is too low."""
        return self.off(self.forecast)

    @property
    def naive_error(self) -> float:
        """Return the smallest error of the naive forecasts, over what was made."""
        return min(self._naive_errors(), key=abs)

    @property
    def covered(self) -> bool:
        """Tell whether what was made lies in the interval of the forecast."""
        return self.lower <= self.actual <= self.upper

    @property
    def holds(self) -> bool:
        """Tell whether the forecast may be shown: no naive one is nearer by more than chance."""
        return abs(self.error) <= abs(self.naive_error) + _REACH * self._by_chance()

    def errors_told(self) -> dict[str, Number]:
        """Return both errors as facts of a message: `naive`, `error`."""
        errors = {"naive": self.naive_error, "error": self.error}
        return {name: Number(error, is_share=True, is_signed=True) for name, error in errors.items()}
