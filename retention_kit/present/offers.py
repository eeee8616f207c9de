"""Offers under a budget, shown: to whom, what they may bring, and whom they would not change."""

import pandas as pd

from retention_kit.actions import Alerted, Effect, Offers, PastList, Uplift
from retention_kit.messages import Verbatim
from retention_kit.present import formats
from retention_kit.present.blocks import Block, listed
from retention_kit.present.languages import N_, _
from retention_kit.table import Column, Role, Table, hidden_rows, interval

_ORDER_DAYS = Column("", N_("Order days"), Role.COUNT, lower="from_days", upper="to_days")


def offers_in_short(found: Offers, *, currency: str, min_cell: int, budget: float) -> Block:
    """Return what offers under a budget may be expected to bring, what is not known of it, and the warning."""
    told = [_effect(found.effect)]
    if found.n_offers == 0:
        why = _("No offer is made: the budget is {budget}.") if budget == 0 else _(
            "No offer is made: none is expected to save more than it costs, or the budget of {budget} pays for none."
        )  # fmt: skip
        told.append(why.format(budget=_money(budget, currency)))
    elif found.n_offers < min_cell:
        told.append(_("Fewer than {n} customers get an offer: what that brings is not told.").format(n=min_cell))
    else:
        told += [
            _(
                "{n} of {everybody} customers get an offer, which costs {cost} and is expected to bring {expected} "
                "more than that ({lower} to {upper}, of what is not known of effect and risk; what chance does comes "
                "on top); that more is paid than saved has a chance of {loss}."
            ).format(
                n=formats.count(found.n_offers),
                everybody=formats.count(found.n_customers),
                cost=_money(found.cost, currency),
                expected=_money(found.expected, currency),
                lower=_money(found.lower, currency),
                upper=_money(found.upper, currency),
                loss=formats.percent(found.loss, digits=0),
            ),
            _("It pays if an offer averts more than {share} of lapses.").format(
                share=formats.percent(found.break_even)
            ),
            _(
                "As many offers to those with the highest risk are expected to bring {by_risk}: who is likely to leave "
                "may have nothing left to save, and high risk is not high effect. Whom an offer changes only a test "
                "can tell."
            ).format(by_risk=_money(found.by_risk, currency)),
        ]
    return listed(told)


def offers_by_segment(found: Offers, *, currency: str, min_cell: int) -> Table:
    """Return who gets an offer, by how many days customers have ordered on; few are hidden."""
    rows = found.segments
    small = ((rows["n_offers"] > 0) & (rows["n_offers"] < min_cell)) | (
        (rows["n_customers"] > rows["n_offers"]) & (rows["n_customers"] - rows["n_offers"] < min_cell)
    )
    hidden = small | (rows["n_customers"] < min_cell)
    if hidden.sum() == 1:  # one alone would be the total less the others
        others = rows.loc[~hidden, "n_customers"]
        hidden |= rows.index == (others.idxmin() if len(others) else -1)
    return Table(
        rows,
        [
            _ORDER_DAYS,
            Column("n_customers", N_("Customers"), Role.N),
            Column("n_offers", N_("Offers"), Role.N),
            Column("risk", N_("Mean risk"), Role.SHARE),
            Column("expected", N_("Expected return"), Role.MONEY, currency=currency, digits=0),
        ],
        name="offers",
        title=N_("Who gets an offer"),
        notes=[
            N_(
                "Each customer by his own risk and his own mean order: the table adds up, it does not choose. Expected "
                "return: margin saved less what the offers cost."
            )
        ],
        hidden=hidden_rows(rows, hidden, keys=["from_days", "to_days"]),
    )


def uplift(found: Uplift | None, *, currency: str, min_cell: int) -> Table:
    """Return what a past test did to each kind of customer, drawn together, and to whom offers go by that."""
    caption = N_("Whom the test changed most")
    if found is None:
        nothing = N_("No test ran in this market, or its arms are too small to be told apart by kind of customer.")
        return Table(pd.DataFrame(), (), name="uplift", title=caption, nothing=nothing)
    rows = found.segments
    few = rows["n_customers"] < min_cell
    differ = (
        _("The kinds differ by more than chance: ranking by them is worth something.")
        if found.differ_p < 0.05
        else _("The kinds differ by no more than chance may make: they are drawn close together, and the rank is weak.")
    )
    notes = [
        _("Uplift: points of customers who ordered, with the offer less without, in the test '{test}'.").format(
            test=found.test
        ),
        differ,
        _(
            "{n} offers by this rank cost {cost} and are expected to bring {expected} more than that ({lower} to "
            "{upper}), if customers of today are like those of the test."
        ).format(
            n=formats.count(found.n_offers) if not 0 < found.n_offers < min_cell else formats.ABSENT,
            cost=_money(found.cost, currency),
            expected=_money(found.expected, currency),
            lower=_money(found.lower, currency),
            upper=_money(found.upper, currency),
        ),
    ]
    hidden = pd.DataFrame({"n_customers": few, "n_offers": few & (rows["n_offers"] > 0)})
    return Table(
        rows.assign(n_tested=rows["n_treatment"] + rows["n_control"]),
        [
            _ORDER_DAYS,
            Column("", N_("Days of silence"), Role.COUNT, lower="from_silent", upper="to_silent"),
            Column("n_tested", N_("In the test"), Role.N),
            Column("difference", N_("Uplift"), Role.POINTS),
            interval(N_("95% interval"), Role.POINTS),
            Column("shrunken", N_("drawn together"), Role.POINTS),
            interval(N_("its 95% interval"), Role.POINTS, of="shrunken"),
            Column("expected_each", N_("An offer returns"), Role.MONEY, currency=currency),
            Column("n_customers", N_("Customers today"), Role.N),
            Column("n_offers", N_("Offers"), Role.N),
        ],
        name="uplift",
        title=caption,
        notes=list(map(Verbatim, notes)),
        hidden=hidden,
    )


def past_list(found: PastList | None, *, horizon_days: int) -> Block:
    """Return how many of those whom the list of some time ago would have named have lapsed."""
    if found is None:
        return listed([_("The list of {days} days ago would have named too few to be told.").format(days=horizon_days)])
    return listed(
        [
            _(
                "Of the {n} customers whom the list of {days} days ago would have named {lapsed} have not ordered "
                "since ({lower} to {upper}); of as many with the longest silence {silence}, of all {watched} who were "
                "watched {everybody}. The list is ranked by what can be saved, not by who leaves most surely."
            ).format(
                n=formats.count(found.n_listed),
                days=horizon_days,
                lapsed=formats.percent(found.lapsed),
                lower=formats.percent(found.lower),
                upper=formats.percent(found.upper),
                silence=formats.percent(found.silence),
                watched=formats.count(found.n_watched),
                everybody=formats.percent(found.everybody),
            )
        ]
    )


def alerted(found: Alerted | None, *, currency: str, min_cell: int, key_variable: str) -> Block:
    """Return how many customers the list holds and where it is, and never who they are."""
    if found is None:
        return listed(
            [
                _(
                    "No list was written: {key}, the key of the pseudonyms, is not set, and this engine keeps no table "
                    "of ours."
                ).format(key=key_variable)
            ]
        )
    is_few = 0 < found.n_listed < min_cell
    n = _("fewer than {n}").format(n=min_cell) if is_few else formats.count(found.n_listed)
    money = formats.ABSENT if found.n_listed < min_cell else _money(found.saved, currency)
    told = [_("The list holds {n} customers; the value it is expected to save is {money}.").format(n=n, money=money)]
    if found.place == "table":
        told.append(
            _(
                "It stays with the engine, in a table for its owner alone: {key}, the key of pseudonyms, is not set."
            ).format(key=key_variable)
        )
    return listed(told)


def _effect(effect: Effect) -> str:
    facts = {
        "share": formats.percent(effect.share),
        "lower": formats.percent(effect.lower),
        "upper": formats.percent(effect.upper),
    }
    if effect.source == "measured":
        return _("The test '{test}' measured that an offer averts {share} of lapses ({lower} to {upper}).").format(
            test=effect.test, **facts
        )
    return _(
        "That an offer averts {share} of lapses ({lower} to {upper}) is assumed: nobody has measured it here."
    ).format(**facts)


def _money(value: float, currency: str) -> str:
    return formats.whole_money(value, currency=currency)
