"""Acts become events: every sentence checked, nothing said twice, the questions last. Words nothing itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from medasst.assistant.acts import Act, Advise, Answer, Inquire, Offer, Record, Refer, Warn
from medasst.assistant.events import Ask, Card, Citation, EndReason, Event, Finding, HandOff, Text
from medasst.assistant.said import Said, fresh
from medasst.catalogue import Product, Section
from medasst.safety import Rules
from medasst.text import comparison_key, sentences

_LEFT = 0.4  # the share of an answer that must be new; of less its brief form is said


@dataclass(frozen=True, slots=True)
class Draft:
    """A reply as it stands without the model.

    Attributes:
        body: what leaves at once.
        tail: what comes after the model: the question back, the hand-off.
        notices: what the law has stand beside what the reply shows.
    """

    body: tuple[Event, ...]
    tail: tuple[Event, ...]
    reason: EndReason
    notices: tuple[str, ...] = ()


def compose(acts: Sequence[Act], said: Said, rules: Rules) -> Draft:
    """The events of a reply.

    Args:
        acts: what it does, in order.
        said: what earlier replies of the conversation hold; a sentence of these is left out.
        rules: the checks of what is said, and the fixed sentences.
    """
    writer = _Writer(rules, said)
    for act in acts:
        writer.write(act)
    return writer.draft(acts)


@dataclass
class _Writer:
    """A reply in the making."""

    rules: Rules
    said: Said
    body: list[Event] = field(default_factory=list)
    tail: list[Event] = field(default_factory=list)
    now: set[str] = field(default_factory=set)  # keys of the sentences of this reply
    nets: list[str] = field(default_factory=list)  # when to see a doctor
    otherwise: list[Answer] = field(default_factory=list)  # what is said where nothing else is
    about: bool | None = None  # whether the medicine named last needs a prescription

    def write(self, act: Act) -> None:
        """Say one act."""
        match act:
            case Warn():
                self._warn(act)
            case Advise():
                self._text(act.sentences)
                self.nets += [act.doctor] if act.doctor else []
            case Offer():
                self._show(self._offered(act))
            case Answer(otherwise=True):
                self.otherwise.append(act)
            case Answer():
                self._answer(act)
            case Record():
                self._text(act.sentences)
            case Refer(kind="decline"):
                self._text(act.sentences)
            case Refer():
                if message := "".join(self._new(act.sentences)):
                    self.tail.append(HandOff(act.reason, message))
            case Inquire(question=question):
                self.tail.append(Ask(question.text, question.options))

    def draft(self, acts: Sequence[Act]) -> Draft:
        """The whole of it."""
        self._text(self.nets[:1])
        asks = [event for event in self.tail if isinstance(event, Ask)]
        self.tail = [*(event for event in self.tail if not isinstance(event, Ask)), *asks]
        if not self.body and not self.tail:
            for act in self.otherwise:
                if not self.body:
                    self._answer(act)
        if not self.body and not self.tail:
            forms = self.rules.replies.again
            self.body.append(Text((self.said.form(forms) or forms[-1]) + "\n"))
        reason = _reason(acts)
        shows = any(isinstance(event, Card) for event in self.body)
        notices = [self.rules.replies.otc_notice] if shows else []
        notices += [self.rules.replies.prescription_notice] if _prescribed(acts) else []
        return Draft(tuple(self.body), tuple(self.tail), reason, tuple(notices))

    # Acts

    def _warn(self, act: Warn) -> None:
        """A danger is said however often it was said before; anything else once, and not its lead alone (您提到怀孕。)."""
        new = self._new([act.text])
        text = act.text if act.alarm else "".join(new)
        if act.alarm or new[-1:] == sentences(act.text)[-1:]:
            self._keep(text)
            self.body.append(Finding(act.rule, act.severity, text, act.version))

    def _answer(self, act: Answer) -> None:
        whole = sum(map(len, act.sentences))
        left = act.brief and sum(map(len, self._new(act.sentences))) < _LEFT * whole
        news = self._text([act.brief] if left else act.sentences)
        if news:
            self.body += [Citation(source.document, source.section) for source in act.sources]
        for product in act.products:
            if section := product.section("indications"):  # what it is for must be told
                self._show(self._plainly(product, section))

    def _text(self, texts: Iterable[str]) -> bool:
        """A paragraph of what wasn't said yet; whether there was any."""
        written = [text for sentence in self._new(texts) for text in self._checked(sentence)]
        if written:
            last = written[-1]
            ended = last.sentence.rstrip("\n")
            ended = ended[:-1] + "。" if ended.endswith(("；", ";")) else ended
            self.body += [*written[:-1], Text(ended + "\n", last.replaced_by_rule)]
        return bool(written)

    def _show(self, card: Card) -> None:
        shown = any(isinstance(event, Card) and event.sku == card.sku for event in self.body)
        if not shown and card.name not in self.said.cards:
            self.body.append(card)

    # Pieces

    def _new(self, texts: Iterable[str]) -> list[str]:
        """Of these the sentences that neither an earlier reply nor this one holds."""
        return list(dict.fromkeys(sentence for text in texts for sentence in fresh(text, self._held)))

    def _held(self, sentence: str) -> bool:
        return self.said.holds(sentence) or comparison_key(sentence) in self.now

    def _keep(self, text: str) -> None:
        self.now |= Said.of_text(text)

    def _checked(self, text: str) -> Iterator[Text]:
        """A sentence that people wrote, if it passes the checks; else what the rule puts in its place, once."""
        verdict, self.about = self.rules.written(text, self.about)
        said = text if verdict.ok else verdict.replaced_by
        if said and not (not verdict.ok and self._held(said)):
            self._keep(said)
            yield Text(said, None if verdict.ok else verdict.rule)

    def _offered(self, offer: Offer) -> Card:
        say, section = self.rules.replies, offer.section
        how = say.card_how.format(text=_ended(offer.how)) if offer.how else ""
        caution = say.card_caution.format(text=_ended(offer.caution)) if offer.caution else ""
        how, caution = ("".join(self._new([text])) for text in (how, caution))
        self._keep(how + caution)
        return _card(offer.product, offer.reason, _cite(section) if section else "", how, caution)

    def _plainly(self, product: Product, section: Section) -> Card:
        """A product that is asked about, with what its leaflet says that it is for."""
        reason = self.rules.replies.card_reason.format(section=section.section, text=sentences(section.text)[0])
        return _card(product, reason, _cite(section))


def _card(product: Product, reason: str, citation: str, how: str = "", caution: str = "") -> Card:
    facts = (product.name, product.form, product.strength, product.pack, product.price, product.status)
    return Card(product.sku, reason, citation, *facts, how, caution)


def _ended(text: str) -> str:
    return text if text.endswith(("。", "！", "？")) else f"{text.rstrip('；;，')}。"


def _cite(section: Section) -> str:
    return f"{section.document}·{section.section}"


def _reason(acts: Sequence[Act]) -> EndReason:
    if any(isinstance(act, Warn) and act.alarm for act in acts):
        return "red_flag"
    if _prescribed(acts):
        return "prescription"
    return "hand_off" if acts and all(isinstance(act, Refer) and act.kind == "pharmacist" for act in acts) else "stop"


def _prescribed(acts: Iterable[Act]) -> bool:
    return any(isinstance(act, Refer) and act.kind == "prescription" for act in acts)
