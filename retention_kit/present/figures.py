"""Figures in one house style: intervals drawn, n beside the label, an alternative text that says what is shown.

`house_style()` once, then each function takes a table of a sheet and returns a matplotlib Figure.
"""

import io
import os
import re
import warnings
from collections.abc import Mapping

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from IPython import get_ipython
from markupsafe import escape
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from retention_kit.config import Market
from retention_kit.errors import UsageError
from retention_kit.metrics.rows import where
from retention_kit.present import formats
from retention_kit.present.languages import N_, _, ngettext, place, speak, worded
from retention_kit.present.layout import Margins, in_lines, text_width
from retention_kit.present.words import age_axis, beside, value_of_cut
from retention_kit.table import Table

FORMAT_VARIABLE = "RETENTION_KIT_FIGURE_FORMAT"
"""Environment variable that makes notebooks draw SVG (`svg`), as reports want it; PNG where it is not set."""

_GREY = "#6b7280"
_OCHRE = "#8a5a00"  # as dark as text has to be
_AXIS_LETTERS = 48  # widths of a letter along the axis of a whole figure
_LONGEST_LABEL = 40
_WIDTH = 8
"""Inches of a figure's width."""

_STYLE = {
    "axes.edgecolor": _GREY,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.labelcolor": "#374151",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 12,
    "axes.titley": 1.0,  # else every drawing measures all labels to see whether one is in its way
    "axes.titleweight": "bold",
    "figure.dpi": 100,
    "figure.facecolor": "white",
    "figure.figsize": (_WIDTH, 3.6),
    "figure.autolayout": True,  # one look at all labels; constrained layout takes two
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "grid.color": "#e5e7eb",
    "svg.fonttype": "none",
    "svg.hashsalt": "retention_kit",
    "text.parse_math": False,  # a user's $ is a $
    "xtick.color": _GREY,
    "ytick.color": _GREY,
}
_ABOVE_THE_POINTS = {"frameon": False, "ncols": 2, "loc": "upper left", "borderaxespad": 0}
"""Where a legend hides no point: in the room that `_from_zero` leaves."""

_CUT_TITLES = {
    "payment_method": N_("Second order within {days} days, by payment method of the first order"),
    "channel": N_("Second order within {days} days, by channel of the first order"),
    "coupon": N_("Second order within {days} days, by coupon on the first order"),
    "first_delivery": N_("Second order within {days} days, by delivery of the first order"),
    "season": N_("Second order within {days} days, by season of the first order"),
    "acquisition_channel": N_("Second order within {days} days, by acquisition channel"),
    "language": N_("Second order within {days} days, by language of the customer"),
    "referred": N_("Second order within {days} days, by referral"),
    "first_contact": N_("Second order within {days} days, by language of the first contact"),
    "support": N_("Second order within {days} days, by answer to the first question"),
    "loyalty": N_("Second order within {days} days, by loyalty membership"),
}
_CURVES = {
    "classic": N_("Customers who order at each age, all complete cohorts, 95% interval"),
    "unbounded": N_("Customers who order at each age or later, all complete cohorts, 95% interval"),
    "cumulative": N_("Customers who have ordered again by each age, all complete cohorts, 95% interval"),
    "revenue": N_("Net revenue at each age over that at age 0, all complete cohorts"),
}
_HEAT_MAPS = {
    "classic": N_("Share of each cohort that ordered again at each age"),
    "unbounded": N_("Share of each cohort that ordered at each age or later"),
    "cumulative": N_("Share of each cohort that has ordered again by each age"),
    "revenue": N_("Net revenue of each cohort at each age, over that at age 0"),
}
"""Titles by kind of retention."""
_SHARE = FuncFormatter(lambda share, _at: formats.percent(share, digits=0))
_COUNT = FuncFormatter(lambda value, _at: formats.count(value))


def house_style(language: str = "") -> None:
    """Set the house style for every figure of this session, the language, and, in a notebook, how figures are shown.

    In a notebook a figure's text form is its alternative text, so that a changed number is a changed output.

    Parameters
    ----------
    language : BCP 47, such as `nl-NL`, of all that is shown from now on; English where there is no catalog of it.
        Empty leaves it as it is: in a run of reports the page's, else English.

    Raises
    ------
    UsageError : no such language.
    """
    if language:
        speak(language)
    mpl.style.use("petroff6")
    mpl.rcParams.update(_STYLE)
    shell = get_ipython()
    if shell is None or not hasattr(shell, "display_formatter"):
        return
    plt.close(plt.figure())  # the notebook's backend drops the formatters of figures when it starts: let it start
    formatters = shell.display_formatter.formatters
    formatters["text/plain"].for_type(Figure, lambda figure, printer, _cycle: printer.text(alt_text(figure)))
    wanted = os.environ.get(FORMAT_VARIABLE, "png")
    if wanted not in ("png", "svg"):
        raise UsageError(f"{FORMAT_VARIABLE} is '{wanted}'.", to_try="png or svg")
    if wanted == "svg":
        formatters["image/png"].pop(Figure, None)
        formatters["image/svg+xml"].for_type(Figure, svg)


def warm_caches() -> None:
    """Draw a figure of everything once, for nobody: the first one loads fonts and fills caches."""
    with mpl.rc_context(_STYLE):
        figure, top, bottom = panels(2)
        _heatmap(top, pd.DataFrame([[0.1, 0.2]]), pd.DataFrame([["10%", "20%"]]), cmap="cividis", limits=(0, 1), size=9)
        bottom.errorbar([0, 1], [0.1, 0.2], yerr=[[0.1, 0.1], [0.1, 0.1]], marker="o", capsize=3, label="a label")
        bottom.fill_between([0, 1], [0.1, 0.1], [0.2, 0.2], alpha=0.25)
        bottom.yaxis.set_major_formatter(_SHARE)
        bottom.set(title="A title", xlabel="a label")
        bottom.legend(**_ABOVE_THE_POINTS)
        svg(figure)


def alt_text(figure: Figure) -> str:
    """Return what a figure shows, in words."""
    return figure.get_label() or _("a figure")


def svg(figure: Figure) -> str:
    """Return a figure as SVG: text as text, the same bytes each time, with role and title for who cannot see it."""
    drawn = io.StringIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # the browser's own fonts have it
        # figure.savefig would draw it twice, the first time for the layout, which the one drawing makes as well
        FigureCanvasSVG(figure).print_svg(drawn, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    plt.close(figure)
    text = drawn.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    told = escape(alt_text(figure))
    attributes, rest = text.removeprefix("<svg").split(">", 1)
    return f'<svg role="img" aria-label="{told}"{attributes}><title>{told}</title>{rest}'


def retention_trend(
    active_base: Table | pd.DataFrame, *, market: Market, rule: str = "window", last: int = 10, ax: Axes | None = None
) -> Figure:
    """Return the retention rate of each closed period with its interval, the textbook rate beside it.

    Parameters
    ----------
    active_base : the sheet's table of that name.
    rule : activity rule shown.
    last : periods shown.
    ax : where it is drawn; a figure of its own where not given.
    """
    active_base = rows_of(active_base)
    title = _("Customer retention rate, 95% interval")
    rows = where(active_base.dropna(subset=["customer_retention_rate"]), rule=rule).tail(last)
    if rows.empty:
        return _nothing(title, market=market, ax=ax)
    figure, axes = panels(ax=ax)
    at = np.arange(len(rows))
    rate = rows["customer_retention_rate"].to_numpy()
    errors = np.abs(np.vstack([rate - rows["lower"], rows["upper"] - rate]))
    axes.errorbar(at, rate, yerr=errors, marker="o", capsize=3, linewidth=2, label=_("retention rate: stayed"))
    textbook = rows["textbook_retention_rate"]
    axes.plot(
        at,
        textbook,
        marker="o",
        markerfacecolor="white",
        linestyle=":",
        color=_GREY,
        label=_("textbook rate: stayed or came back"),
    )
    written = _below_axis([formats.period(period) for period in rows["period"]])
    axes.set_xticks(at, [f"{period}\n{_n(n)}" for period, n in zip(written, rows["n_start"], strict=True)])
    _from_zero(axes, upper=max(rows["upper"].max(), textbook.max()))
    axes.yaxis.set_major_formatter(_SHARE)
    axes.set_title(title)
    axes.legend(frameon=False, loc="lower left", ncols=2)
    told = formats.enumerated(
        point_told(formats.period(row.period), row.customer_retention_rate, row, n=row.n_start)
        for row in rows.itertuples()
    )
    sentence = _("Customer retention rate of {market} by period: {told}.")
    return _told(figure, sentence.format(market=place(market.name), told=told))


def cohort_heatmap(
    cohort_retention: Table | pd.DataFrame,
    *,
    market: Market,
    grain: str,
    kind: str = "classic",
    cohorts: int = 12,
    ages: int = 12,
    ax: Axes | None = None,
) -> Figure:
    """Return the share of each cohort that ordered at each age; what is not over yet or hidden stays hatched.

    Parameters
    ----------
    cohort_retention : the sheet's table of that name.
    grain : length of its periods.
    kind : of retention: `classic`, `unbounded`, `cumulative`, `revenue`.
    cohorts, ages : the last cohorts and first ages shown.
    ax : where it is drawn; a figure of its own where not given.
    """
    cohort_retention = rows_of(cohort_retention)
    shown_cohorts = sorted(cohort_retention["cohort"].unique())[-cohorts - 1 :]
    rows = cohort_retention[cohort_retention["cohort"].isin(shown_cohorts) & cohort_retention["age"].between(1, ages)]
    sizes = where(cohort_retention, age=0).set_index("cohort")["n"]
    grid = rows.pivot(index="cohort", columns="age", values="classic_retention").reindex(
        index=[cohort for cohort in shown_cohorts if cohort in set(rows["cohort"])]
    )
    title = _(_HEAT_MAPS[kind])
    if not grid.notna().any(axis=None):
        return _nothing(title, market=market, ax=ax)
    figure, axes = panels(ax=ax, height=0.8 + 0.32 * max(len(grid), 2))
    _hatched(axes)
    written = grid.map(lambda share: "" if pd.isna(share) else formats.percent(share, digits=0))
    _heatmap(axes, grid, written, cmap="cividis", limits=(0, np.nanmax(grid.to_numpy())), size=9)
    cut_off = set(cohort_retention.loc[cohort_retention["left_truncated"] == 1, "cohort"])
    sized = [
        f"{formats.period(cohort)}{'*' if cohort in cut_off else ''}  "
        + (_("hidden") if pd.isna(sizes.get(cohort)) else _n(sizes[cohort]))
        for cohort in grid.index
    ]
    axes.set_yticks(np.arange(len(grid)) + 0.5, sized, rotation=0)
    known = [_("* holds customers of before the data begin")] if cut_off & set(grid.index) else []
    axes.set(xlabel=formats.enumerated([age_axis(grain), *known]), ylabel="")
    axes.set_title(title)
    return _told(figure, _heatmap_text(grid, sizes, market=market, title="" if kind == "classic" else title))


def retention_curve(
    pooled_retention: Table | pd.DataFrame,
    *,
    market: Market,
    grain: str,
    kind: str = "classic",
    ages: int = 18,
    ax: Axes | None = None,
) -> Figure:
    """Return the share of customers active at each age, over all complete cohorts, with its interval.

    Parameters
    ----------
    pooled_retention : the sheet's table of that name.
    grain : length of its periods.
    kind : of retention: `classic`, `unbounded`, `cumulative`, `revenue`.
    ages : the first ages shown, without age 0, which is everybody.
    ax : where it is drawn; a figure of its own where not given.
    """
    pooled_retention = rows_of(pooled_retention)
    rows = pooled_retention[pooled_retention["age"].between(1, ages) & ~pooled_retention["hidden"]]
    title = _(_CURVES[kind])
    if rows.empty:
        return _nothing(title, market=market, ax=ax)
    figure, axes = panels(ax=ax)
    rows = rows if "lower" in rows else rows.assign(lower=rows["pooled_retention"], upper=rows["pooled_retention"])
    axes.fill_between(rows["age"], rows["lower"], rows["upper"], alpha=0.25, linewidth=0)
    axes.plot(rows["age"], rows["pooled_retention"], marker="o", markersize=4, linewidth=2)
    if len(rows) > 1:
        first, last = rows.iloc[0], rows.iloc[-1]
        _annotated(axes, first, at=first["upper"], above=6, ha="left", va="bottom")
        _annotated(axes, last, at=last["lower"], above=-6, ha="right", va="top")
    _from_zero(axes, upper=rows["upper"].max())
    axes.yaxis.set_major_formatter(_SHARE)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel=age_axis(grain))
    axes.set_title(title)
    told = formats.enumerated(
        point_told(age_told(row.age), row.pooled_retention, row, n=row.n) for row in rows.itertuples()
    )
    if kind == "classic":
        sentence = _("Pooled classic retention of {market}: {told}.").format(market=place(market.name), told=told)
    else:
        sentence = _("{market}. {title}: {told}.").format(market=place(market.name), title=title, told=told)
    return _told(figure, sentence)


def orders_trend(orders: pd.DataFrame, *, market: Market, last: int = 18) -> Figure:
    """Return orders and customers of each closed period, and the average order value below them.

    Parameters
    ----------
    orders : the sheet's table of that name.
    last : periods shown.
    """
    title = _("Kept orders, and customers who placed them")
    rows = where(orders, complete=1, hidden=False).tail(last)
    if rows.empty or rows["n_orders"].sum() == 0:
        return _nothing(title, market=market)
    has_money = "average_order_value" in rows
    figure, *rooms = panels(2 if has_money else 1, height=4.6 if has_money else 3)
    top, at = rooms[0], np.arange(len(rows))
    top.plot(at, rows["n_orders"], linewidth=2, marker="o", markersize=4, label=_("orders"))
    top.plot(at, rows["n_customers"], linewidth=2, marker="s", markersize=4, label=_("customers"))
    _from_zero(top, upper=rows["n_orders"].max())
    top.yaxis.set_major_formatter(_COUNT)
    top.legend(**_ABOVE_THE_POINTS)
    top.set_title(title)
    if has_money:
        bottom = rooms[1]
        bottom.plot(at, rows["average_order_value"], linewidth=2, marker="o", markersize=4, color="C2")
        _from_zero(bottom, upper=rows["average_order_value"].max())
        bottom.yaxis.set_major_formatter(_COUNT)
        bottom.set_title(_("Average order value, {currency}").format(currency=market.currency))
    step = max(1, len(at) // 9)
    written = _below_axis([formats.period(period) for period in rows["period"].iloc[::step]])
    rooms[-1].set_xticks(at[::step], written)
    with_money = _("{period} {orders} orders by {customers} customers, {amount} each")
    without = _("{period} {orders} orders by {customers} customers")
    told = formats.enumerated(
        (with_money if has_money else without).format(
            period=formats.period(row.period),
            orders=formats.count(row.n_orders),
            customers=formats.count(row.n_customers),
            amount=formats.money(row.average_order_value, currency=market.currency) if has_money else "",
        )
        for row in rows.itertuples()
    )
    sentence = _("Orders of {market} by period: {told}.")
    return _told(figure, sentence.format(market=place(market.name), told=told))


def returned_by(
    returned: Table | pd.DataFrame, *, market: Market, cut: str, horizon_days: int, ax: Axes | None = None
) -> Figure:
    """Return the share of customers with a second order day within a horizon, by the values of one cut.

    Parameters
    ----------
    returned : the sheet's table of that name.
    ax : where it is drawn; a figure of its own where not given.
    """
    returned = rows_of(returned)
    rows = where(returned, cut=cut, horizon_days=horizon_days, hidden=False).sort_values("returned_share")
    title = _(_CUT_TITLES.get(cut, N_("Second order within {days} days, by {cut}")))
    title = title.format(days=formats.count(horizon_days), cut=cut)
    if rows.empty:
        return _nothing(title, market=market, ax=ax)
    figure, axes = panels(ax=ax, height=0.9 + 0.4 * len(rows))
    at = np.arange(len(rows))
    share = rows["returned_share"].to_numpy()
    errors = np.abs(np.vstack([share - rows["lower"], rows["upper"] - share]))
    axes.errorbar(share, at, xerr=errors, fmt="o", capsize=3)
    axes.set_yticks(at, [_named(value_of_cut(row.value, cut=cut), row.n_observed) for row in rows.itertuples()])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xlim(0, min(1.0, rows["upper"].max() * 1.15))
    axes.xaxis.set_major_formatter(_SHARE)
    axes.grid(axis="x")
    axes.set_title(title)
    told = formats.enumerated(
        point_told(value_of_cut(row.value, cut=cut), row.returned_share, row, n=row.n_observed)
        for row in rows.itertuples()
    )
    sentence = _("{market}. {title}: {told}.")
    return _told(figure, sentence.format(market=place(market.name), title=title, told=told))


def survival_curve(survival: Table | pd.DataFrame, *, market: Market, ax: Axes | None = None) -> Figure:
    """Return the share of customers who stay longer than each number of days, with its interval.

    Parameters
    ----------
    survival : the sheet's table of that name.
    ax : where it is drawn; a figure of its own where not given.
    """
    survival = rows_of(survival)
    title = _("Customers who stay longer than so many days, 95% interval")
    if len(survival) < 2:
        return _nothing(title, market=market, ax=ax)
    figure, axes = panels(ax=ax)
    days = survival["duration_days"]
    axes.fill_between(days, survival["lower"], survival["upper"], step="post", alpha=0.25, linewidth=0)
    axes.step(days, survival["survival"], where="post", linewidth=2)
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(_SHARE)
    n = formats.count(survival["n"].iloc[0])
    axes.set(xlabel=_("days since the first order; {n} customers").format(n=n))
    axes.set_title(title)
    told = formats.enumerated(
        point_told(days_told(row.duration_days), row.survival, row) for row in survival.iloc[::3].itertuples()
    )
    # Translators: told is such as "30 days 90.1% (89.0% to 91.2%); 120 days 60.3% (…)"
    sentence = _("Survival of the customers of {market}, n {n}: longer than {told}.")
    return _told(figure, sentence.format(market=place(market.name), n=n, told=told))


def curves(tables: Mapping[str, Table], *, over: str, value: str, ax: Axes | None = None) -> Figure:
    """Return the same curve of several groups, each a line with its interval where it has one.

    Parameters
    ----------
    tables : by name of the group; of each the columns `over`, `value`, `lower`, `upper`.
    """
    title = next((worded(table.definition) for table in tables.values()), "")
    drawn = {name: rows_of(table).dropna(subset=[value]) for name, table in tables.items()}
    drawn = {name: rows[~rows["hidden"].astype(bool)] for name, rows in drawn.items()}
    if not any(len(rows) > 1 for rows in drawn.values()):
        return _nothing(title, market=None, ax=ax)
    figure, axes = panels(ax=ax)
    told = []
    for name, rows in drawn.items():
        at = rows[over] if pd.api.types.is_numeric_dtype(rows[over]) else rows[over].astype(str)
        (line,) = axes.plot(at, rows[value], linewidth=2, label=name)
        if "lower" in rows:
            axes.fill_between(at, rows["lower"], rows["upper"], alpha=0.15, linewidth=0, color=line.get_color())
        last = rows.iloc[-1] if len(rows) else None
        if last is not None:
            told.append(_("{name} {share}").format(name=name, share=formats.percent(last[value])))
    axes.yaxis.set_major_formatter(_SHARE)
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    axes.set_title(title, wrap=True)
    return _told(figure, _("{title}: {told}.").format(title=title.rstrip("."), told=formats.enumerated(told)))


def retention_windows(
    windows: Table | pd.DataFrame, *, market: Market, own_window: float | None, ax: Axes | None = None
) -> Figure:
    """Return the retention rate of the last closed period by the length of the activity window.

    Parameters
    ----------
    windows : the sheet's table of that name.
    own_window : the window that the market's own gaps give, in days; None where there is none.
    ax : where it is drawn; a figure of its own where not given.
    """
    windows = rows_of(windows)
    title = _("Retention rate of the last period, by the activity window, 95% interval")
    rows = windows[~windows["hidden"]].dropna(subset=["retention_by_window"])
    if rows.empty:
        return _nothing(title, market=market, ax=ax)
    figure, axes = panels(ax=ax)
    rate = rows["retention_by_window"].to_numpy()
    errors = np.abs(np.vstack([rate - rows["lower"], rows["upper"] - rate]))
    axes.errorbar(rows["window_days"], rate, yerr=errors, marker="o", capsize=3, linewidth=2)
    in_use = market.activity_window_days
    is_left = own_window is not None and in_use <= own_window
    # Translators: beside a line in a figure: the activity window that this market uses
    _line_named(axes, in_use, _("in use"), colour=_GREY, to_the_left=is_left)
    own = ""
    if own_window is not None:
        # Translators: beside a line in a figure: the activity window that the gaps between its orders give
        _line_named(axes, own_window, _("by its own gaps"), colour=_OCHRE, to_the_left=not is_left)
        own = ngettext(
            "Its own gaps between orders give a window of {n} day.",
            "Its own gaps between orders give a window of {n} days.",
            round(own_window),
        ).format(n=formats.count(own_window))
    _from_zero(axes, upper=rows["upper"].max())
    axes.yaxis.set_major_formatter(_SHARE)
    axes.set(xlabel=_("activity window, days"))
    axes.set_title(title)
    told = formats.enumerated(
        point_told(days_told(row.window_days), row.retention_by_window, row, n=row.n_start) for row in rows.itertuples()
    )
    sentence = _("Retention rate of {market} by activity window: {told}.").format(market=place(market.name), told=told)
    used = _("In use: {days}.").format(days=days_told(market.activity_window_days))
    return _told(figure, beside(sentence, used, own))


def year_on_year(cells: pd.DataFrame, *, market: Market, grain: str, cohorts: int = 12, ages: int = 12) -> Figure:
    """Return the share of each cohort and age over that of the cohort a year before at the same age.

    Parameters
    ----------
    cells : the sheet's table `year_on_year`.
    grain : length of its periods.
    cohorts, ages : the last cohorts and first ages shown.
    """
    title = _("Retention against the year before: above 1 better, below 1 worse")
    shown = sorted(cells["cohort"].unique())[-cohorts:]
    rows = cells[cells["cohort"].isin(shown) & (cells["age"] <= ages)]
    if rows.empty:
        return _nothing(title, market=market)
    ratio = (rows["share"] / rows["share_then"].where(rows["share_then"] > 0)).clip(0.25, 4)
    grid = rows.assign(ratio=np.log2(ratio)).pivot(index="cohort", columns="age", values="ratio")
    figure, axes = panels(height=0.9 + 0.28 * max(len(grid), 2))
    _hatched(axes)
    written = grid.map(lambda power: "" if pd.isna(power) else formats.decimal(2**power, digits=1))
    _heatmap(axes, grid, written, cmap="RdBu", limits=(-1.5, 1.5), size=8)
    axes.set_yticks(np.arange(len(grid)) + 0.5, [formats.period(cohort) for cohort in grid.index])
    axes.set(xlabel=age_axis(grain), ylabel="")
    axes.set_title(title)
    told = formats.enumerated(
        _("{cohort}: {numbers}").format(
            cohort=formats.period(cohort),
            numbers=formats.separated(formats.decimal(2**power, digits=1) for power in row.dropna()),
        )
        for cohort, row in grid.iterrows()
    )
    sentence = _("Retention of {market} over that of a year before, at ages 1, 2, 3, …: {told}.")
    return _told(figure, sentence.format(market=place(market.name), told=told))


def markets_compared(compared: pd.DataFrame, *, names: Mapping[str, str], metric: str, title: str) -> Figure:
    """Return a share of each market with its interval, the share drawn to all markets, and what chance allows.

    Parameters
    ----------
    compared : the group sheet's table of that name.
    names : name of each market by code.
    metric : one of its metrics.
    title : what the share is.
    """
    title = _(title)
    rows = compared[compared["metric"] == metric].sort_values("share", ignore_index=True)
    if rows.empty:
        return _nothing(title, market=None)
    figure, axes = panels(height=1.2 + 0.36 * len(rows), layout="tight")  # which sees the legend below the axes
    at = np.arange(len(rows))
    share = rows["share"].to_numpy()
    errors = np.abs(np.vstack([share - rows["lower"], rows["upper"] - share]))
    axes.barh(
        at, rows["funnel_far_upper"] - rows["funnel_far_lower"], left=rows["funnel_far_lower"], height=0.8,
        color="#e5e7eb", label=_("99.8% of markets of this size, by chance"),
    )  # fmt: skip
    axes.errorbar(share, at, xerr=errors, fmt="o", capsize=3, label=_("share, 95% interval"))
    axes.plot(rows["pooled"], at, linestyle="", marker="D", markerfacecolor="white", label=_("drawn to all markets"))
    axes.set_yticks(at, [_named(place(names[r.market]), r.n) for r in rows.itertuples()])
    axes.xaxis.set_major_formatter(_SHARE)
    axes.grid(axis="x")
    axes.grid(visible=False, axis="y")
    axes.set_title(title)
    _legend_below(axes)
    told = formats.enumerated(
        _("{market} {share} ({interval}, n {n}; rank {ranks})").format(
            market=place(names[r.market]),
            share=formats.percent(r.share),
            interval=formats.share_interval(r.lower, r.upper),
            n=formats.count(r.n),
            ranks=formats.between(formats.count(r.rank_lower), formats.count(r.rank_upper)),
        )
        for r in rows.iloc[::-1].itertuples()
    )
    return _told(figure, _("{title}, by market: {told}.").format(title=title, told=told))


def funnel(compared: pd.DataFrame, *, names: Mapping[str, str], metric: str, title: str) -> Figure:
    """Return each market's share by its size, with the funnel within which chance alone keeps markets.

    Parameters
    ----------
    compared, names, metric, title : as of `markets_compared`.
    """
    title = _(title)
    rows = compared[compared["metric"] == metric].sort_values("n", ignore_index=True)
    if rows.empty:
        return _nothing(title, market=None)
    figure, axes = panels(height=4)
    bands = {"funnel_far": ("#e5e7eb", _("99.8% by chance")), "funnel": ("#cbd5e1", _("95% by chance"))}
    for name, (colour, told) in bands.items():
        axes.fill_between(rows["n"], rows[f"{name}_lower"], rows[f"{name}_upper"], color=colour, label=told)
    axes.plot(rows["n"], rows["share"], linestyle="", marker="o")
    for row in rows.itertuples():
        axes.annotate(row.market, (row.n, row.share), xytext=(5, 3), textcoords="offset points", fontsize=9)
    axes.yaxis.set_major_formatter(_SHARE)
    axes.xaxis.set_major_formatter(_COUNT)
    axes.set(xlabel=_("customers the share is of"))
    axes.set_title(title)
    axes.legend(frameon=False, fontsize=8)
    outside = [
        place(names[r.market]) for r in rows.itertuples() if not r.funnel_far_lower <= r.share <= r.funnel_far_upper
    ]
    if not outside:
        return _told(
            figure,
            _("{title}, by number of customers. Outside what chance allows in 99.8%: none.").format(title=title),
        )
    sentence = _("{title}, by number of customers. Outside what chance allows in 99.8%: {markets}.")
    return _told(figure, sentence.format(title=title, markets=formats.separated(outside)))


def rows_of(shown: Table | pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a table or a frame with a column `hidden`, which says of which no number may be drawn."""
    frame = shown.frame if isinstance(shown, Table) else shown
    if "hidden" in frame:
        return frame
    hidden = shown.hidden if isinstance(shown, Table) else None
    return frame.assign(hidden=False if hidden is None else hidden.any(axis=1))


def panels(n: int = 1, *, height: float = 3.6, layout: str | None = None, ax: Axes | None = None) -> tuple:
    """Return a figure as wide as a page's text and `n` axes above each other that share their level axis.

    Parameters
    ----------
    n : how many axes.
    height : of the figure, in inches.
    layout : name of one of matplotlib's own layouts, for what `Margins` does not know of.
    ax : axes to draw on in place of new ones, with the figure they are of.
    """
    if ax is not None:
        return ax.figure, ax
    figure = Figure(figsize=(_WIDTH, height), layout=layout or Margins())
    return figure, *figure.subplots(n, 1, sharex=True, squeeze=False)[:, 0]


def _heatmap(axes, grid: pd.DataFrame, written: pd.DataFrame, *, cmap: str, limits: tuple, size: int) -> None:
    """Draw a table of numbers as coloured cells, each with its text, dark on light and light on dark."""
    drawn = {"annot": written, "fmt": "", "annot_kws": {"size": size}, "cbar": False, "linewidths": 1}
    without = {"xticklabels": False, "yticklabels": False}  # seaborn measures its own, to see whether they overlap
    sns.heatmap(grid, ax=axes, cmap=cmap, vmin=limits[0], vmax=limits[1], **drawn, **without)
    axes.set_xticks(np.arange(grid.shape[1]) + 0.5, grid.columns)
    axes.grid(visible=False)


def _annotated(axes, row: pd.Series, *, at: float, above: int, ha: str, va: str) -> None:
    """Write a point's share and n beside it, `above` points over the value `at`."""
    text = _("{label}, n {n}").format(label=formats.percent(row["pooled_retention"]), n=formats.count(row["n"]))
    axes.annotate(text, (row["age"], at), xytext=(0, above), textcoords="offset points", ha=ha, va=va)


def _hatched(axes) -> None:
    """Let what no cell covers be seen as left out."""
    axes.set_facecolor("#f3f4f6")
    axes.patch.set(hatch="///", edgecolor="#d1d5db")


def _line_named(axes, at: float, name: str, *, colour: str, to_the_left: bool) -> None:
    """Draw an upright line, its name at its foot on one side of it."""
    axes.axvline(at, color=colour, linestyle=":")
    away, side = (-4, "right") if to_the_left else (4, "left")
    axes.annotate(name, (at, 0), xytext=(away, 4), textcoords="offset points", color=colour, ha=side)


def _below_axis(labels: list[str]) -> list[str]:
    """Return the labels of an axis over the whole figure in as many lines as keep them apart."""
    return [in_lines(label, room=_AXIS_LETTERS / max(len(labels), 1)) for label in labels]


def _short(text: str) -> str:
    """Return a user's text at a length that leaves room for the figure."""
    return f"{text[: _LONGEST_LABEL - 1]}…" if len(text) > _LONGEST_LABEL else text


def _legend_below(axes) -> None:
    """Put a legend below the axes: in a row where its words fit one, else below each other."""
    size, (handles, words) = 8, axes.get_legend_handles_labels()
    inches = sum(0.85 * text_width(word) + 4 for word in words) * size / 72  # 4: the sign before, and room
    columns = len(words) if inches < _WIDTH - 1.3 else 1
    below = {"frameon": False, "loc": "upper center", "bbox_to_anchor": (0.4, -0.12), "fontsize": size}
    axes.legend(handles, words, ncols=columns, **below)


def _named(name: str, n: float) -> str:
    return _("{label}, n {n}").format(label=_short(name), n=formats.count(n))


def _n(n: float) -> str:
    return _("n {n}").format(n=formats.count(n))


def age_told(age: int) -> str:
    """Return an age as an alternative text tells it."""
    return _("age {age}").format(age=formats.count(age))


def days_told(days: int) -> str:
    """Return a number of days."""
    return ngettext("{n} day", "{n} days", days).format(n=formats.count(days))


def point_told(name: str, share: float, row, *, n: float | None = None) -> str:
    """Return a point as an alternative text tells it: its name, share, interval (of `row`) and n."""
    facts = {
        "name": name,
        "share": formats.percent(share),
        "interval": formats.share_interval(row.lower, row.upper),
    }
    if n is None:
        return _("{name} {share} ({interval})").format(**facts)
    return _("{name} {share} ({interval}, n {n})").format(**facts, n=formats.count(n))


def _nothing(title: str, *, market: Market | None, ax: Axes | None = None) -> Figure:
    """Return a low figure that says there is nothing to show."""
    figure, axes = panels(height=0.9, ax=ax)
    axes.set_axis_off()
    axes.set_title(title)
    why = _("nothing to show: no data, no closed period, or too few customers")
    axes.text(0, 0.5, why, color=_GREY, transform=axes.transAxes, va="center")
    name = place(market.name) if market else _("All markets")
    return _told(figure, _("{market}. {title}: {told}.").format(market=name, title=title, told=why))


def _from_zero(axes, *, upper: float) -> None:
    """Let an axis of amounts begin at zero, with room above the highest."""
    axes.set_ylim(0, upper * 1.18 if upper > 0 else 1)


def _told(figure: Figure, text: str) -> Figure:
    """Return the figure with its alternative text."""
    figure.set_label(text)
    return figure


def _heatmap_text(grid: pd.DataFrame, sizes: pd.Series, *, market: Market, title: str) -> str:
    told = formats.enumerated(
        _("{cohort} (n {n}): {numbers}").format(
            cohort=formats.period(cohort),
            n=formats.count(sizes.get(cohort)),
            numbers=formats.separated(formats.percent(share, digits=0) for share in row.dropna()),
        )
        for cohort, row in grid.iterrows()
    )
    if title:
        return _("{market}. {title}: {told}.").format(market=place(market.name), title=title, told=told)
    sentence = _("Share of each cohort of {market} that ordered at ages 1, 2, 3, …: {told}.")
    return sentence.format(market=place(market.name), told=told)
