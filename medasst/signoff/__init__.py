"""Sign-off: all that decides something for a shopper as a sheet that a pharmacist reads and signs, and back."""

from medasst.rulebook.book import NO_SIGNATURES
from medasst.signoff.export import export
from medasst.signoff.importer import SignedImport, bring_back
from medasst.signoff.kept import differences

__all__ = ["NO_SIGNATURES", "SignedImport", "bring_back", "differences", "export"]
