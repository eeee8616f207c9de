"""How each headline is written: by its unit, in the market's currency."""

from retention_kit.metrics import Headline, Sheet
from retention_kit.present import formats


def written(headline: Headline, number: float | None) -> str:
    """Return a number of a headline (its value or an end of its interval) as a reader sees it."""
    if number is None:
        return formats.ABSENT
    match headline.unit:
        case "share" | "ratio":
            return formats.percent(number)
        case "customers" | "orders":
            return formats.count(number)
        case "days":
            return f"{formats.count(number)} days"
        case "years":
            return f"{formats.decimal(number, digits=1)} years"
        case unit if unit.startswith("currency"):
            per_whole = formats.whole_money if abs(number) >= 100_000 else formats.money
            return per_whole(number, currency=headline.currency)
    return formats.decimal(number, digits=2)


def shown(headline: Headline) -> str:
    """Return its value as a reader sees it; a dash where it is hidden or cannot be had."""
    return written(headline, headline.value)


def interval(headline: Headline) -> str:
    """Return its interval as a reader sees it; empty where it has none."""
    if headline.lower is None or headline.upper is None:
        return ""
    return f"{written(headline, headline.lower)} to {written(headline, headline.upper)}"


def as_text(sheet: Sheet) -> str:
    """Return the headlines of a sheet for a terminal: value, interval, n, window."""
    rows = [
        (
            h.label,
            shown(h),
            interval(h),
            f"n {formats.count(h.n)}" if h.n is not None else "",
            h.window if h.value is not None else h.note,
        )
        for h in sheet.headlines.values()
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    lines = [f"{sheet.market.name} ({sheet.market.code}), observed before {sheet.as_of}"]
    lines += [
        "  " + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    return "\n".join(lines) + "\n"
