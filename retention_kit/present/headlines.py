"""How each headline is written: by its unit, in the market's currency."""

from retention_kit.errors import shown as one_line
from retention_kit.metrics import Headline, Sheet
from retention_kit.present import formats
from retention_kit.present.languages import _, place, worded


def written(headline: Headline, number: float | None) -> str:
    """Return a number of a headline (its value or an end of its interval) as a reader sees it."""
    return formats.quantity(number, unit=headline.unit, currency=headline.currency)


def shown(headline: Headline) -> str:
    """Return its value as a reader sees it; a dash where it is hidden or cannot be had."""
    return written(headline, headline.value)


def interval(headline: Headline) -> str:
    """Return its interval as a reader sees it; empty where it has none."""
    if headline.lower is None or headline.upper is None:
        return ""
    return formats.between(written(headline, headline.lower), written(headline, headline.upper))


def as_text(sheet: Sheet) -> str:
    """Return the headlines of a sheet for a terminal: value, interval, n, window."""
    rows = [
        (
            _(h.label),
            shown(h),
            interval(h),
            _("n {n}").format(n=formats.count(h.n)) if h.n is not None else "",
            formats.window(h.window) if h.value is not None else worded(h.note),
        )
        for h in sheet.headlines.values()
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    head = _("{market} ({code}), observed before {as_of}")
    lines = [
        head.format(
            market=one_line(place(sheet.market.name)), code=sheet.market.code, as_of=formats.period(sheet.as_of)
        )
    ]
    lines += [
        "  " + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    return "\n".join(lines) + "\n"
