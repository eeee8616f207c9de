"""Protection: which numbers of a publication are hidden, so that nothing in it tells of fewer than `min_cell` persons.

A publication is the counts that would be printed and what holds between them. *Primary* are small groups of persons,
and the counts within them. *Complementary* are the fewest and least informative others without which a sum, a
difference or a complement would give a small one back: whatever is still shown, each small count could as well be
`min_cell` or more (Fischetti & Salazar 2000, "Models and algorithms for optimizing cell suppression in tabular data
with linear constraints"). Files hold numbers unrounded: a share with its n is its count, and no rounding protects.
"""

from collections import deque
from collections.abc import Hashable, Iterable, Iterator, Sequence

import numpy as np
import pandas as pd

from retention_kit.errors import MetricError

_LARGEST_EXACT = 600
"""Small counts times counts of a linked set up to which the best choice is looked for among all."""

_LARGEST_IN_WHOLES = 30_000
"""The same up to which a count is hidden or not in the search; beyond it a part of it may be, and it is hidden then."""

_LARGEST_WHOLE = 1500
"""Linked counts from which what is hidden for a small one is looked for in its neighbourhood."""

_NEIGHBOURHOODS = (200, 700)
"""Printed counts of a neighbourhood; of the next one where the first does not suffice."""

_NEAREST_OF_A_SUM = 12
_MOST_BRANCHES = 500
_NEARLY = 1e-6
_FINENESS = 1000.0
"""Scale of the weights, so that a solver's tolerance is less than a person."""

_FARTHEST = 4
"""How far a count is moved in the search, in `min_cell`."""

_FIRST_BEFORE_LAST = 1000.0
"""How much more the first of several small counts counts than the last: some are lifted whole rather than all a bit."""

_PRICE_OF_A_MOVE = 1e-4
"""Of a person by whom a printed count is moved, in persons by whom a small one is lifted: moves are few."""


class Publication:
    """The counts that would be printed together, by name, and what holds between them.

    A count named twice is one number printed in two places: it is hidden in both or in none, and weighs more.
    """

    def __init__(self) -> None:
        self._places: dict[Hashable, int] = {}
        self._n: list[int] = []
        self._weights: list[int] = []
        self._is_group: list[bool] = []
        self._is_printed: list[bool] = []
        self._wholes: dict[int, int] = {}
        self._followers: dict[int, set[int]] = {}
        self._sums: list[tuple[int, list[int]]] = []

    def group(self, name: Hashable, n: int, *, weight: int = 1) -> None:
        """Print the number of persons of a group; `weight` is how many numbers are lost with it."""
        self._is_group[self._placed(name, n, weight)] = True

    def part(self, name: Hashable, n: int, *, of: Hashable, weight: int = 1) -> None:
        """Print how many of a group are counted: small only where the group is, and shown only beside its n."""
        place, whole = self._placed(name, n, weight), self._places[of]
        self._wholes[place] = whole
        if place != whole:
            self._followers.setdefault(whole, set()).add(place)

    def number(self, name: Hashable, n: int, *, of: Iterable[Hashable] = (), weight: int = 1) -> None:
        """Print a count of persons who are no group of their own; it is shown only beside all of `of`."""
        place = self._placed(name, n, weight)
        for other in of:
            self._followers.setdefault(self._places[other], set()).add(place)

    def known(self, name: Hashable, n: int) -> None:
        """Take a number as known to every reader: it cannot be hidden."""
        self._is_printed[self._placed(name, n, 0)] = False
        self._sums.append((self._places[name], []))

    def rest(self, name: Hashable, n: int) -> None:
        """Take persons into account who are printed nowhere."""
        self._is_printed[self._placed(name, n, 0)] = False

    def rest_group(self, name: Hashable, n: int) -> None:
        """Take a group into account that is printed nowhere, and is had from others all the same."""
        self.rest(name, n)
        self._is_group[self._places[name]] = True

    def difference(self, name: Hashable, *, of: Hashable, less: Hashable) -> None:
        """Take the persons of one group who are not in another, all of which are in it: a group that nobody prints."""
        self.rest_group(name, self._n[self._places[of]] - self._n[self._places[less]])
        self.total(of, [less, name])

    def total(self, whole: Hashable, parts: Iterable[Hashable]) -> None:
        """Note that one count is the sum of others.

        Raises
        ------
        MetricError : it is not.
        """
        place, places = self._places[whole], [self._places[part] for part in parts]
        if self._n[place] != sum(self._n[part] for part in places):
            raise MetricError(
                "A published total is not the sum of its parts.",
                found=f"{whole}: {self._n[place]}, its parts: {', '.join(str(self._n[part]) for part in places)}",
                to_try="count again without the counts store; if it stays, report it: it is a fault of the kit",
            )
        self._sums.append((place, places))

    def __contains__(self, name: Hashable) -> bool:
        """Tell whether a count of the name is in it."""
        return name in self._places

    def hidden(self, *, min_cell: int) -> frozenset[Hashable]:
        """Return the names of the printed counts that are hidden.

        Parameters
        ----------
        min_cell : least number of persons that is told; 1 hides nothing.
        """
        n = np.array(self._n, dtype=np.int64)
        is_small = np.array(self._is_group, dtype=bool) & (n > 0) & (n < min_cell)
        if not is_small.any():
            return frozenset()
        wholes = np.arange(len(n))
        wholes[list(self._wholes)] = list(self._wholes.values())
        primary = is_small | is_small[wholes] & (n > 0)
        hidden = np.zeros(len(n), dtype=bool)
        self._hide(np.flatnonzero(primary), hidden)
        for places in self._linked(primary):
            linked = _Linked(self, places, min_cell=min_cell)
            hidden[linked.chosen(primary, hidden)] = True
        hidden &= np.array(self._is_printed)
        return frozenset(name for name, place in self._places.items() if hidden[place])

    def _placed(self, name: Hashable, n: int, weight: int) -> int:
        place = self._places.setdefault(name, len(self._n))
        if place == len(self._n):
            self._n.append(int(n))
            self._weights.append(0)
            self._is_group.append(False)
            self._is_printed.append(True)
        if self._n[place] != n:
            raise MetricError("One number has two values.", found=f"{name}: {self._n[place]} and {n}")
        self._weights[place] += weight
        return place

    def _hide(self, places: Iterable[int], hidden: np.ndarray) -> None:
        """Hide counts, and what is shown only beside them."""
        waiting = [int(place) for place in places]
        while waiting:
            place = waiting.pop()
            if not hidden[place]:
                hidden[place] = True
                waiting += self._followers.get(place, ())

    def _linked(self, primary: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the counts that hang together with each small one, by sums or by being shown together."""
        neighbours: dict[int, list[tuple[int, ...]]] = {}
        knots = [(whole, *parts) for whole, parts in self._sums]
        knots += [(place, *others) for place, others in self._followers.items()]
        for knot in knots:
            for place in knot:
                neighbours.setdefault(place, []).append(knot)
        seen = np.zeros(len(self._n), dtype=bool)
        for first in np.flatnonzero(primary):
            waiting = [] if seen[first] else [int(first)]
            together = []
            seen[first] = True
            while waiting:
                place = waiting.pop()
                together.append(place)
                for other in {other for knot in neighbours.get(place, ()) for other in knot}:
                    if not seen[other]:
                        seen[other] = True
                        waiting.append(other)
            if together:
                yield np.array(sorted(together))


class _Linked:
    """Counts that hang together, and the search for those to hide."""

    def __init__(self, publication: Publication, places: np.ndarray, *, min_cell: int) -> None:
        from scipy.sparse import csr_array  # only where something is small: it takes longer than all the rest

        here = {int(place): nth for nth, place in enumerate(places)}
        self.places, self.min_cell = places, min_cell
        self.n = np.array(publication._n, dtype=float)[places]
        self.weights = np.array(publication._weights, dtype=float)[places]
        self.is_printed = np.array(publication._is_printed)[places]
        wholes = [publication._n[publication._wholes.get(int(place), int(place))] for place in places]
        self.rises = min_cell - np.minimum(self.n, wholes)
        self.near: dict[tuple[int, int], np.ndarray] = {}
        self.borne = [
            (here[place], here[other])
            for place, others in publication._followers.items()
            if place in here
            for other in sorted(others)
        ]
        sums = [(here[whole], [here[part] for part in parts]) for whole, parts in publication._sums if whole in here]
        of = [(row, cell, 1.0 if cell == whole else -1.0) for row, (whole, parts) in enumerate(sums)
              for cell in (whole, *parts)]  # fmt: skip
        rows, cells, signs = zip(*of, strict=True) if of else ((), (), ())
        self.sums = csr_array((signs, (rows, cells)), shape=(len(sums), len(places)))
        self.of_cell = self.sums.tocsc()
        self.is_whole = len(places) <= _LARGEST_WHOLE
        self.wholes = [whole for whole, _ in sums]
        self.moves = _Moves(self)

    def chosen(self, primary: np.ndarray, hidden: np.ndarray) -> np.ndarray:
        """Return the places of those to hide, the primary and the complementary ones.

        The best of all choices where they are few; else for one small count after another the best that can be added.
        What no small count needs is shown again. Where all that could be hidden does not suffice, all of it is.
        """
        small, forced = np.flatnonzero(primary[self.places]), hidden[self.places]
        found = forced.copy()
        self.is_in_wholes = self.is_whole and len(small) * len(self.n) <= _LARGEST_IN_WHOLES
        if len(small) * len(self.n) <= _LARGEST_EXACT:
            found |= self._cheapest(found, small)
        self.moves.find(found, small)
        for cell in small:
            for is_whole in (False, True):
                if self.moves.without(found, [cell]):
                    self._hide(found, self._cheapest(found, [cell], whole=is_whole))
                    self.moves.find(found, small)
            if self.moves.without(found, [cell]):
                return self.places[forced | self.is_printed]
        self._show_again(found, forced, small)
        return self.places[found]

    def _hide(self, hidden: np.ndarray, more: np.ndarray) -> None:
        """Hide more, and what is shown only beside it."""
        hidden |= more
        if self.borne:
            leaders, followers = np.transpose(self.borne)
            while (left := followers[hidden[leaders] & ~hidden[followers]]).size:
                hidden[left] = True

    def _around(self, cell: int, most: int) -> np.ndarray:
        """Return the counts that hang together with one by the fewest sums; all where they are not too many."""
        if self.is_whole:
            return np.arange(len(self.n))
        if (cell, most) not in self.near:
            found, waiting = {cell: None}, deque([cell])
            n_printed = 0
            while waiting and n_printed < most:
                one = waiting.popleft()
                for row in self._row(self.of_cell, one):
                    members = sorted(self._row(self.sums, row), key=lambda other: abs(other - one))
                    nearest = members[:_NEAREST_OF_A_SUM]
                    for other in (*nearest, self.wholes[row]):
                        if other not in found:
                            found[other] = None
                            n_printed += bool(self.is_printed[other])
                            waiting.append(other)
            rows = {row for one in found for row in self._row(self.of_cell, one)}
            rests = {other for row in rows for other in self._row(self.sums, row) if not self.is_printed[other]}
            self.near[cell, most] = np.array(sorted({*found, *rests}))
        return self.near[cell, most]

    @staticmethod
    def _row(matrix, nth: int) -> list[int]:
        return matrix.indices[matrix.indptr[nth] : matrix.indptr[nth + 1]].tolist()

    def _show_again(self, hidden: np.ndarray, forced: np.ndarray, small: Sequence[int]) -> None:
        """Show again whatever no small count needs: those that weigh most first, and none before what bears it."""
        leaders: dict[int, list[int]] = {}
        for leader, follower in self.borne:
            leaders.setdefault(follower, []).append(leader)
        waiting = sorted(np.flatnonzero(hidden & ~forced), key=lambda one: (-self.weights[one], -self.n[one], one))
        while waiting:
            free = (one for one in waiting if not any(other in waiting for other in leaders.get(one, ())))
            cell = next(free, waiting[0])
            waiting.remove(cell)
            if any(hidden[other] for other in leaders.get(cell, ())):
                continue
            hidden[cell] = False
            if self.moves.without(hidden, small):
                hidden[cell] = True

    def _cheapest(self, hidden: np.ndarray, small: Sequence[int], *, whole: bool = False) -> np.ndarray:
        """Return which others to hide so that each small count can be at the threshold; all where none suffice."""
        more = np.zeros(len(self.n), dtype=bool)
        for most in _NEIGHBOURHOODS if len(small) == 1 else _NEIGHBOURHOODS[-1:]:
            around = self._around(small[0], most)
            chosen = around[(self.is_printed & ~hidden)[around]]
            if len(chosen):
                found = self._solved(around, small, chosen=chosen, whole=whole)
                if found is not None:
                    more[chosen] = found > (0.5 if self.is_in_wholes else _NEARLY)
                    return more
        more[self.is_printed & ~hidden] = True
        return more

    def _solved(
        self, free: np.ndarray, small: Sequence[int], *, chosen: Sequence[int], whole: bool
    ) -> np.ndarray | None:
        """Return of each of `chosen` whether it moves, so that each small count can rise to the threshold.

        Of the least weight, then the fewest persons, then the first ones; None where no move of the free ones does.
        """
        from scipy.optimize import Bounds, LinearConstraint, milp
        from scipy.sparse import csr_array, eye_array, hstack, kron, vstack

        each, n_chosen, at = eye_array(len(small)), len(chosen), np.searchsorted(free, chosen)
        most = np.tile([np.full(len(free), np.inf), self.n[free]], (len(small), 1, 1))
        most[:, :, at] = np.minimum(most[:, :, at], _FARTHEST * self.min_cell)
        limits = most[:, :, at].reshape(-1)
        least = np.zeros_like(most)
        own = (np.arange(len(small)), 0, np.searchsorted(free, small))
        least[own] = self.rises[list(small)]
        most[own[0], 1, own[2]] = 0
        sums = kron(each, hstack([self.sums[:, free], -self.sums[:, free]]))
        moves = kron(eye_array(2 * len(small)), eye_array(len(free), format="csr")[at])
        switches = csr_array(
            (limits, (np.arange(len(limits)), np.tile(np.arange(n_chosen), 2 * len(small)))),
            shape=(len(limits), n_chosen),
        )
        together = self._shown_together(chosen)
        nothing = csr_array((sums.shape[0], n_chosen)), csr_array((together.shape[0], sums.shape[1]))
        rows = vstack([hstack([sums, nothing[0]]), hstack([moves, -switches]), hstack([nothing[1], together])])
        lower = np.full(rows.shape[0], -np.inf)
        lower[: sums.shape[0]] = 0
        persons = self.n[list(chosen)]
        order = (persons + np.arange(n_chosen) / n_chosen**2) / (persons.sum() + 1)
        is_integer = np.concatenate([np.full(least.size, int(whole)), np.full(n_chosen, int(self.is_in_wholes))])
        found = milp(
            np.concatenate([np.zeros(least.size), _FINENESS * (self.weights[list(chosen)] + order)]),
            integrality=is_integer,
            bounds=Bounds(
                np.concatenate([least.reshape(-1), np.zeros(n_chosen)]),
                np.concatenate([most.reshape(-1), np.ones(n_chosen)]),
            ),
            constraints=LinearConstraint(rows, lower, np.zeros(rows.shape[0])),
            # with whole numbers, what is presolved may be told on stdout
            options={"mip_rel_gap": 0.0, "node_limit": _MOST_BRANCHES, "presolve": not is_integer.any()},
        )
        return None if found.x is None else found.x[-n_chosen:]

    def _shown_together(self, chosen: Sequence[int]):
        """Return a row for each of `chosen` that is shown only beside another of them: 1 there, −1 at itself."""
        from scipy.sparse import csr_array

        nth = {int(cell): place for place, cell in enumerate(chosen)}
        pairs = [(nth[leader], nth[follower]) for leader, follower in self.borne if leader in nth and follower in nth]
        rows = np.repeat(np.arange(len(pairs)), 2)
        signs = np.tile([1.0, -1.0], len(pairs))
        return csr_array((signs, (rows, np.array(pairs, dtype=int).reshape(-1))), shape=(len(pairs), len(chosen)))


class _Moves:
    """By how much counts can differ from what they are, so that a small one is at the threshold.

    What is shown stays, all sums hold, nobody is less than nobody, and persons are whole. A move that was found stays:
    it may lift another count too, and does as long as nothing of it is shown.
    """

    def __init__(self, linked: _Linked) -> None:
        from scipy.sparse import csr_array

        self._n, self._rises, self._is_printed = linked.n, linked.rises, linked.is_printed
        self._sums = linked.of_cell
        self._knots = csr_array(abs(linked.sums))
        self._of_cell = csr_array(self._knots.T)
        self._found: dict[int, list[np.ndarray]] = {}

    def without(self, hidden: np.ndarray, small: Sequence[int]) -> bool:
        """Tell whether a small count has no move while only some counts are hidden."""
        left = self._unlifted(hidden, small)
        is_free = self._not_given(hidden | ~self._is_printed) if left else None
        while left:
            if not is_free[left].all():
                return True
            lifted = self._lifted(is_free, left)
            if not lifted and len(left) > 1:
                lifted = self._lifted(is_free, left[:1])
            if not lifted:
                return True
            left = [one for one in left if one not in lifted]
        return False

    def find(self, hidden: np.ndarray, small: Sequence[int]) -> None:
        """Find moves for as many small counts as are lifted together while only some counts are hidden."""
        is_free = self._not_given(hidden | ~self._is_printed)
        left = [one for one in self._unlifted(hidden, small) if is_free[one]]
        while left and (lifted := self._lifted(is_free, left)):
            left = [one for one in left if one not in lifted]

    def _unlifted(self, hidden: np.ndarray, small: Sequence[int]) -> list[int]:
        """Return the small counts none of whose moves that were found is still possible."""
        is_free = hidden | ~self._is_printed
        return [one for one in small if not any(is_free[cells].all() for cells in self._found.get(one, ()))]

    def _not_given(self, is_free: np.ndarray) -> np.ndarray:
        """Return which counts stay free: of a sum of which all others are shown, the last one is shown too."""
        is_free = is_free.copy()
        while (is_given := is_free & (self._of_cell @ (self._knots @ is_free == 1.0) > 0)).any():
            is_free &= ~is_given
        return is_free

    def _lifted(self, is_free: np.ndarray, small: Sequence[int], *, whole: bool = False) -> set[int]:
        """Return which of some small counts are lifted by the moves of the free ones that lift most of them."""
        from scipy.optimize import Bounds, LinearConstraint, milp
        from scipy.sparse import hstack

        free, of_part = self._linked_with(is_free, small)
        sums = self._sums[:, free]
        own = np.searchsorted(free, small)
        moved = np.where(self._is_printed[free], _PRICE_OF_A_MOVE, 0.0)
        falls = moved.copy()
        gains = np.geomspace(_FIRST_BEFORE_LAST, 1.0, len(small))
        falls[own] += gains
        found = milp(
            np.concatenate([moved, falls, -gains]),
            integrality=np.full(2 * len(free) + len(small), int(whole)),
            bounds=Bounds(0, np.concatenate([np.full(len(free), np.inf), self._n[free], self._rises[list(small)]])),
            constraints=LinearConstraint(hstack([sums, -sums, sums[:, own]]), 0, 0),
            options={"mip_rel_gap": 0.0, "node_limit": _MOST_BRANCHES, "presolve": not whole},
        )
        if found.x is None:
            return set()
        rises, falls, own_rises = np.split(found.x, [len(free), 2 * len(free)])
        moves = rises - falls
        moves[own] += own_rises
        moves, is_whole = self._in_wholes(moves, of_part, n=self._n[free])
        if not whole and len(small) == 1 and not is_whole[own[0]] and moves[own[0]] > self._rises[small[0]] - _NEARLY:
            return self._lifted(is_free, small, whole=True)
        moves, lifted = np.round(moves), set()
        for one, nth in zip(small, own, strict=True):
            if is_whole[nth] and moves[nth] >= self._rises[one]:
                lifted.add(one)
                self._found.setdefault(one, []).append(free[(of_part == of_part[nth]) & (moves != 0)])
        return lifted

    @staticmethod
    def _in_wholes(moves: np.ndarray, of_part: np.ndarray, *, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the moves, a part in halves or thirds as many times as far, and of each whether its part is whole."""
        told = moves
        for times in (1, 2, 3):
            farther = times * told
            fails = (np.abs(farther - np.round(farther)) > _NEARLY) | (n + np.round(farther) < 0)
            is_whole = np.bincount(of_part, fails)[of_part] == 0
            moves = np.where(is_whole & (moves == told), farther, moves)
        return moves, np.bincount(of_part, np.abs(moves - np.round(moves)) > _NEARLY)[of_part] == 0

    def _linked_with(self, is_free: np.ndarray, small: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Return the free counts that hang together with some, and which part of them each is of."""
        from scipy.sparse.csgraph import connected_components

        free = np.flatnonzero(is_free)
        knots = self._knots[:, free]
        _, part = connected_components(knots.T @ knots, directed=False)
        is_near = np.isin(part, part[np.searchsorted(free, small)])
        return free[is_near], part[is_near]


def small_rows(
    table: pd.DataFrame, *, n: Sequence[str], keys: Sequence[str], min_cell: int, within: Sequence[str] = ()
) -> pd.DataFrame:
    """Return a table with every value of its small rows absent, and of those that keep a total from giving one back.

    Parameters
    ----------
    table : any table with one row per group of customers.
    n : its columns with numbers of customers; a row is small if one of them is.
    keys : the columns that name the row and stay.
    min_cell : least number of customers that is shown; 0 customers is no small cell.
    within : the keys whose rows add up to a total that is known; all rows where not given.

    Returns
    -------
    The same rows; numbers as float, NaN where hidden; and `hidden`, which says where.
    """
    counts = table[list(n)].fillna(0)
    hidden = pd.Series(False, index=table.index)
    small = ((counts > 0) & (counts < min_cell)).any(axis=1)
    group = table.groupby(list(within)).ngroup() if within else pd.Series(0, index=table.index)
    for _, rows in counts[group.isin(group[small])].groupby(group):
        hidden.loc[_hidden_rows(rows, min_cell=min_cell)] = True
    values = [column for column in table if column not in keys]
    shown = table.astype(dict.fromkeys(values, "float64"))
    shown.loc[hidden, values] = np.nan
    return shown.assign(hidden=hidden)


def _hidden_rows(counts: pd.DataFrame, *, min_cell: int) -> list:
    """Return the rows to hide of a table whose columns of counts have totals that are known; a row is hidden whole."""
    publication = Publication()
    for column, sizes in counts.items():
        for row, size in sizes.items():
            publication.group((row, column), size)
        publication.known(column, sizes.sum())
        publication.total(column, [(row, column) for row in counts.index])
    for row, sizes in counts.iterrows():
        for column, size in sizes.items():
            publication.number((row, column), size, of=[(row, other) for other in counts if other != column], weight=0)
    return list({row: None for row, _ in sorted(publication.hidden(min_cell=min_cell))})
