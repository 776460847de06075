"""What a reply does: danger before prescriptions, before what was asked, before advice, before products, before questions.

A pure function over what was read and found; nothing is looked up and nothing is worded here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise, zip_longest
from typing import TypeVar

from medasst.assistant.acts import Act, Advise, Answer, Inquire, Offer, Refer, Warn
from medasst.assistant.counter import Counsel
from medasst.assistant.events import Severity
from medasst.assistant.found import Found, told_since
from medasst.assistant.request import Request
from medasst.assistant.said import Said
from medasst.catalogue import Product
from medasst.rulebook import URGENCY, AskKind, Level, QuestionRow, Replies, UrgencyRow, WarningRow
from medasst.safety import Alarm, PersonFinding

T = TypeVar("T")
_ALARMS = 3  # alarms of one reply
_STANDS = 3  # turns for which an alarm that is no emergency stands while nothing else is told
_AGAINST = 2  # findings of one kind against medicines
_WARNINGS = 3  # such findings of one reply
_MINDS = 2  # sentences on what this person must mind
_QUESTIONS = 2
_OFFERED = 2  # products of one reply
_BESIDE, _ALONE = 2, 4  # sentences of advice beside products or questions, and without
_SAME = 0.45  # the share of a sentence's pairs of letters that another has which says the same
_PAIRS = frozenset({"duplicate", "unknown"})  # kinds of findings: of two medicines
_OF_BOTH = re.compile(r"一起|同吃|同时|一块|叠")  # what an answer on two at once holds
_DONE = frozenset({"taken_together", "took_too_much"})  # rows of asks.toml that ask what to do now
_TOGETHER = frozenset({"together", "taken_together", "interval"})  # rows of asks.toml that ask of two at once
_GOING_ON: frozenset[AskKind] = frozenset({"treat", "none"})
_COURTESIES: frozenset[AskKind] = frozenset({"shop", "thanks", "greeting"})
# Who asks these looks for a product; who asks of a leaflet's section has it.
_SHOWING: frozenset[AskKind] = frozenset({"treat", "price", "stock", "spec", "cheaper", "another", "buy"})
_WANTING: frozenset[AskKind] = _SHOWING | {"compare", "may_take"}
_SEVERITY: dict[Level, Severity] = {"emergency": "emergency", "today": "urgent", "days": "warning", "self": "info"}


def policy(request: Request, found: Found, say: Replies) -> tuple[Act, ...]:
    """The acts of a reply, in order.

    Args:
        say: the fixed sentences.
    """
    alarms = [alarm for alarm in found.alarms if _concerns(alarm, request)]
    now = [alarm for alarm in alarms if told_since(request.told.turn, alarm, request)]
    if any(alarm.level == "emergency" for alarm in now):
        return _emergency(now, found.said, say)
    if standing := [alarm for alarm in alarms if _is_still_about(alarm, request)]:
        return _standing(standing, found.said, say, gives=bool(request.told.readings[-1].drugs()))
    first: list[Act] = [*_reminders(alarms, now, found.said, say), *_alarms(now, found.said, say)]
    first += [Warn("gate.warning", "warning", _warned(row, found.said, say), row.version) for row in found.warnings]
    if alarms:
        return _beside_an_alarm(request, found, say, first, max((alarm.level for alarm in alarms), key=URGENCY.index))
    first += _together(request, found)
    acts = [*first, *_changed(found, say), *_against(request, found)]
    acts += _with_gate(request, found, say)
    acts += [found.reaction] if found.reaction else []
    answers = list(_answers(request, found))
    stay = found.changed is not None and found.changed.stay
    if _only_adds(request) and not stay:  # what an earlier reply said to it keeps nobody from the counter
        answers = [act for act in answers if not _is_said(act, found.said)]
    acts += answers
    if found.blamed and not found.reaction:
        acts.append(found.blamed)
    if found.counsel and not found.reaction and _is_for_the_counter(request, found, [*found.leads, *answers]):
        goes_on = _kinds(request) <= _GOING_ON or _only_adds(request)
        counsel = replace(found.counsel, advice=()) if found.leads else found.counsel
        acts += _counsel(counsel, found, say, goes_on=goes_on, adds=_only_tells(request))
    acts = _limited(acts)
    if found.unread:
        acts = _unread(acts, found, found.unread, say)
    if not acts and found.only_prescribed:
        return (Refer("prescription", (found.said.form(say.prescription_only), *found.reach), "prescription"),)
    acts += _noted(request, found, say) if _only_tells(request) else _verdict(request, found, say)
    return tuple(acts) or (Refer("unknown", (found.said.form(say.unknown), *found.reach)),)


# Danger


def _emergency(alarms: Sequence[Alarm], said: Said, say: Replies) -> tuple[Act, ...]:
    most = [alarm for alarm in alarms if alarm.level == "emergency"]
    closing = all(alarm.rule.closing for alarm in most)
    return (*_alarms(most, said, say), *([Answer((say.emergency[0],))] if closing else []))


def _standing(alarms: Sequence[Alarm], said: Said, say: Replies, *, gives: bool) -> tuple[Act, ...]:
    """That somebody must go, once more, and nothing that could keep them from it.

    Args:
        gives: whether a medicine is about to be given: then what to do until help is there is said again, too.
    """
    acts: list[Act] = []
    for rule in _distinct(alarm.rule for alarm in alarms)[:_ALARMS]:
        text = _again(said, rule, say)
        if gives:
            text += said.new(rule.first_aid) or said.form(say.no_medicine)
        acts.append(Warn(rule.id, "emergency", text, rule.version, alarm=True))
        said = replace(said, keys=said.keys | Said.of_text(text))
    note = said.form(say.urgent_note) if any(alarm.rule.closing for alarm in alarms) else ""
    return (*acts, *([Answer((note,))] if note else []))


def _alarms(alarms: Sequence[Alarm], said: Said, say: Replies) -> list[Act]:
    """What alarms say: all emergencies, else only those of the highest level; at most three, none twice."""
    shown = _distinct(alarm.rule for alarm in alarms if alarm.level == alarms[0].level)[:_ALARMS]
    return [Warn(rule.id, _SEVERITY[rule.level], _said_of(rule, said, say), rule.version, alarm=True) for rule in shown]


def _said_of(rule: UrgencyRow, said: Said, say: Replies) -> str:
    """An alarm's message; where it was raised before, in short with what of it wasn't said."""
    text = _told(rule, say)
    new = said.new(text)
    return text if new == text else _again(said, rule, say) + new


def _told(rule: UrgencyRow, say: Replies) -> str:
    """An alarm's message: first what to do, and by when."""
    begun = re.search(say.begins[rule.level], re.split("[，。！；]", rule.message)[0])
    lead = "" if begun or not rule.closing else say.lead[rule.level]
    return lead + rule.message + rule.first_aid


def _reminders(alarms: Sequence[Alarm], now: Sequence[Alarm], said: Said, say: Replies) -> list[Act]:
    """The highest alarms of earlier turns stand until they are resolved: they are said again, in short."""
    new = {alarm.rule.id for alarm in now}
    old = [alarm.rule for alarm in alarms if alarm.rule.id not in new]
    before = _distinct(rule for rule in old if rule.level == old[0].level)[:_ALARMS]
    return [Warn(rule.id, "urgent", _again(said, rule, say), rule.version, alarm=True) for rule in before]


def _again(said: Said, rule: UrgencyRow, say: Replies) -> str:
    """An alarm that was raised before, in other words than any before."""
    forms = say.again_of[rule.again] if rule.again else say.before[rule.level]
    return said.form(forms, title=rule.name) or forms[-1].format(title=rule.name)


def _beside_an_alarm(request: Request, found: Found, say: Replies, first: list[Act], level: Level) -> tuple[Act, ...]:
    """What may be said besides: no product, and nothing that could keep anybody from going; within days also self-care."""
    acts = [*first, *map(_warn, found.together[:_AGAINST]), *_against(request, found)]
    acts += _with_gate(request, found, say) if level == "days" else _gate(request, found, say)
    acts += [found.reaction] if found.reaction else []
    note = found.said.form(say.urgent_note)
    acts += [Answer((note,))] if note and not found.gate else []
    if level == "days":
        acts += [replace(act, products=()) if isinstance(act, Answer) else act for act in found.answers]
        if found.counsel and not (found.reaction or found.leads):
            acts += _advice([replace(one, doctor="") for one in found.counsel.advice], found.said, _BESIDE)
    acts += [replace(act, products=()) if isinstance(act, Answer) else act for act in found.shop]
    return tuple(act for act in _limited(acts) if not isinstance(act, Offer | Inquire))


def _concerns(alarm: Alarm, request: Request) -> bool:
    """Whether an alarm bears on this reply: an emergency always; else one of this person, until something else ails it."""
    if alarm.level == "emergency":
        return True
    if alarm.person != request.told.current.person:
        return False
    else_told = any(mention.current for mention in request.told.readings[-1].findings())
    recent = alarm.turn is not None and request.told.turn - alarm.turn <= _STANDS and not _kinds(request) <= _COURTESIES
    return told_since(request.first, alarm, request) or (recent and not else_told)


def _is_still_about(alarm: Alarm, request: Request) -> bool:
    """Whether the last turn goes on about somebody's emergency, or about nothing else that ails this person."""
    else_told = [mention for mention in request.told.readings[-1].findings() if mention.current]
    mine = alarm.person == request.told.current.person
    return alarm.level == "emergency" and mine and not else_told


# What speaks against medicines


def _warn(finding: PersonFinding) -> Warn:
    return Warn(finding.rule, "warning", finding.sentence, finding.version)


def _warned(row: WarningRow, said: Said, say: Replies) -> str:
    """What doesn't go with a medicine; where that was said in full before, that it has now come true."""
    return said.new(row.text) or said.form(say.warned) or row.text


def _together(request: Request, found: Found) -> list[Act]:
    """What speaks against taking two together; who only asks which of them to take is told of no pair."""
    rows = {asked.row for asked in request.asks}
    which = "compare" in _kinds(request) and rows.isdisjoint(_TOGETHER)
    told = [finding for finding in found.together if not (which and finding.kind in _PAIRS)]
    told = [finding for finding in told if finding.severity != "caution" or not found.leads]  # the lead says how to space them
    return [_warn(finding) for finding in _unknown_once(told, settled=_settled(request, found))[:_AGAINST]]


def _settled(request: Request, found: Found) -> bool:
    """Whether somebody wrote an answer on having the two at once, of which no table knows."""
    by_row = any(asked.row == "vaccinated" for asked in request.asks)
    return by_row or any(_OF_BOTH.search("".join(lead.sentences)) for lead in found.leads)


def _unknown_once(findings: Sequence[PersonFinding], *, settled: bool) -> list[PersonFinding]:
    """Pairs of which nothing is known in one sentence, none where that is settled."""
    unknown = [one for one in findings if one.kind == "unknown" and one.other]
    first = unknown[0] if unknown else None
    if first is None:
        return list(findings)
    others = [one for one in findings if one not in unknown]
    if settled:
        return others
    alike = [one for one in unknown if {one.medicine, one.other} & {first.medicine, first.other}]
    shared = {first.medicine, first.other}.intersection(*({one.medicine, one.other} for one in alike))
    one = first.other if first.other in shared or not shared else first.medicine
    rest = dict.fromkeys(name for finding in alike for name in (finding.medicine, finding.other) if name != one)
    pair = f"{first.medicine}和{first.other}"
    if len(rest) > 1 and pair in first.sentence:
        first = replace(first, sentence=first.sentence.replace(pair, f"{one}和{'、'.join(rest)}"))
    elif len(rest) > 1 and one == first.other:
        first = replace(first, sentence=first.sentence.replace(first.medicine, "、".join(rest)))
    return [*others, first, *(one for one in unknown if one not in alike)]


def _against(request: Request, found: Found) -> list[Act]:
    """What speaks against the products that are asked about, the strictest first."""
    told = {name for one in found.together if one.kind == "unknown" for name in (one.medicine, one.other)}
    against = [one for one in found.against if not (one.kind == "unknown" and one.other and one.other in told)]
    against = _unknown_once(against, settled=_settled(request, found))
    return [_warn(finding) for finding in sorted(against, key=lambda one: not one.stops)[:_AGAINST]]


def _gate(request: Request, found: Found, say: Replies) -> list[Act]:
    if not found.gate:
        return []
    sources = (found.gate_source,) if found.gate_source else ()
    answers = (*found.leads, *found.answers, *found.shop, *filter(None, [found.vetted]))
    told = found.warnings or found.together or any(isinstance(act, Answer) for act in answers)
    full = found.said.new("".join(found.gate))
    if not full and any(asked.row in _DONE for asked in request.asks):
        return []  # what to do now goes first, and the rest was told
    goes_on = found.counsel and (_tells(request) or "treat" in _kinds(request))
    elsewhere = found.shop or goes_on
    if found.counsel and request.free:
        return []
    if not found.gate_now and elsewhere:
        return []  # an earlier turn wanted it and was told, and this one goes on to something else
    # Where it is only spoken of, and what matters most of it or what is asked is told, the short form is enough.
    if full and told and all(act.want == "ask" for act in request.acts):
        brief = found.said.form(say.prescription_brief, drug=found.gated)
        return [*([Answer((brief,), sources)] if brief else []), Refer("prescription", (), "prescription")]
    text = full or found.said.form(say.prescription_again, drug=found.gated)
    return [Answer((text,), sources), Refer("prescription", found.reach, "prescription")]


def _with_gate(request: Request, found: Found, say: Replies) -> list[Act]:
    """What people wrote for just what is asked, before the prescription gate where a medicine is only spoken of.

    Where the gate speaks in full, or the shopper was warned of two things together, it isn't said again in other words.
    """
    gate = _gate(request, found, say)
    leads = [_shown(lead, request, found) for lead in found.leads if not found.warnings]
    told = [lead for lead in leads if any(say.prescription_word in sentence for sentence in lead.sentences)]
    if found.gate and not all(act.want == "ask" for act in request.acts):
        return [*gate, *(lead for lead in leads if lead not in told)]
    return [*leads, *(act for act in gate if not told or isinstance(act, Refer))]


def _changed(found: Found, say: Replies) -> list[Act]:
    """What a new fact means for the products that were shown."""
    if found.changed is None or not found.changed.stopped:
        return []
    acts: list[Act] = [_told_of(say.no_longer, found.changed.products, found.said)]
    minds = _minds(found.counsel, found.said) if found.counsel else []
    acts += minds or [_warn(finding) for finding in found.changed.stopped[:_AGAINST]]
    return [*acts, _told_of(say.still, found.changed.stay, found.said)] if found.changed.stay else acts


def _told_of(forms: Sequence[str], products: Sequence[Product], said: Said) -> Answer:
    names = "、".join(dict.fromkeys(product.short_name for product in products))
    return Answer((said.form(forms, products=names),))


# What was asked, and what helps


def _kinds(request: Request) -> frozenset[AskKind]:
    return frozenset(asked.kind for asked in request.asks)


def _only_adds(request: Request) -> bool:
    """Whether the turn asks nothing itself, and goes on with what an earlier one asked."""
    return request.asked_at < request.told.turn


def _only_tells(request: Request) -> bool:
    """Whether the turn tells something of somebody, and asks nothing; a complaint that is told again is no question."""
    again = request.told.turn > 0 and all(asked.kind == "treat" and not asked.words for asked in request.asks)
    if again or _only_adds(request):
        return True
    return _tells(request) and _kinds(request) == {"none"}


def _tells(request: Request) -> bool:
    """Whether the turn tells something of somebody."""
    last, slots = request.told.readings[-1], request.told.current.slots.values()
    return bool(last.mentions or last.values) or any(slot.turn == request.told.turn for slot in slots)


def _is_said(act: Act, said: Said) -> bool:
    """Whether earlier replies hold all of it."""
    return isinstance(act, Answer | Refer) and bool(act.sentences) and not said.new("".join(act.sentences))


def _noted(request: Request, found: Found, say: Replies) -> list[Act]:
    """That what was only told is taken in, where there is nothing else to say to it."""
    if found.changed and found.changed.stay and not found.changed.stopped:
        doses = [say.how_for.format(product=product.short_name, text=text) for product, text in found.dosed[:_OFFERED]]
        return [Answer((_fits(found.changed.stay[:_OFFERED], found, say), *doses), otherwise=True)]
    heard = found.said.form(say.noted if _only_adds(request) else say.heard)
    unchanged = found.said.form(say.unchanged, facts="、".join(found.facts)) if found.facts and _only_adds(request) else ""
    absent = found.said.form(say.not_there) if found.denies else ""
    text = _denied(found, say) or unchanged or absent or heard
    return [Answer((text,), otherwise=True)] if text else []


def _fits(products: Sequence[Product], found: Found, say: Replies) -> str:
    """That products which were shown fit this person, by what the turn tells of it."""
    names = "、".join(dict.fromkeys(product.short_name for product in products))
    if not found.facts:
        return found.said.form(say.still, products=names)
    forms = say.no_conflict if found.conflicts else say.still_told
    return found.said.form(forms, products=names, facts="、".join(found.facts))


def _verdict(request: Request, found: Found, say: Replies) -> list[Act]:
    """That what was spoken against stays so where every reason was given, or that what is told changes nothing."""
    names = [one.short_name for one in request.subject if one.sku in found.stopped]
    if not names and found.counsel and not found.counsel.offers:
        names = [one.medicine for one in found.counsel.refused]
    person = request.told.current
    who = [say.facts[slot] for slot in ("pregnancy", "lactation") if person.slot(slot).known == "yes"]
    who += [say.facts["child"]] if request.facts.child else []
    text = found.said.form(say.still_not, products="、".join(dict.fromkeys(names)), who=who[0] if who else "") if names else ""
    if not text and found.facts:
        text = found.said.form(say.unchanged, facts="、".join(found.facts))
    return [Answer((text,), otherwise=True)] if text else []


def _denied(found: Found, say: Replies) -> str:
    """What it means that signs are denied."""
    return found.said.form(say.denied, signs="、".join(found.denied)) if found.denied else ""


def _is_for_the_counter(request: Request, found: Found, answers: Sequence[Act]) -> bool:
    """Whether it is about a complaint: asked for, told beside a medicine that can't be had, or all there is."""
    beside = bool(_kinds(request) & _WANTING) and {product.sku for product in request.subject} <= found.stopped
    if answers and (tuple(answers) == found.follow or (found.leads and not found.seeks)):
        return False
    if request.free or request.at_home:
        return True
    if answers and found.complains and all(isinstance(act, Refer) and act.kind == "decline" for act in answers):
        return True  # that the shop hasn't what was named isn't all that there is to say
    return "treat" in _kinds(request) or (found.complains and (bool(found.gate) or beside)) or not (answers or found.gate)


def _answers(request: Request, found: Found) -> Iterator[Act]:
    """What is asked of products, of the shop, of anything else; what people wrote for it where nobody here answers."""
    counsel = found.counsel
    helped = any(isinstance(act, Answer | Offer) for act in found.answers)
    helped |= _kinds(request) <= _GOING_ON and counsel is not None and bool(counsel.advice or counsel.offers or counsel.missing)
    written = [found.vetted] if found.vetted and not helped else []
    seeks = any(asked.kind == "treat" and asked.words for asked in request.asks)
    told = found.leads or written or any(isinstance(act, Answer) for act in (*found.answers, *found.shop))
    if found.follow and not (told or seeks):
        yield from found.follow
        return
    # 一次吃几粒 after a prescription medicine asks of that, not of what was shown beside it.
    done = {asked.row for asked in request.asks} & _DONE
    of_gated = found.gate and found.gate_now and not request.told.readings[-1].drugs() and not done
    # Whether two go together is answered by what speaks against it; whether each may be taken alone isn't asked.
    of_pair = found.together and _kinds(request) == {"may_take"} and len(request.told.readings[-1].drugs()) > 1
    for act in (*(() if of_gated or of_pair else found.answers), *found.shop, *written):
        if not (isinstance(act, Offer) and act.product.sku in found.stopped):
            yield _shown(act, request, found) if isinstance(act, Answer) else act


def _shown(act: Answer, request: Request, found: Found) -> Answer:
    """An answer with the products beside it that this person may have, where the turn looks for one."""
    shown = act.products if _kinds(request) & _SHOWING else ()
    return replace(act, products=tuple(one for one in shown if one.sku not in found.stopped))


def _counsel(counsel: Counsel, found: Found, say: Replies, *, goes_on: bool, adds: bool) -> Iterator[Act]:
    """Advice, products with why this person gets them or doesn't, questions.

    Args:
        goes_on: the turn goes on with the complaint, so that it is an answer that what was shown still fits.
        adds: it only adds something to what was told.
    """
    said = found.said
    new = [offer for offer in counsel.offers if offer.product.name not in said.cards]
    shown = [offer for offer in counsel.offers if offer.product.name in said.cards]
    if counsel.prescription_only:
        yield Refer("prescription", (said.form(say.prescription_only), *found.reach), "prescription")
    yield from _minds(counsel, said)
    refused = [one for one in counsel.refused if not shown or any(one.medicine in name for name in said.cards)]
    if counsel.minds:  # they tell of what the person has; what is taken twice they don't
        refused = [one for one in refused if one.kind in _PAIRS or not counsel.offers]
    yield from (_warn(finding) for finding in refused[: _AGAINST if not new else 1])
    if counsel.not_for:
        yield Answer((counsel.not_for,))
    fresh = [one for one in counsel.advice if not any(map(said.holds, one.sentences))]
    nothing_else = goes_on and not (fresh or new or shown or counsel.missing)
    beside = new or counsel.missing or counsel.minds or refused or found.answers
    yield from _advice(counsel.advice if nothing_else else fresh, said, _BESIDE if beside else _ALONE)
    if shown:
        if goes_on and not (found.changed and found.changed.stopped):
            yield from _still(counsel, shown, found, say, adds=adds)
        new = []
    if len(new) > 1 and counsel.either:
        yield Answer((said.form(say.choose_one),))
    yield from new[:_OFFERED]
    if not counsel.offers and counsel.out_of_stock:
        yield Answer((said.form(say.out_of_stock, products="、".join(counsel.out_of_stock)),))
    if counsel.tentative and counsel.missing:
        yield Answer((said.form(say.tentative, substances="、".join(counsel.tentative)),))
    yield from map(Inquire, counsel.missing)


def _minds(counsel: Counsel, said: Said) -> list[Act]:
    """What this person must mind with it, of which nothing was said yet."""
    new = [row for row in counsel.minds if not said.holds(row.sentence)]
    return [Warn(f"mind.{row.id}", "warning", row.sentence, row.version) for row in new[:_MINDS]]


def _still(counsel: Counsel, shown: Sequence[Offer], found: Found, say: Replies, *, adds: bool) -> Iterator[Act]:
    """What was shown still fits: with what was told now, how it is taken if that is new, what else helps, until when."""
    said = found.said
    if adds:
        yield from filter(None, [_said_plainly(_denied(found, say))])
        told_before = any(said.holds(sentence) for one in counsel.advice for sentence in one.sentences)
        yield from _advice([replace(one, doctor="") for one in counsel.advice], said, 1) if told_before else []
    yield from filter(None, [_said_plainly(_fits([offer.product for offer in shown], found, say))])
    for offer in shown:
        if offer.how and said.new(say.card_how.format(text=offer.how)):
            yield Answer((say.how_for.format(product=offer.product.short_name, text=offer.how),))
    first = said.form(say.first, product=shown[0].product.short_name) if counsel.either and len(shown) > 1 else ""
    yield from filter(None, [_said_plainly(first)])
    if adds:
        doctor = next((one.doctor for one in counsel.advice if one.doctor and said.new(one.doctor)), "")
        yield from filter(None, [Advise("", (), doctor) if doctor else _said_plainly(said.form(say.watch))])


def _said_plainly(sentence: str) -> Answer | None:
    return Answer((sentence,)) if sentence else None


def _advice(advice: Sequence[Advise], said: Said, most: int) -> list[Act]:
    """The first sentences for each complaint that were not said yet, some of each."""
    fresh = [[sentence for sentence in one.sentences if not said.holds(sentence)] for one in advice]
    in_turn = [(place, sentence) for row in zip_longest(*fresh) for place, sentence in enumerate(row) if sentence]
    chosen: list[tuple[int, str]] = []
    for place, sentence in in_turn:
        if len(chosen) < most and not any(_like(sentence, other) for _, other in chosen):
            chosen.append((place, sentence))
    return [
        replace(one, sentences=tuple(sentence for place, sentence in chosen if place == number))
        for number, one in enumerate(advice)
    ]


def _like(one: str, other: str) -> bool:
    """Whether two sentences advise the same in other words, by the pairs of letters that both have."""
    pairs = [frozenset(map("".join, pairwise(text))) for text in (one, other)]
    return len(pairs[0] & pairs[1]) > _SAME * min(map(len, pairs))


def _limited(acts: Iterable[Act]) -> list[Act]:
    """No more than two questions, none twice, and no more warnings than anybody reads."""
    kept: list[Act] = []
    asked: list[str] = []
    letters: set[str] = set()
    warned = 0
    for act in acts:
        if isinstance(act, Warn) and not act.alarm:
            same = "".join(sorted(act.text))  # 甲和乙 and 乙和甲
            warned += 1
            if warned > _WARNINGS or same in letters:
                continue
            letters.add(same)
        if isinstance(act, Inquire):
            if act.question.id in asked or len(asked) == _QUESTIONS:
                continue
            asked.append(act.question.id)
        kept.append(act)
    return kept


def _unread(acts: Sequence[Act], found: Found, question: QuestionRow, say: Replies) -> list[Act]:
    """Where earlier turns were left out: no products before the shopper has said again what speaks against them."""
    kept = [replace(act, products=()) if isinstance(act, Answer) else act for act in acts]
    kept = [act for act in kept if not isinstance(act, Offer | Inquire)]
    told = found.said.form(say.unread) or say.unread[-1]
    return [Warn("person.unread", "warning", told, say.version), *kept, Inquire(question)]


def _distinct(rules: Iterable[UrgencyRow]) -> list[UrgencyRow]:
    """Each rule once, of those that are said again by the same forms the first."""
    return list({rule.again or rule.id: rule for rule in reversed(_unique(rules))}.values())[::-1]


def _unique(these: Iterable[T]) -> list[T]:
    return list(dict.fromkeys(these))
