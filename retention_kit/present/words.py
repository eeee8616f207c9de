"""Words that tables, figures and sentences share: units of periods, what customers did, what two sentences make."""

from functools import reduce

from retention_kit.metrics import Sheet
from retention_kit.metrics.group import GroupSheet
from retention_kit.present.languages import N_, _

_UNITS = {
    # Translators: a unit, as after "counted in …" or "age, in …"
    "day": N_("days"),
    "week": N_("weeks"),
    "month": N_("months"),
    "quarter": N_("quarters"),
    "year": N_("years"),
}
_AGES = {
    # Translators: axis of a figure; the age of a cohort is 0 in the period of the first order
    "day": N_("age, in days since the day of the first order"),
    "week": N_("age, in weeks since the week of the first order"),
    "month": N_("age, in months since the month of the first order"),
    "quarter": N_("age, in quarters since the quarter of the first order"),
    "year": N_("age, in years since the year of the first order"),
}
_STAYED = {
    # Translators: goes on after "Customers who …"
    "day": N_("stayed active in the last day"),
    "week": N_("stayed active in the last week"),
    "month": N_("stayed active in the last month"),
    "quarter": N_("stayed active in the last quarter"),
    "year": N_("stayed active in the last year"),
}
_NEXT = {
    # Translators: goes on after "Customers who …"
    "day": N_("ordered in the day after the first order"),
    "week": N_("ordered in the week after the first order"),
    "month": N_("ordered in the month after the first order"),
    "quarter": N_("ordered in the quarter after the first order"),
    "year": N_("ordered in the year after the first order"),
}
_VALUES = {
    # Translators: a group of customers in a figure, by coupon, delivery, referral, contact, support, loyalty
    "coupon": N_("coupon"),
    "no coupon": N_("no coupon"),
    "on time": N_("on time"),
    "late": N_("late"),
    "referred": N_("referred"),
    "not referred": N_("not referred"),
    "own language": N_("own language"),
    "other language": N_("other language"),
    "within 24 hours": N_("within 24 hours"),
    "slow": N_("slow"),
    "joined within 30 days": N_("joined within 30 days"),
    "not joined": N_("not joined"),
}
_SEGMENTS = {
    # Translators: name of a segment of customers
    "champions": N_("champions"),
    "loyal": N_("loyal"),
    "growing": N_("growing"),
    "new": N_("new"),
    "in between": N_("in between"),
    "slipping away": N_("slipping away"),
    "long gone": N_("long gone"),
}
_LEFT_OUT = {
    # Translators: why an order counts as nothing
    "at or after as_of": N_("at or after as_of"),
    "cancelled": N_("cancelled"),
    "no positive amount": N_("no positive amount"),
    "fully refunded": N_("fully refunded"),
}
_IN_WORDS = {"coupon", "first_delivery", "referred", "first_contact", "support", "loyalty"}
"""The cuts whose values are the kit's own words; those of the others are the data's."""


def value_of_cut(value: str, *, cut: str) -> str:
    """Return a value of a cut as it is shown: the kit's own words translated, the data's as they are."""
    return _(_VALUES.get(value, value)) if cut in _IN_WORDS else value


def segment_named(segment: str) -> str:
    """Return the name of a segment of customers."""
    return _(_SEGMENTS[segment])


def left_out_because(reason: str) -> str:
    """Return why an order counts as nothing."""
    return _(_LEFT_OUT.get(reason, reason))


def units(grain: str) -> str:
    """Return the periods of a grain as a unit: months."""
    return _(_UNITS[grain])


def age_axis(grain: str) -> str:
    """Return what an axis of ages shows."""
    return _(_AGES[grain])


def asked(metric: str, sheet: Sheet | GroupSheet) -> str:
    """Return what the customers of a share did, as it goes on after "Customers who …"."""
    match metric:
        case "customer_retention_rate":
            return _(_STAYED[sheet.base_grain])
        case "pooled_retention":
            return _(_NEXT[sheet.grain])
        case "returned_share":
            # Translators: goes on after "Customers who …"
            return _("ordered again within 90 days of the first order")
    # Translators: goes on after "Customers who …"
    return _("have ever ordered on another day")


def beside(*sentences: str) -> str:
    """Return whole sentences one after another, those that are empty left out."""
    # Translators: two whole sentences, one after the other: with a space between them where your language sets one
    pair = _("{first} {second}")
    told = [sentence for sentence in sentences if sentence]
    return reduce(lambda first, second: pair.format(first=first, second=second), told) if told else ""
