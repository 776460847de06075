"""What triage finds: how urgent it is, of whom, and because of what."""

from __future__ import annotations

from dataclasses import dataclass

from medasst.dialogue import Said
from medasst.rulebook import Level, Person, UrgencyRow


@dataclass(frozen=True, slots=True)
class Alarm:
    """A rule that holds of a person.

    Attributes:
        because: the mentions because of which it does.
        told: the user turn that raised it, where no mention did: by its wording as a whole.
        pieces: the pieces of that wording that said most.
    """

    rule: UrgencyRow
    person: Person
    because: tuple[Said, ...] = ()
    told: int | None = None
    pieces: tuple[str, ...] = ()

    @property
    def level(self) -> Level:
        """How urgent it is."""
        return self.rule.level

    @property
    def turn(self) -> int | None:
        """The newest user turn that has to do with it; None where only values raised it."""
        return max((said.turn for said in self.because), default=self.told)

    @property
    def words(self) -> str:
        """What was said that raised it."""
        return "、".join([*(said.mention.words for said in self.because), *self.pieces])
