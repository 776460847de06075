"""A row as a sentence in Chinese that a pharmacist can judge. The wording lies in `words.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from medasst.catalogue import Product
from medasst.disk import package_file
from medasst.rulebook import (
    AllergyRow,
    Amounts,
    Choice,
    ClassRow,
    ComplaintRow,
    ContentRow,
    DoseRow,
    DrugRow,
    FollowRow,
    GroupRow,
    IngredientRow,
    InteractionRow,
    LookRow,
    MindRow,
    PopulationRow,
    Row,
    StemRow,
    TriageRow,
    VettedRow,
    WarningRow,
)
from medasst.rulebook.vetted import Circumstances

_YEARS_FROM = 24  # months


@cache
def words() -> dict[str, Any]:
    """What the sheet is written with."""
    return dict(tomllib.loads(package_file("signoff/words.toml").read_text("utf-8")))


def sentence(row: Row) -> str:
    """What a decisive row does, in Chinese."""
    return _WRITERS[type(row)](row)


def again(row: Row) -> str:
    """What a second hand said of it, where one was asked."""
    if isinstance(row, InteractionRow) and row.again is not None:
        return _word("severity", row.again)
    return _amounts(row.again) if isinstance(row, DoseRow) and row.again is not None else ""


def differs(row: Row) -> bool | None:
    """Whether two hands saw it differently; None where nobody asked for a second."""
    if isinstance(row, InteractionRow):
        return not row.agreed
    return row.first != row.again if isinstance(row, DoseRow) else None


def product_sentence(product: Product) -> str:
    """What a product is said to be, with its leaflet."""
    sections = (_say("product_section", title=section.section, text=section.text) for section in product.leaflet.values())
    return _say(
        "product",
        name=product.name,
        brand=product.brand,
        strength=product.strength,
        status=_word("status", product.status),
        made_of=_list(one.name for one in product.contents.substances),
        symptoms=_list(product.symptoms),
        leaflet="".join(sections),
    )


def _rule(row: TriageRow) -> str:
    more = (_say(name) for name in ("never_resolved", "seen_only") if getattr(row, name))
    return _say(
        "rule",
        level=_word("level", row.level),
        name=row.name,
        when="；".join(row.when),
        unless=_say("rule_unless", unless="；".join(row.unless)) if row.unless else "",
        first_aid=_say("rule_first_aid", first_aid=row.first_aid) if row.first_aid else "",
        message=row.message,
        more="".join(more),
    )


def _look(row: LookRow) -> str:
    level = _word("level", row.level)
    return _say("look", level=level, name=row.name, threshold=row.threshold, message=row.message, first_aid=row.first_aid)


def _warning(row: WarningRow) -> str:
    return _say("warning", drugs=_list(row.drugs), company=_list(row.company), text=row.text)


def _interaction(row: InteractionRow) -> str:
    first, second, severity = _list(row.first), _list(row.second), _word("severity", row.severity)
    return _say("interaction", first=first, second=second, severity=severity, sentence=row.sentence, advice=row.advice)


def _population(row: PopulationRow) -> str:
    who = _word("who", row.who)
    if row.who == "age":
        who = _ages(row.from_months, row.below_months)
    elif row.who == "weight":
        who = _fill("age", "weight", n=f"{row.below_kg:g}")
    elif row.who == "condition":
        who += _list(row.conditions)
    return _say("population", of=_list(row.of), who=who, verdict=_word("verdict", row.verdict), sentence=row.sentence)


def _dose(row: DoseRow) -> str:
    ages = _ages(row.from_months, row.below_months)
    purpose, amounts = _word("purpose", row.purpose), _amounts(row.first)
    return _say("dose", ingredient=row.ingredient, purpose=purpose, age=ages, amounts=amounts)


def _amounts(amounts: Amounts) -> str:
    given = {name: value for name, value in amounts.model_dump().items() if value is not None}
    return "，".join(_fill("amount", name, n=f"{value:g}") for name, value in given.items()) or _word("words", "none")


def _ages(from_months: int | None, below_months: int | None) -> str:
    bounds = [_fill("age", name, age=_age(value)) for name, value in (("from", from_months), ("below", below_months)) if value]
    return "、".join(bounds) or _word("age", "any")


def _age(months: int) -> str:
    if months >= _YEARS_FROM and months % 12 == 0:
        return _fill("age", "years", n=months // 12)
    return _fill("age", "months", n=months)


def _allergy(row: AllergyRow) -> str:
    verdict = _word("verdict", row.verdict)
    return _say("allergy", allergens=_list(row.allergens), to=_list(row.to), verdict=verdict, sentence=row.sentence)


def _complaint(row: ComplaintRow) -> str:
    return _say(
        "complaint",
        name=row.name,
        also=_say("complaint_also", also=_list(row.also)) if row.also else "",
        ask=_list(_word("slot", slot) for slot in row.ask),
        self_care="".join(row.self_care),
        choices="；".join(_choice(number, choice) for number, choice in enumerate(row.choices, 1)) or _word("words", "none"),
        doctor=row.doctor,
        not_for=_say("complaint_not_for", not_for=_list(row.not_for)) if row.not_for else "",
    )


def _mind(row: MindRow) -> str:
    complaints = _list(row.complaints) if row.complaints else _word("words", "any_complaint")
    return _say("mind", told=_list(row.told), complaints=complaints, sentence=row.sentence)


def _choice(number: int, choice: Choice) -> str:
    bounds = [
        *([_ages(choice.from_months, None)] if choice.from_months else []),
        *([_say("needs", what=_list(choice.needs))] if choice.needs else []),
        *([_say("without", what=_list(choice.without))] if choice.without else []),
    ]
    told = f"（{'，'.join(bounds)}）" if bounds else ""
    caution = _say("choice_caution", caution=choice.caution) if choice.caution else ""
    return _say("choice", number=number, any_of=_list(choice.any_of), bounds=told, reason=choice.reason, caution=caution)


def _group(row: GroupRow) -> str:
    is_a = _say("group_is_a", is_a=_list(row.is_a)) if row.is_a else ""
    classes = _say("group_classes", classes=_list(row.classes)) if row.classes else ""
    twice = _say("group_twice", twice=row.twice) if row.twice else ""
    return _say("group", name=row.name, is_a=is_a, classes=classes, twice=twice)


def _ingredient(row: IngredientRow) -> str:
    groups = _say("ingredient_groups", groups=_list(row.groups)) if row.groups else ""
    groups += _say("substance", substance=row.substance) if row.substance else ""
    control = _say("ingredient_control", control=row.control) if row.control else _say("ingredient_free")
    inn, atc = (f"，{told}" if told else "" for told in (row.inn, " ".join(row.atc)))
    return _say("ingredient", name=row.name, kind=_word("kind", row.kind), inn=inn, atc=atc, groups=groups, control=control)


def _content(row: ContentRow) -> str:
    amounts = _list(_say("content_amount", name=name, n=f"{n:g}") for name, n in row.amounts.items())
    return _say(
        "content",
        name=row.name,
        ingredients=_list(row.ingredients),
        amounts=_say("content_amounts", amounts=amounts) if row.amounts else "",
        status=_word("status", row.status) if row.status else _say("content_as_named"),
    )


def _drug(row: DrugRow) -> str:
    others = dict.fromkeys((*row.names, *row.ordinary))
    names = _say("drug_names", names=_list(others)) if others else ""
    drug_class = _say("drug_class", drug_class=row.drug_class) if row.drug_class else ""
    return _say("drug", name=row.name, names=names, drug_class=drug_class, status=_word("status", row.status))


def _class(row: ClassRow) -> str:
    treats = _say("class_treats", treats=_list(row.treats)) if row.treats else ""
    return _say("class", words=_list(row.words), name=row.name, status=_word("status", row.status), treats=treats)


def _stem(row: StemRow) -> str:
    where = _say("stem_ending", ending=row.ending) if row.ending else _say("stem_starting", starting=row.starting)
    drug_class = row.drug_class or _word("words", "none")
    return _say("stem", where=where, drug_class=drug_class, status=_word("status", row.status))


def _vetted(row: VettedRow) -> str:
    return _say(
        "vetted",
        asked=" / ".join((*row.turns, *row.asked)),
        answer=row.answer,
        requires=_circumstances(row.requires),
        forbids=_circumstances(row.forbids),
        offers=_list(row.offers),
        aspects=_list(row.aspects),
    )


def _follow(row: FollowRow) -> str:
    complaints = _list(row.complaints) if row.complaints else _say("follow_any")
    doctor = _say("follow_doctor") if row.doctor else ""
    return _say("follow", asks=row.asks, complaints=complaints, answers=" / ".join(row.sentences), doctor=doctor)


def _circumstances(told: Circumstances) -> str:
    """Each of them with the name of its column; of two the shopper needn't tell both where they are parted by 或."""
    or_ = _word("words", "or")
    return "；".join(
        f"{_word('circumstance', column)}：{_list(or_.join(map(_called, entry.split('|'))) for entry in entries)}"
        for column, entries in told
        if entries
    ) or _word("words", "none")


def _list(names: Iterable[str]) -> str:
    """Names joined; those that stand for a slot or a stage are told in Chinese."""
    return "、".join(map(_called, names)) or _word("words", "none")


def _called(name: str) -> str:
    return str(words()["called"].get(name, name))


def _word(table: str, name: str) -> str:
    return str(words()[table][name])


def _fill(table: str, name: str, /, **values: object) -> str:
    return _word(table, name).format(**values)


def _say(name: str, /, **values: object) -> str:
    return _fill("say", name, **values)


_WRITERS: dict[type[Row], Callable[[Any], str]] = {
    TriageRow: _rule,
    LookRow: _look,
    WarningRow: _warning,
    InteractionRow: _interaction,
    PopulationRow: _population,
    DoseRow: _dose,
    AllergyRow: _allergy,
    ComplaintRow: _complaint,
    MindRow: _mind,
    GroupRow: _group,
    IngredientRow: _ingredient,
    ContentRow: _content,
    DrugRow: _drug,
    ClassRow: _class,
    StemRow: _stem,
    VettedRow: _vetted,
    FollowRow: _follow,
}
