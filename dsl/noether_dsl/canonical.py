"""The normal form: one representative per class of formulas that are conserved together.

Most formulas of the raw enumeration say the same thing: a*(b*x), x/a and a*x; f, a*f and a + f at the root; sin and cos
once their argument has a phase of its own. The generator below builds only one of each, directly, so that ten nodes
stay within seconds. A formula that is left out is a member, for some parameters, of the family of a formula that is
kept and has no more nodes: nothing is lost. The rules (docs/language.md says why each is sound):

    parameters    no composite of parameters alone; at most one parameter in a product, one in a sum
    coefficients  a*f is the outermost of its product; squares and factors hold none that could be pulled out
    products      left-nested, factors in increasing order; one fraction bar; f*f and f/f refused; f^2 g^2 is (f g)^2
    sums          left-nested, terms in increasing order, a lone parameter last; f - f refused; a sign that a
                  coefficient or the whole can absorb is +
    phases        cos(f + a) is sin(f + b)
    scale         where only the sum's shape matters (at the root, under a coefficient, in squares and factors) one term
                  has no coefficient, the first one that is not a/f
    repetition    f + f, f*f and f/f stay where f has parameters of its own, since each copy has its own
    vectors       dot, cross and norm hold no coefficient and dot and cross no factor that could be pulled out; cross
                  and the triple product in one order; f**2 for dot(f, f), norm(f)**2 and, at the root, norm(f)
    root          no outer coefficient, no outer shift, no one-to-one function (nor a square of squares), f/g and not
                  g/f

f^2 at the root stays: f may change sign along a trajectory while |f| is conserved. So do sin and cos, for wrapped
angles.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .enumeration import LEAF, Rows, Table
from .formula import PARAMETER as PARAMETER_HEAD
from .grammar import Grammar, GrammarError
from .operators import FREE, OPERATORS, Kind
from .ranks import NUMBER

INPUT, PARAMETER, FUNCTION, PRODUCT, QUOTIENT, SCALED, RECIPROCAL, SUM = range(8)
"""What a row is: a*f is SCALED, a/f is RECIPROCAL."""

Mask = NDArray[np.bool_]
Small = NDArray[np.int8]


@dataclass
class _Columns:
    """Rows under construction, with what the rules need to know of each.

    operator, left, right, unit: as in `Table`.
    kind: one of the constants above.
    scaled: every term has a coefficient, so that the family is closed under scaling.
    bare: how many terms have no coefficient; coefficients: how many have one.
    leads: the first term has no coefficient.
    offset: a lone parameter among the terms.
    shape: the row is its family's representative where only its shape matters (rule "scale").
    negative: a difference with the opposite sign, for functions that are neither odd nor even.
    signless: its sign can be absorbed inside (an odd function of something scaled).
    varied: it has a parameter that is not its outer coefficient, so that two copies of it can differ.
    reciprocal: a/f, or a sum of such terms and a lone parameter; none of them can go without its coefficient.
    order: the place in a sum of which it is a term; for a sum or a product, that of its last term or factor.
    """

    operator: NDArray[np.int16]
    left: Rows
    right: Rows
    unit: Rows
    kind: Small
    scaled: Mask
    bare: Small
    coefficients: Small
    leads: Mask
    offset: Mask
    shape: Mask
    negative: Mask
    signless: Mask
    varied: Mask
    reciprocal: Mask
    order: Rows

    @classmethod
    def of(cls, number: int, **values: object) -> _Columns:
        """`number` rows; every column is given or takes its plain value."""
        plain: dict[str, tuple[type, object]] = {
            "operator": (np.int16, LEAF), "left": (np.int32, -1), "right": (np.int32, -1), "unit": (np.int32, 0),
            "kind": (np.int8, FUNCTION), "scaled": (np.bool_, False), "bare": (np.int8, 1),
            "coefficients": (np.int8, 0), "leads": (np.bool_, True), "offset": (np.bool_, False),
            "shape": (np.bool_, True), "negative": (np.bool_, False), "signless": (np.bool_, False),
            "varied": (np.bool_, False), "reciprocal": (np.bool_, False), "order": (np.int32, -1),
        }  # fmt: skip
        columns: dict[str, NDArray[Any]] = {
            name: np.broadcast_to(np.asarray(values.get(name, default), dtype=kind), (number,))
            for name, (kind, default) in plain.items()
        }
        return cls(**columns)

    def __len__(self) -> int:
        return len(self.operator)

    @classmethod
    def stacked(cls, parts: list[_Columns]) -> _Columns:
        """One below the other."""
        return cls(**{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)})


class _Kinds:
    """What rows can be (dimension and rank), by number; the typing rules on arrays of numbers (each distinct pair is
    decided once). 0 is a number of free dimension."""

    def __init__(self, grammar: Grammar) -> None:
        self.grammar = grammar
        self.numbers: dict[Kind, int] = {(FREE, NUMBER): 0}
        self.known: list[Kind] = [(FREE, NUMBER)]

    def number(self, kind: Kind) -> int:
        if kind not in self.numbers:
            self.numbers[kind] = len(self.known)
            self.known.append(kind)
        return self.numbers[kind]

    def apply(self, operator: str, *operands: Rows) -> Rows:
        """The results' numbers, -1 where the operands are incompatible."""
        key = operands[0].astype(np.int64)
        for more in operands[1:]:
            key = (key << 32) | more
        distinct, where = np.unique(key, return_inverse=True)
        results = np.empty(len(distinct), np.int32)
        for i, code in enumerate(distinct.tolist()):
            pair = (code,) if len(operands) == 1 else (code >> 32, code & 0xFFFFFFFF)
            result = OPERATORS[operator].typed(tuple(self.known[u] for u in pair), self.grammar.angle)
            results[i] = -1 if result is None else self.number(result)
        return results[where]

    def free(self, kind: int) -> int:
        """The kind of the same rank whose dimension is free."""
        return self.number((FREE, self.known[kind][1]))

    def scaled(self, kinds: Rows) -> Rows:
        """What a parameter makes of them."""
        return np.array([self.free(kind) for kind in range(len(self.known))], np.int32)[kinds]

    def ranks(self, kinds: Rows) -> NDArray[np.int8]:
        return np.array([rank for _, rank in self.known], np.int8)[kinds]


@dataclass(frozen=True)
class NormalForms:
    """The representatives, as rows of a table of all the sub-formulas that they need.

    table: the sub-formulas, smallest first.
    roots_F: rows of the table that are representatives, smallest first.
    vectors_F: those that are vectors, for quantities of which every component is conserved. They are representatives
        of vectors, under coefficients alone.
    """

    table: Table
    roots_F: Rows
    vectors_F: Rows

    def __len__(self) -> int:
        return len(self.roots_F)

    def by_nodes(self) -> NDArray[np.int64]:
        """How many representatives have 1, 2, ... nodes."""
        return np.bincount(self.table.size_F[self.roots_F], minlength=int(self.table.size_F.max()) + 1)[1:]


def normal_forms(
    grammar: Grammar, progress: Callable[[int, int], None] | None = None, at_most: int | None = None
) -> NormalForms:
    """One representative per class of formulas conserved together, up to the grammar's node limit.

    at_most: stop before the node count whose representatives would exceed this number in all; what was completed is
        seen in the table's largest size.

    Raises GrammarError for a grammar with a finite list of parameter units: reparametrisation would leave the list.
    """
    if grammar.parameter_units is not None:
        raise GrammarError("the normal form needs inferred parameter units; use the raw form with a list of units")
    return _Generator(grammar).run(progress, at_most)


class _Generator:
    def __init__(self, grammar: Grammar) -> None:
        self.grammar = grammar
        self.operators = grammar.operators + _implied(grammar.operators)
        self.units = _Kinds(grammar)
        leaves = sorted(grammar.leaves(), key=lambda leaf: leaf[0].head == PARAMETER_HEAD)
        self.leaves = tuple(leaves)
        kinds = [PARAMETER if leaf.head == PARAMETER_HEAD else INPUT for leaf, _ in leaves]
        lone = np.array(kinds) == PARAMETER
        self.parameter = len(leaves) - 1
        self.vectors = bool(grammar.vectors)
        self.rows = _Columns.of(
            len(leaves), unit=[self.units.number((d, leaf.rank)) for leaf, d in leaves], kind=kinds, scaled=lone,
            order=np.arange(len(leaves)),
        )  # fmt: skip
        self.bounds = [0, 0, len(leaves)]  # rows of n nodes are bounds[n] to bounds[n + 1]

    def run(self, progress: Callable[[int, int], None] | None, at_most: int | None) -> NormalForms:
        roots, vectors = [self.roots(1)], [self.vector_roots(1)]
        for size in range(2, self.grammar.max_nodes + 1):
            parts = [part for part in self.of_size(size) if len(part)]
            parts = [_masked(part, part.unit >= 0) for part in parts]
            total = sum(len(part) for part in parts)
            start = len(self.rows)
            if parts:
                grown = _Columns.stacked(parts)
                own = np.arange(start, start + total, dtype=np.int32)
                grown.order = np.where(grown.order < 0, own, grown.order)
                self.rows = _Columns.stacked([self.rows, grown])
            self.bounds.append(len(self.rows))
            found = self.roots(size)
            if at_most is not None and sum(map(len, roots)) + len(found) > at_most:
                self.bounds.pop()
                break
            roots.append(found)
            vectors.append(self.vector_roots(size))
            if progress is not None:
                progress(size, sum(map(len, roots)))
        end = self.bounds[-1]
        sizes = np.diff(self.bounds[1:])
        table = Table(
            self.operators,
            self.leaves,
            tuple(unit for unit, _ in self.units.known),
            tuple(rank for _, rank in self.units.known),
            self.rows.operator[:end],
            self.rows.left[:end],
            self.rows.right[:end],
            self.rows.unit[:end],
            np.repeat(np.arange(1, len(sizes) + 1, dtype=np.int8), sizes),
        )
        return NormalForms(table, np.concatenate(roots).astype(np.int32), np.concatenate(vectors).astype(np.int32))

    # --- rows of one size ------------------------------------------------------------------------------------------

    def rows_of(self, size: int) -> Rows:
        return np.arange(self.bounds[size], self.bounds[size + 1], dtype=np.int32)

    def of_size(self, size: int) -> list[_Columns]:
        parts = []
        for name in self.grammar.operators:
            if OPERATORS[name].arity == 1:
                parts.append(self.functions(name, self.rows_of(size - 1)))
        binary = set(self.grammar.operators)
        for left in range(1, size - 1):
            a, b = self.rows_of(left), self.rows_of(size - 1 - left)
            if binary & {"mul", "div"}:
                parts.append(self.products(a, b))
            if binary & {"mul", "div", "add", "sub"}:
                parts.append(self.scalings(a, b))
            if "div" in binary:
                parts += [self.quotients(a, b), self.reciprocals(a, b)]
            if binary & {"add", "sub"}:
                parts += [self.sums("add", a, b), self.offsets(a, b)]
            if "sub" in binary:
                parts += [self.sums("sub", a, b)]
                if any(OPERATORS[n].arity == 1 and OPERATORS[n].parity == 0 for n in binary):
                    parts.append(self.negatives(a, b))
            for name in self.grammar.operators:
                row = OPERATORS[name]
                if row.arity == 2 and row.linear:
                    parts.append(self.vector_products(name, a, b))
                elif row.arity == 2 and name not in _SIGNS:
                    parts.append(self.others(name, a, b))
        return parts

    def code(self, name: str) -> int:
        return self.operators.index(name)

    def functions(self, name: str, a: Rows) -> _Columns:
        """f(x) for a function of one operand."""
        row, r = OPERATORS[name], self.rows
        keep = (r.kind[a] != PARAMETER) & (~r.negative[a] | (row.parity == 0))
        if row.multiplicative:
            keep &= ~r.scaled[a] | self.is_sum_of_reciprocals(a)
        if row.shifted in self.grammar.operators:
            keep &= ~r.offset[a]
        if self.vectors and row.of_vectors:
            keep &= ~self.has_factor(a, self.nonnegative)
        if self.vectors and name == "square":
            keep &= ~self.has_factor(a, ["norm"]) & (r.operator[a] != self.code("norm"))
        a = a[keep]
        return _Columns.of(
            len(a), operator=self.code(name), left=a, unit=self.units.apply(name, r.unit[a]),
            shape=r.shape[a] if row.multiplicative else True,
            signless=r.scaled[a] if row.parity == -1 else False, varied=r.varied[a] | (r.coefficients[a] > 0),
        )  # fmt: skip

    @property
    def nonnegative(self) -> list[str]:
        return [name for name in self.grammar.operators if OPERATORS[name].nonnegative]

    def is_vector(self, a: Rows) -> Mask:
        return self.units.ranks(self.rows.unit[a]) != NUMBER

    def numbers(self, a: Rows) -> Rows:
        """Those of the rows that are no vectors."""
        return a[~self.is_vector(a)] if self.vectors else a

    @property
    def norms(self) -> Rows:
        """For each leaf the row that is its norm, the leaf itself where there is none."""
        found = np.arange(len(self.leaves), dtype=np.int32)
        if len(self.bounds) > 3:
            rows = self.rows_of(2)
            rows = rows[self.rows.operator[rows] == self.code("norm")]
            found[self.rows.left[rows]] = rows
        return found

    def has_factor(self, a: Rows, names: list[str]) -> Mask:
        """Whether x*y or x/y has one of these functions as x or y, which can be pulled out of it: |f*x| is f*|x| where
        f is never negative, and (f*|x|)**2 is (f*x)**2."""
        r, codes = self.rows, [self.code(name) for name in names]
        last, first = (np.isin(r.operator[part], codes) for part in (r.right[a], r.left[a]))
        return np.isin(r.kind[a], (PRODUCT, QUOTIENT)) & (last | first)

    def vector_products(self, name: str, a: Rows, b: Rows) -> _Columns:
        """x . y and x × y: in one order as far as a sign can be absorbed, without factors that could be pulled out."""
        r, row = self.rows, OPERATORS[name]
        a, b = _pairs(*(x[self.is_vector(x) & self.is_factor(x)] for x in (a, b)))
        same, keep = (a == b) & ~r.varied[a], np.ones(len(a), bool)
        if row.commutes or (row.antisymmetric and self.signs_are_absorbed):
            keep = a <= b
        if row.antisymmetric:
            keep &= ~same
        elif row.commutes:
            keep &= self.is_first_triple(a, b) & self.is_first_triple(b, a)
            if "square" in self.operators:
                keep &= ~same
        a, b = a[keep], b[keep]
        return _Columns.of(
            len(a), operator=self.code(name), left=a, right=b, unit=self.units.apply(name, r.unit[a], r.unit[b]),
            shape=r.shape[a] & r.shape[b], varied=r.varied[a] | r.varied[b],
        )  # fmt: skip

    @property
    def signs_are_absorbed(self) -> bool:
        """Whether -f is never needed where there is f: a difference writes it, and no operator tells them apart."""
        rows = [OPERATORS[name] for name in self.grammar.operators if name not in _SIGNS]
        tells = any(row.parity == 0 if row.arity == 1 else not row.linear for row in rows)
        return "sub" in self.grammar.operators and not tells

    def is_first_triple(self, a: Rows, b: Rows) -> Mask:
        """Of x.(y × z), y.(z × x) and z.(x × y) the one with the first of them outside, and none of x.(x × y).

        Where z is w × v, (x × y).(w × v) stands for all of them.
        """
        if "cross" not in self.operators:
            return np.ones(len(a), bool)
        r, cross = self.rows, self.code("cross")
        y, z = r.left[b], r.right[b]
        triple = (r.operator[b] == cross) & (r.operator[a] != cross)
        twice = (((a == y) | (a == z)) & ~r.varied[a]) | (r.operator[y] == cross) | (r.operator[z] == cross)
        return ~(triple & (twice | (a > y)))

    def is_factor(self, a: Rows) -> Mask:
        r = self.rows
        scaled = r.scaled[a] & ~self.is_sum_of_reciprocals(a)
        return np.isin(r.kind[a], (INPUT, FUNCTION, SUM)) & ~scaled & ~r.negative[a]

    def is_sum_of_reciprocals(self, a: Rows) -> Mask:
        """a/f + b/g + c: closed under scaling, but no coefficient can be pulled out, for there is no 1/f."""
        return self.rows.reciprocal[a] & (self.rows.kind[a] == SUM)

    def repeats(self, a: Rows) -> Mask:
        """Whether f(a)*f(b) and f(a)/f(b) are worth a row.

        Not where f is g + a: their product is (g + c)**2 + d, their quotient 1 + d/(g + b).
        """
        r = self.rows
        return r.varied[a] & ~(r.offset[a] & ~r.varied[r.left[a]])

    def products(self, a: Rows, b: Rows) -> _Columns:
        """chain * factor, the factor after the chain's last one."""
        r = self.rows
        a, b = _pairs(a[self.is_factor(a) | (r.kind[a] == PRODUCT)], b[self.is_factor(b)])
        last = self.last_factor(a)
        keep = (last < b) | ((last == b) & (self.repeats(b) | ("square" not in self.grammar.operators)))
        keep &= ~(self.same_power(a, b) & (self.of_number(a) | self.of_number(b)))
        a, b = a[keep], b[keep]
        unit = self.units.apply("mul", r.unit[a], r.unit[b])
        return _Columns.of(
            len(a), operator=self.code("mul"), left=a, right=b, unit=unit, kind=PRODUCT, shape=r.shape[a] & r.shape[b],
            varied=r.varied[a] | r.varied[b],
        )  # fmt: skip

    def last_factor(self, a: Rows) -> Rows:
        return np.where(self.rows.kind[a] == PRODUCT, self.rows.right[a], a)

    def base(self, a: Rows) -> Rows:
        """What a power is a power of; any other row itself."""
        r = self.rows
        base = np.where(np.isin(r.operator[a], self.powers), r.left[a], a)
        if self.vectors:
            of_vector = np.isin(r.operator[a], self.powers) & self.is_vector(r.left[a])
            norms = self.norms
            known = of_vector & (r.left[a] < len(norms))
            base[of_vector] = a[of_vector]
            base[known] = norms[r.left[a[known]]]
        return base

    @property
    def powers(self) -> list[int]:
        """The multiplicative functions of numbers."""
        rows = [OPERATORS[name] for name in self.grammar.operators]
        return [self.code(row.name) for row in rows if row.multiplicative and not row.of_vectors]

    def same_power(self, a: Rows, b: Rows) -> Mask:
        """Both are the same multiplicative function, which then belongs outside of the product, if there is one."""
        r = self.rows
        return (r.operator[a] == r.operator[b]) & np.isin(r.operator[a], self.powers)

    def of_number(self, a: Rows) -> Mask:
        return ~self.is_vector(self.rows.left[a]) if self.vectors else np.ones(len(a), bool)

    def quotients(self, a: Rows, b: Rows) -> _Columns:
        """product / product, one fraction bar, nothing that cancels."""
        r = self.rows

        def part(x: Rows) -> Rows:
            return x[self.is_factor(x) | (r.kind[x] == PRODUCT)]

        a, b = _pairs(part(a), part(b))
        keep = np.where(a == b, self.repeats(a), (self.base(a) != self.base(b)) | r.varied[a])
        keep &= ~(self.same_power(a, b) & self.of_number(b))
        for one, other in ((a, b), (b, a)):
            product = r.kind[other] == PRODUCT
            keep &= ~(product & ((r.left[other] == one) | (r.right[other] == one))) | self.repeats(one)
        a, b = a[keep], b[keep]
        unit = self.units.apply("div", r.unit[a], r.unit[b])
        return _Columns.of(
            len(a), operator=self.code("div"), left=a, right=b, unit=unit, kind=QUOTIENT, shape=r.shape[a] & r.shape[b],
            varied=r.varied[a] | r.varied[b],
        )  # fmt: skip

    def scalings(self, a: Rows, b: Rows) -> _Columns:
        """a*f with a parameter a."""
        r = self.rows
        if self.parameter not in a:
            return _Columns.of(0)
        plain_sum = (r.kind[b] == SUM) & (r.coefficients[b] == 0) & ~r.offset[b] & ~r.negative[b]
        b = b[(np.isin(r.kind[b], (INPUT, FUNCTION, PRODUCT, QUOTIENT)) & r.shape[b]) | plain_sum]
        unit = self.units.scaled(r.unit[b]) if self.vectors else 0
        return _Columns.of(
            len(b), operator=self.code("mul"), left=self.parameter, right=b, unit=unit, kind=SCALED, scaled=True,
            bare=0, coefficients=1, leads=False, shape=False, order=r.order[b], varied=r.varied[b],
        )  # fmt: skip

    def reciprocals(self, a: Rows, b: Rows) -> _Columns:
        """a/f with a parameter a."""
        r = self.rows
        if self.parameter not in a:
            return _Columns.of(0)
        b = self.numbers(b[(self.is_factor(b) | (r.kind[b] == PRODUCT)) & r.shape[b]])
        return _Columns.of(
            len(b), operator=self.code("div"), left=self.parameter, right=b, unit=0, kind=RECIPROCAL, scaled=True,
            bare=0, coefficients=1, leads=False, shape=False, varied=r.varied[b], reciprocal=True,
        )  # fmt: skip

    def same_units(self, a: Rows, b: Rows) -> tuple[Rows, Rows]:
        """All pairs of one rank and one dimension, free ones with everything."""
        r, left, right = self.rows, [], []
        by_unit: dict[int, Rows] = {int(u): b[r.unit[b] == u] for u in np.unique(r.unit[b])}
        for u in np.unique(r.unit[a]).tolist():
            rows, free = a[r.unit[a] == u], self.units.free(u)
            fits = [by_unit[v] for v in (u, free) if v in by_unit]
            if u == free:
                fits = [some for v, some in by_unit.items() if self.units.free(v) == free]
            for some in fits:
                i, j = _pairs(rows, some)
                left.append(i)
                right.append(j)
        if not left:
            return np.empty(0, np.int32), np.empty(0, np.int32)
        return np.concatenate(left), np.concatenate(right)

    def chains_and_terms(self, a: Rows, b: Rows) -> tuple[Rows, Rows]:
        """Pairs of a sum (or first term) and a term that comes after its last one, or repeats it with parameters."""
        r = self.rows
        terms = (INPUT, FUNCTION, PRODUCT, QUOTIENT, SCALED, RECIPROCAL)
        a = a[np.isin(r.kind[a], terms) | ((r.kind[a] == SUM) & ~r.offset[a] & ~r.negative[a])]
        a, b = self.same_units(a, b[np.isin(r.kind[b], terms)])
        last = np.where(r.kind[a] == SUM, r.right[a], a)
        keep = (r.order[a] < r.order[b]) | ((r.order[a] == r.order[b]) & r.varied[b] & (last <= b))
        return a[keep], b[keep]

    def sums(self, name: str, a: Rows, b: Rows) -> _Columns:
        """sum + term, or sum - term where the sign means something."""
        r = self.rows
        a, b = self.chains_and_terms(a, b)
        if name == "sub":
            keep = (r.bare[a] > 0) & ~r.scaled[b] & ~r.signless[b]
            keep &= ~(r.signless[a] & (r.kind[a] != SUM))
            a, b = a[keep], b[keep]
        bare, coefficients = r.bare[a] + r.bare[b], r.coefficients[a] + r.coefficients[b]
        first_is_shape = np.where(r.kind[a] == SUM, r.shape[a] | (r.bare[a] == 0), r.shape[a])
        first_is_shape = np.where(r.reciprocal[a], r.shape[b], first_is_shape)
        leads, reciprocal = np.where(r.reciprocal[a], r.leads[b], r.leads[a]), r.reciprocal[a] & r.reciprocal[b]
        return _Columns.of(
            len(a), operator=self.code(name), left=a, right=b, unit=self.units.apply(name, r.unit[a], r.unit[b]),
            kind=SUM, scaled=bare == 0, bare=bare, coefficients=coefficients, leads=leads,
            shape=(bare >= 2) | ((bare == 1) & leads & first_is_shape) | reciprocal, order=r.order[b],
            varied=r.varied[a] | r.varied[b] | (coefficients > 0), reciprocal=reciprocal,
        )  # fmt: skip

    def negatives(self, a: Rows, b: Rows) -> _Columns:
        """term - sum, for the functions that tell the two signs apart."""
        r = self.rows
        b, a = self.chains_and_terms(self.numbers(b), a)
        keep = (r.bare[b] > 0) & ~r.scaled[a]
        a, b = a[keep], b[keep]
        bare = r.bare[a] + r.bare[b]
        return _Columns.of(
            len(a), operator=self.code("sub"), left=a, right=b, unit=self.units.apply("sub", r.unit[a], r.unit[b]),
            kind=SUM, bare=bare, coefficients=r.coefficients[b], leads=r.leads[b], negative=True, shape=False,
            order=r.order[a], varied=r.varied[a] | r.varied[b] | (r.coefficients[b] > 0),
        )  # fmt: skip

    def offsets(self, a: Rows, b: Rows) -> _Columns:
        """sum + a with a lone parameter a."""
        r = self.rows
        if self.parameter not in b:
            return _Columns.of(0)
        a = self.numbers(a[(r.kind[a] != PARAMETER) & ~r.offset[a]])
        shape = r.reciprocal[a] & (r.kind[r.right[a]] != INPUT)  # the shape of a/x + b is (x + c)/x, for an input x
        return _Columns.of(
            len(a), operator=self.code("add"), left=a, right=self.parameter, unit=r.unit[a], kind=SUM,
            scaled=r.scaled[a], bare=r.bare[a], coefficients=r.coefficients[a], leads=r.leads[a], offset=True,
            shape=r.shape[a] | shape, negative=r.negative[a], order=r.order[a], varied=True,
            reciprocal=r.reciprocal[a],
        )  # fmt: skip

    def others(self, name: str, a: Rows, b: Rows) -> _Columns:
        """Binary operators that the rules know nothing of: everything, once up to commutativity."""
        r = self.rows
        a, b = _pairs(a, b)
        keep = ~((r.kind[a] == PARAMETER) & (r.kind[b] == PARAMETER))
        if OPERATORS[name].commutes:
            keep &= a <= b
        a, b = a[keep], b[keep]
        return _Columns.of(
            len(a), operator=self.code(name), left=a, right=b, unit=self.units.apply(name, r.unit[a], r.unit[b])
        )

    # --- the root --------------------------------------------------------------------------------------------------

    def vector_roots(self, size: int) -> Rows:
        """The vectors of one size that are representatives; nothing undoes f*x or x/f."""
        r, a = self.rows, self.rows_of(size)
        if not self.vectors:
            return a[:0]
        return a[self.is_vector(a) & (r.kind[a] != SCALED) & r.shape[a]]

    def roots(self, size: int) -> Rows:
        """The numbers of one size that are representatives."""
        r, a = self.rows, self.numbers(self.rows_of(size))
        keep = ~np.isin(r.kind[a], (PARAMETER, SCALED, RECIPROCAL)) & r.shape[a] & ~r.offset[a] & ~r.negative[a]
        injective = [self.code(n) for n in self.grammar.operators if OPERATORS[n].arity == 1 and OPERATORS[n].injective]
        keep &= ~np.isin(r.operator[a], injective)
        keep &= ~((r.kind[a] == QUOTIENT) & (r.left[a] > r.right[a]))
        positive = [self.code(name) for name in self.nonnegative]
        even = [
            self.code(n) for n in self.grammar.operators if OPERATORS[n].multiplicative and OPERATORS[n].parity == 1
        ]
        keep &= ~(np.isin(r.operator[a], even) & np.isin(r.operator[r.left[a]], positive))
        if self.vectors and "square" in self.operators:
            keep &= r.operator[a] != self.code("norm")
            keep &= self.of_number(a) | ~self.has_factor(r.left[a], self.nonnegative)
        elif self.vectors:
            keep &= (r.operator[a] != self.code("dot")) | (r.left[a] != r.right[a]) | r.varied[a]
        return a[keep]


_SIGNS = ("add", "sub", "mul", "div")


def _implied(operators: tuple[str, ...]) -> tuple[str, ...]:
    """The signs that the normal form writes besides: x - (a - y) is x + y + b, and x + x is a*x."""
    given, implied = set(operators), []
    if "sub" in given:
        implied.append("add")
    if given & {"add", "sub", "div"}:
        implied.append("mul")
    return tuple(name for name in implied if name not in given)


def _pairs(a: Rows, b: Rows) -> tuple[Rows, Rows]:
    return np.repeat(a, len(b)), np.tile(b, len(a))


def _masked(part: _Columns, keep: Mask) -> _Columns:
    return _Columns(**{f.name: getattr(part, f.name)[keep] for f in fields(_Columns)})
