"""For whom an answer was written, or is sought: a view of one person of the dialogue by which vetted answers are chosen."""

from __future__ import annotations

from dataclasses import dataclass

from medasst.dialogue import Patient
from medasst.rulebook import SlotName


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a person. None and empty mean "not said", which is never "no".

    Attributes:
        pregnant: pregnant or trying to be; False where denied.
        child: the patient is a child; False where an adult is named.
        child_months: the child's age in months.
        allergies: what the shopper says to be allergic to.
        drugs: other medicines being taken.
        chronic: diseases that the person has, as the tables name them.
        vague: slots that the shopper said yes to without saying what (有过敏).
        unread: something that was said is not in these facts: turns were left out. Then allergy, pregnancy and medicines are
            unknown, whatever stands here.
    """

    pregnant: bool | None = None
    nursing: bool | None = None
    child: bool | None = None
    child_months: int | None = None
    elderly: bool | None = None
    allergies: tuple[str, ...] = ()
    drugs: tuple[str, ...] = ()
    chronic: tuple[str, ...] = ()
    vague: tuple[str, ...] = ()
    unread: bool = False

    @property
    def tags(self) -> frozenset[str]:
        """The circumstances that an answer must have been written for."""
        said = {"pregnant": self.pregnant, "nursing": self.nursing, "child": self.child}
        return frozenset(
            [
                *(name for name, value in said.items() if value),
                *self.chronic,
                *(f"过敏:{a}" for a in self.allergies),
                *self.vague,
            ]
        )

    @classmethod
    def of(cls, patient: Patient, *, unread: bool = False) -> Facts:
        """What is known of this person.

        Args:
            unread: there were earlier turns, which nobody read.
        """
        listed: tuple[SlotName, ...] = ("allergies", "conditions", "drugs")
        allergies, chronic, drugs = (patient.slot(name).what for name in listed)
        age, stage = patient.slot("age"), patient.stage
        pregnant, nursing = _known(patient, "pregnancy"), _known(patient, "lactation")
        return cls(
            pregnant=None if unread and not pregnant else pregnant,
            nursing=None if unread and not nursing else nursing,
            child=False if pregnant or nursing else None if stage is None else stage in ("infant", "child"),
            child_months=int(age.number) if age.number is not None and stage in ("infant", "child") else None,
            elderly=None if stage is None else stage == "elderly",
            allergies=allergies[:_MOST],
            drugs=drugs[:_MOST],
            chronic=chronic[:_MOST],
            vague=tuple(name for name in listed if patient.slot(name).known == "yes" and not patient.slot(name).what),
            unread=unread or max(map(len, (allergies, chronic, drugs))) > _MOST,
        )


_MOST = 24  # allergies or medicines of one person; more of them are no list but noise, and each is held against each product


def _known(patient: Patient, slot: SlotName) -> bool | None:
    known = patient.slot(slot).known
    return None if known == "unknown" else known == "yes"
