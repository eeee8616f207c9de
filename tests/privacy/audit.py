"""An auditor takes what a run publishes of a market, and asks a linear programme what follows from it.

Written apart from the kit's own protection: from the published tables and what any reader knows of them. Two answers:
what small count can be had back below the threshold, and what is hidden that could be shown again.
"""

from collections.abc import Hashable, Iterator, Mapping
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from retention_kit.metrics import Sheet

TABLES = {
    "active_base": (["rule", "period"], ["n_start", "n_new", "n_reactivated", "n_end"],
                    {"n_retained": "n_start", "n_lapsed": "n_start"}),
    "cohort_retention": (["cohort", "age"], ["n"], {"n_active": "n"}),
    "pooled_retention": (["age"], ["n"], {"n_active": "n"}),
    "orders": (["period"], ["n_customers"], {}),
    "returned": (["cut", "value", "horizon_days"], ["n_observed"], {"n_returned": "n_observed"}),
    "brackets": (["first_day", "last_day"], ["n_observed"], {"n_returned": "n_observed"}),
    "windows": (["window_days"], ["n_start"], {"n_retained": "n_start"}),
    "next_order": (["nth"], ["n"], {}),
    "revenue_bridge": (["period"], ["n_start", "n_end"], {}),
    "revenue_change": (["period"], ["n_then", "n_now"], {}),
}  # fmt: skip
"""Keys, groups and parts of groups of each published table."""

SHARES = {
    "customer_retention_rate": ("n_retained", "n_start"), "churn_rate": ("n_lapsed", "n_start"),
    "classic_retention": ("n_active", "n"), "pooled_retention": ("n_active", "n"),
    "returned_share": ("n_returned", "n_observed"), "bracket_retention": ("n_returned", "n_observed"),
    "retention_by_window": ("n_retained", "n_start"),
}  # fmt: skip


class Audit:
    """What is published of a market, and what is true: the same sheet with nothing hidden."""

    def __init__(self, published: Sheet, true: Sheet) -> None:
        self.published, self.true, self.min_cell = published, true, published.min_cell
        self.names: dict[Hashable, int] = {}
        self.values: list[float] = []
        self.known: list[bool] = []
        self.groups: set[int] = set()
        self.parts: dict[int, int] = {}
        self.cells: set[int] = set()
        self.rows: list[dict[int, float]] = []
        for name, facts in TABLES.items():
            if name in true.tables:
                self._take(name, *facts)
        self._take_headlines()
        self._base()
        self._cohorts()
        self._cuts()
        self._nested()
        self._sums_of_a_year()

    def recomputable(self) -> list[Hashable]:
        """Return the small counts whose largest possible value is below the threshold."""
        return [self._name(cell) for cell in self._small() if self._largest(cell, self._free()) is None]

    def needless(self) -> list[Hashable]:
        """Return the hidden counts that could be shown again, no small one falling below the threshold."""
        free, found = self._free(), []
        moves = {cell: self._largest(cell, free) for cell in self._small()}
        for cell in sorted(self.cells):
            is_part_of_hidden = cell in self.parts and not self.known[self.parts[cell]]
            if self.known[cell] or cell in moves or is_part_of_hidden:
                continue
            affected = [small for small, move in moves.items() if move is not None and abs(move[cell]) > 1e-6]
            shown = free - {cell}
            if all(self._largest(small, shown) is not None for small in affected):
                found.append(self._name(cell))
        return found

    def _name(self, cell: int) -> Hashable:
        return next(name for name, at in self.names.items() if at == cell)

    def _free(self) -> set[int]:
        return {cell for cell, known in enumerate(self.known) if not known}

    def _small(self) -> list[int]:
        groups = {cell for cell in self.groups if 0 < self.values[cell] < self.min_cell}
        parts = {cell for cell, of in self.parts.items() if of in groups and self.values[cell] > 0}
        return sorted(groups | parts)

    def _largest(self, cell: int, free: set[int]) -> np.ndarray | None:
        """Return by how much all counts differ where this one is at the threshold; None if it can never be."""
        at = {one: nth for nth, one in enumerate(sorted(free))}
        if cell not in at:
            return None
        entries = [
            (row, at[one], factor) for row, of in enumerate(self.rows) for one, factor in of.items() if one in at
        ]
        rows, columns, factors = zip(*entries, strict=True) if entries else ((), (), ())
        least = -np.array([self.values[one] for one in sorted(free)])
        least[at[cell]] = self.min_cell - self.values[cell]
        sums = csr_array((factors, (rows, columns)), shape=(len(self.rows), len(free)))
        for whole in (0, 1):  # persons are whole; most corners of sums of them are so by themselves
            found = milp(
                np.zeros(len(free)),
                integrality=np.full(len(free), whole),
                bounds=Bounds(least, np.full(len(free), np.inf)),
                constraints=LinearConstraint(sums, 0, 0),
            )
            if found.x is None or np.abs(found.x - np.round(found.x)).max() < 1e-6:
                break
        if found.x is None:
            return None
        move = np.zeros(len(self.values))
        move[sorted(free)] = np.round(found.x)
        return move

    def _add(self, name: Hashable, value: float, *, known: bool, is_cell: bool = True) -> int:
        cell = self.names.setdefault(name, len(self.values))
        if cell == len(self.values):
            self.values.append(float(value))
            self.known.append(bool(known))
            if is_cell:
                self.cells.add(cell)
        return cell

    def _sum(self, whole: Hashable, *parts: Hashable) -> None:
        """Note that a count is the sum of others; what is not there is nobody."""
        row = {self.names[whole]: 1.0}
        for part in parts:
            row[self.names[part]] = row.get(self.names[part], 0) - 1.0
        assert sum(factor * self.values[cell] for cell, factor in row.items()) == 0, (whole, parts)
        self.rows.append(row)

    def _take(self, name: str, keys: list[str], groups: list[str], parts: Mapping[str, str]) -> None:
        true = self.true.tables[name].set_index(keys)
        published = self.published.tables[name].set_index(keys)
        for key, row in true.iterrows():
            seen = published.loc[key]
            for column in (*groups, *parts):
                is_told = any(
                    pd.notna(seen[share]) and column in pair for share, pair in SHARES.items() if share in seen
                )
                cell = self._add((name, key, column), row[column], known=pd.notna(seen[column]) or is_told)
                if column in groups:
                    self.groups.add(cell)
            for part, of in parts.items():
                self.parts[self.names[name, key, part]] = self.names[name, key, of]
                rest = self._add((name, key, f"not {part}"), row[of] - row[part], known=False, is_cell=False)
                self.rows.append({self.names[name, key, of]: 1.0, self.names[name, key, part]: -1.0, rest: -1.0})

    def _take_headlines(self) -> None:
        for name in ("customers", "active_customers"):
            if name in self.true.headlines:
                told = self.published.headlines[name].value is not None
                self.groups.add(self._add((name,), self.true.headlines[name].value, known=told))

    def _base(self) -> None:
        true, seen = (one.tables["active_base"].set_index(["rule", "period"]) for one in (self.true, self.published))
        for key, row in true.iterrows():
            cell = {of: ("active_base", key, of) for of in row.index}
            self._sum(cell["n_start"], cell["n_retained"], cell["n_lapsed"])
            self._sum(cell["n_end"], cell["n_retained"], cell["n_new"], cell["n_reactivated"])
            known = pd.notna(seen.loc[key, "textbook_retention_rate"]) and self.known[self.names[cell["n_start"]]]
            n_kept, has_rate = row["n_retained"] + row["n_reactivated"], row["n_start"] > 0
            kept = self._add(("active_base", key, "kept"), n_kept, known=known, is_cell=has_rate)
            self.parts[kept] = self.names[cell["n_start"]]
            self._sum(("active_base", key, "kept"), cell["n_retained"], cell["n_reactivated"])
            if pd.notna(seen.loc[key, "quick_ratio"]):  # (N + X) / L
                ratio = row["quick_ratio"]
                gained = dict.fromkeys((self.names[cell["n_new"]], self.names[cell["n_reactivated"]]), 1.0)
                self.rows.append(gained | {self.names[cell["n_lapsed"]]: -ratio})
            if pd.notna(seen.loc[key, "textbook_churn_rate"]):  # (S - E) / S
                ratio = row["textbook_churn_rate"]
                self.rows.append({self.names[cell["n_start"]]: 1 - ratio, self.names[cell["n_end"]]: -1.0})
        for rule, rows in true.reset_index().groupby("rule"):
            for before, after in pairwise(rows["period"]):
                self._sum(("active_base", (rule, before), "n_end"), ("active_base", (rule, after), "n_start"))
            if rule == "window":
                self._sum(("active_customers",), ("active_base", (rule, rows["period"].iloc[-1]), "n_end"))
        for table, columns in (("revenue_bridge", ("n_start", "n_end")), ("revenue_change", (None, "n_now"))):
            for period in self.true.tables.get(table, pd.DataFrame({"period": []}))["period"]:
                for own, other in zip(columns, ("n_start", "n_end"), strict=True):
                    if own and ("active_base", ("period", period), other) in self.names:
                        self._sum((table, period, own), ("active_base", ("period", period), other))
        for (rule, period), row in true.iterrows():
            if rule == "window":
                gone = true.loc[("period", period), "n_new"] - row["n_new"]
                self._add(("new and gone", period), gone, known=gone == 0, is_cell=False)
                names = [("active_base", (one, period), "n_new") for one in ("period", rule)]
                self._sum(*names, ("new and gone", period))

    def _cohorts(self) -> None:
        cells = self.true.tables["cohort_retention"]
        periods = pd.PeriodIndex(cells["cohort"], freq="M")
        cells = cells.assign(at=[str(p + age) for p, age in zip(periods, cells["age"], strict=True)])
        cells["quarter"] = [f"{p.year}-Q{p.quarter}" for p in periods]
        named = {(row.cohort, row.age): ("cohort_retention", (row.cohort, row.age)) for row in cells.itertuples()}
        for (cohort, age), cell in named.items():
            if age == 0:
                self._sum((*cell, "n"), (*cell, "n_active"))
            else:
                self._sum((*cell, "n"), (*named[cohort, age - 1], "n"))
        for period, rows in cells.groupby("at"):
            self._sum(("orders", period, "n_customers"), *((*named[c, a], "n_active") for c, a in self._of(rows)))
        for age, rows in cells[cells["left_truncated"] == 0].groupby("age"):
            self._sum(("pooled_retention", age, "n"), *((*named[c, a], "n") for c, a in self._of(rows)))
            self._sum(("pooled_retention", age, "n_active"), *((*named[c, a], "n_active") for c, a in self._of(rows)))
        first = cells[cells["age"] == 0]
        base = self.true.tables["active_base"].query("rule == 'period'")["period"]
        for quarter in base:
            of = [(*named[c, 0], "n") for c in first.loc[first["quarter"] == quarter, "cohort"]]
            self._sum(("active_base", ("period", quarter), "n_new"), *of)
        rest = self.true.headlines["customers"].value - first["n"].sum()
        self.groups.add(self._add(("not yet a cohort",), rest, known=False, is_cell=False))
        self._sum(("customers",), ("not yet a cohort",), *((*named[c, 0], "n") for c in first["cohort"]))

    @staticmethod
    def _of(rows: pd.DataFrame) -> Iterator[tuple[str, int]]:
        return rows[["cohort", "age"]].itertuples(index=False, name=None)

    def _cuts(self) -> None:
        rows = self.true.tables["returned"]
        for (cut, landmark, days), values in rows.groupby(["cut", "landmark_days", "horizon_days"]):
            if cut == "everybody" or landmark > 0:
                continue
            for column in ("n_observed", "n_returned"):
                whole = ("returned", ("everybody", "everybody", days), column)
                unknown = self.values[self.names[whole]] - values[column].sum()
                name = ("unknown", cut, days, column)
                nobody = self.values[self.names["returned", ("everybody", "everybody", days), "n_observed"]]
                nobody -= values["n_observed"].sum()  # where nobody is unknown, that is seen or known of such a cut
                rest = self._add(name, unknown, known=nobody == 0, is_cell=False)
                if column == "n_observed":
                    self.groups.add(rest)
                self._sum(whole, name, *(("returned", (cut, value, days), column) for value in values["value"]))

    def _nested(self) -> None:
        """Of the rows of a table that hold each other's customers, the difference of two is a group too."""
        windows = self.true.tables["windows"]["window_days"].sort_values(ascending=False)
        for _, last in self.true.tables["active_base"].query("rule == 'window'").tail(1).iterrows():
            for row in self.true.tables["windows"].itertuples():
                if (row.n_start, row.n_retained) == (last["n_start"], last["n_retained"]):
                    for column in ("n_start", "n_retained"):
                        base = ("active_base", ("window", last["period"]), column)
                        self._sum(("windows", row.window_days, column), base)
        brackets = self.true.tables["brackets"]
        by_day = {last: ("brackets", (first, last), "n_observed") for first, last in
                  brackets[["first_day", "last_day"]].itertuples(index=False)}  # fmt: skip
        days = [by_day[day] for day in sorted(by_day)]
        for names in ([("windows", days_, "n_start") for days_ in windows], [("customers",), *days]):
            for outer, inner in pairwise(names):
                more = self.values[self.names[outer]] - self.values[self.names[inner]]
                self.groups.add(self._add(("between", outer, inner), more, known=False, is_cell=False))
                self._sum(outer, inner, ("between", outer, inner))
        self._sum(("next_order", 1, "n"), ("customers",))

    def _sums_of_a_year(self) -> None:
        """Add the sums that the simple lifetime value is made of: of four quarters, by who ordered in them."""
        base = self.true.tables["active_base"].query("rule == 'period'")
        year = base.tail(4)
        if len(year) < 4 or "customer_lifespan" not in self.true.headlines:
            return
        complete = year[year["left_truncated"] == 0]
        for headline, rows, column in (
            ("purchase_frequency_per_period", year, "n_end"),
            ("customer_lifespan", complete, "n_start"),
            ("customer_lifespan", complete, "n_lapsed"),
        ):
            one = self.published.headlines.get(headline)
            known = one is not None and one.value is not None
            self._add(("year", column), rows[column].sum(), known=known, is_cell=False)
            self._sum(("year", column), *(("active_base", ("period", p), column) for p in rows["period"]))
