"""Many products against one person: what is alike is looked at once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from medasst.catalogue import Product
from medasst.dialogue import Patient
from medasst.safety.finding import PersonFinding
from medasst.safety.person import MADE_FOR_CHILDREN


@dataclass(frozen=True, slots=True)
class Alike:
    """A product as the checks see it; two are equal where no person may take the one and not the other.

    Attributes:
        key: what it is made of, where it acts, what its leaflet says; how much is in it only matters to what is told. A name
            matters where it tells for whom it is made, and beside an allergy.
        product: one of them.
    """

    key: Hashable
    product: Product = field(compare=False)

    @classmethod
    def of(cls, product: Product, *, local: bool, named: bool = False) -> Alike:
        """Args: local: whether it acts where it is put. named: whether products of two names count as two."""
        made_of = product.contents
        return cls(
            (
                made_of.substances,
                made_of.unknown,
                made_of.may_be,
                local,
                any(word in product.short_name for word in MADE_FOR_CHILDREN),
                product.short_name if named else "",
                tuple((key, section.text) for key, section in product.leaflet.items()),
            ),
            product,
        )


class Held:
    """Products held against a person.

    Args:
        check: what speaks against a product for this person.
        alike: a product as the checks see it.
    """

    def __init__(
        self, person: Patient, check: Callable[[Product, Patient], tuple[PersonFinding, ...]], alike: Callable[..., Alike]
    ) -> None:
        self._person, self._check, self._alike = person, check, alike
        self._named = person.slot("allergies").known == "yes"
        self._found: dict[str, tuple[PersonFinding, ...]] = {}
        self._stops: dict[Alike, bool] = {}

    def stops(self, product: Product) -> bool:
        """Whether something stops this person from taking it."""
        one = self._alike(product, named=self._named)
        if one not in self._stops:
            self._stops[one] = any(finding.stops for finding in self.findings(product))
        return self._stops[one]

    def findings(self, product: Product) -> tuple[PersonFinding, ...]:
        """What speaks against it, in its own name."""
        if product.sku not in self._found:
            self._found[product.sku] = self._check(product, self._person)
        return self._found[product.sku]
