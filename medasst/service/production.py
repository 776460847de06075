"""What may be served to shoppers in earnest: approved rules, the shop's own catalogue, no model that is for demonstration."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from medasst.catalogue import Catalogue
from medasst.catalogue.signing import offered, product_content
from medasst.errors import ConfigError
from medasst.lexicon import Lexicon
from medasst.rulebook import Rulebook
from medasst.rulebook.decisive import decisive
from medasst.rulebook.signatures import PRODUCT, Key, fingerprint
from medasst.service.config import ServeConfig
from medasst.weights import is_embedded

_NAMED = 3  # keys of each kind


def check_production(config: ServeConfig, book: Rulebook) -> None:
    """Raises ConfigError: something isn't fit to be served in earnest; names all of it, with what to do."""
    if problems := list(_problems(config, book)):
        raise ConfigError("not fit for production:\n" + "\n".join(f"- {problem}" for problem in problems))


def _problems(config: ServeConfig, book: Rulebook) -> Iterator[str]:
    base = config.model.base if config.model is not None else None
    if base is not None and is_embedded(base):
        yield f"model: {base!r} is an embedded base, which is for demonstration; name another one, or leave the model out"
    lexicon = Lexicon(book)
    catalogue = Catalogue.open(config.catalogue, lexicon) if config.catalogue is not None else None
    if catalogue is None or _holds_samples(catalogue, lexicon):
        remedy = "medasst catalogue import MAPPING.toml, then catalogue = its folder"
        yield f"catalogue: products of the imaginary pharmacy of the samples; bring in the shop's own: {remedy}"
    undecided, refused = _unsettled(book, catalogue)
    sheet = (
        "medasst rulebook export --out SHEET.xlsx, let a pharmacist fill it in, medasst rulebook import SHEET.xlsx --out FOLDER"
    )
    if undecided:
        yield f"not approved as they are now: {_counted(undecided)}; {sheet}, then signed = FOLDER"
    if refused:
        yield f"refused, and in force since nothing is stricter: {_counted(refused)}; change them in an overlay and sign again"


def _holds_samples(catalogue: Catalogue, lexicon: Lexicon) -> bool:
    samples = Catalogue.from_samples(lexicon)
    return any(sample.sku in catalogue and catalogue[sample.sku].name == sample.name for sample in samples)


def _unsettled(book: Rulebook, catalogue: Catalogue | None) -> tuple[list[Key], list[Key]]:
    """What nobody decided about as it is now, and what was refused and is as it was."""
    ledger, undecided, refused = book.ledger, list[Key](), list[Key]()
    for one in decisive(book):
        if one.place not in ledger.settled:
            signature = ledger.signatures.get(one.place)
            said_no = signature is not None and signature.refused and signature.content == one.fingerprint
            (refused if said_no else undecided).append(one.place)
    for product in offered(catalogue) if catalogue is not None else ():
        signature = ledger.signatures.get((PRODUCT, product.sku))
        if signature is None or signature.content != fingerprint(product_content(product)):
            undecided.append((PRODUCT, product.sku))
    return undecided, refused


def _counted(places: list[Key]) -> str:
    """How many of each kind, and the first of them."""
    by_kind: dict[str, list[str]] = defaultdict(list)
    for kind, key in places:
        by_kind[kind].append(key)
    return ", ".join(
        f"{len(keys):,} {kind} ({', '.join(keys[:_NAMED])}{', …' if len(keys) > _NAMED else ''})"
        for kind, keys in by_kind.items()
    )
