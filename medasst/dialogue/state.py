"""What a conversation has told so far, person by person: a pure fold over its messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from medasst.conversation import Message
from medasst.dialogue.answers import Answered, Questions
from medasst.dialogue.ledger import Entry, Ledger
from medasst.dialogue.patient import Patient
from medasst.dialogue.products import ProductNames, References, Shown
from medasst.dialogue.resolution import Resolution
from medasst.dialogue.spans import Spans
from medasst.dialogue.turns import Around, Called, Fact, Payload, Turn, TurnReader, Who
from medasst.lexicon import Lexicon, Mention, Reading, Told
from medasst.rulebook import Person, QuestionRow, Sex, SlotName

_NURSED = 72  # months; no age below it is a mother's
_JUST_WHO = 30  # characters of a turn that says for whom it is (给孩子用，5岁) rather than telling of a second person


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that stands in one of our replies.

    Attributes:
        turn: the user turn (from 0) that it was asked after; -1: before the first.
        answered: whether a later turn filled one of its slots, or said not to know.
    """

    question: QuestionRow
    turn: int
    answered: bool = False


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two user turns that can't both be true of a person, to be asked about."""

    person: Person
    slot: SlotName
    first: int
    second: int


@dataclass(frozen=True, slots=True)
class DialogueState:
    """What is known after the last user turn.

    Attributes:
        patients: everybody spoken of, in the order in which they came up.
        readings: what was read in each user turn.
        current: whom the last turn is about.
        asked: every question that our replies asked, in order.
        shown: every product that our replies name, in order.
        refers: the products that the last turn speaks of, by name or by place (第二个, 刚才那个).
        contradictions: what was said both ways.
    """

    patients: tuple[Patient, ...]
    readings: tuple[Reading, ...]
    current: Patient
    asked: tuple[Asked, ...] = ()
    shown: tuple[Shown, ...] = ()
    refers: tuple[str, ...] = ()
    contradictions: tuple[Contradiction, ...] = ()

    @property
    def turn(self) -> int:
        """The number of the last user turn."""
        return len(self.readings) - 1

    def patient(self, person: Person) -> Patient:
        """A person of the conversation; of whom nothing was said, nothing is known."""
        return next((patient for patient in self.patients if patient.person == person), Patient(person))


def state(messages: Sequence[Message], lexicon: Lexicon, names: ProductNames | None = None) -> DialogueState:
    """Fold a conversation into what is known.

    Args:
        messages: user and assistant messages in order; others are skipped. Of our own replies only the questions and the
            products' names in them count: what they warn of is nothing that the shopper said.
        names: the catalogue's names; None: no product is looked for.
    """
    fold = _Fold(_tools(lexicon), names)
    for message in messages:
        if message.role == "user":
            fold.hear(message.content)
        elif message.role == "assistant":
            fold.recall(message.content)
    return fold.state()


def of_turns(turns: Sequence[str], lexicon: Lexicon) -> DialogueState:
    """The state after these user turns, whatever was replied."""
    return state([Message("user", turn) for turn in turns], lexicon)


class _Tools:
    """What the fold needs of a rulebook, compiled."""

    def __init__(self, lexicon: Lexicon) -> None:
        self.reader = TurnReader(lexicon)
        self.questions, self.ledger = Questions(lexicon.book), Ledger(lexicon.book)
        self.references = References(lexicon.book.talk)


@lru_cache(maxsize=8)
def _tools(lexicon: Lexicon) -> _Tools:
    return _Tools(lexicon)


@dataclass(slots=True)
class _Line:
    """An entry and whose it is, as far as is known by now."""

    person: Person
    entry: Entry


class _Fold:
    """Goes through a conversation once; what was said of whom is set down line by line, and drawn up at the end."""

    def __init__(self, tools: _Tools, names: ProductNames | None) -> None:
        self._tools, self._names = tools, names
        self._turns: list[Turn] = []
        self._lines: list[_Line] = []
        self._current: Person = "self"
        self._run = 0  # the line from which on the conversation is about the current person
        self._named: dict[Person, int] = {}  # who was named, and in which turn first
        self._recent: dict[Person, Sex | None] = {}  # others spoken of, the latest last, with what their names tell
        self._aged: set[Person] = set()  # those whose age was told
        self._open: list[QuestionRow] = []
        self._asked: list[Asked] = []
        self._answered: set[int] = set()
        self._shown: list[Shown] = []
        self._refers: tuple[str, ...] = ()

    def recall(self, text: str) -> None:
        """A reply of ours: only what it asks and which products it names."""
        turn = len(self._turns) - 1
        self._open = self._tools.questions.asked(text)
        self._asked += [Asked(question, turn) for question in self._open]
        if self._names is not None:
            self._shown += [Shown(name, turn, number) for number, name in enumerate(self._names.find(text), 1)]

    def hear(self, text: str) -> None:
        """A user turn."""
        turn = self._tools.reader.read(text)
        number = len(self._turns)
        self._turns.append(turn)
        unasked: tuple[SlotName, ...] = ("age",) if self._current == "child" and "child" not in self._aged else ()
        answered = self._tools.questions.read(turn, self._open, unasked)
        start = len(self._lines)
        self._settle(turn, answered, number)
        self._swap_part(turn, number)
        self._take_back(turn, number)
        about = self._state(turn, answered, number)
        nurses = any(_nurses(one.what) for one in turn.statements)
        for fact in answered.facts:
            person: Person = "child" if nurses and _is_of_a_baby(fact) else self._current
            self._lines.append(_Line(person, Entry(number, fact, turn.slip)))
        self._aged |= {line.person for line in self._lines[start:] if _tells_age(line.entry.what)}
        if about != self._current:
            self._current, self._run = about, start
        self._note(answered)
        own = self._names.find(text) if self._names is not None else []
        self._refers = tuple(own) or (self._tools.references.read(turn.plain, self._shown) if self._shown else ())

    def _settle(self, turn: Turn, answered: Answered, number: int) -> None:
        """Whose that is which was said before, where this turn tells."""
        corrected = next((m.who[0] for m in turn.markers if m.corrected), None)
        if corrected is not None:
            self._is_of(self._person(corrected), number)
            return
        if answered.rows and any("person" in row.sets for row in answered.rows):
            self._is_of(answered.person or self._current, number)
            return
        if self._current != "self" or "self" in self._named:
            return
        nurses = any(_nurses(one.what) for one in turn.statements)
        others = [who for marker in turn.markers if marker.meant for who in marker.who if who != "self"]
        others = [who for who in others if not (nurses and who == "child")]
        asked_who = any("person" in question.slots for question in self._open)
        if others and (asked_who or (not turn.complains and len(turn.plain) <= _JUST_WHO)):
            self._is_of(self._person(others[0]), number)

    def _swap_part(self, turn: Turn, number: int) -> None:
        """不是膝盖，是胸骨这里: what was told of the one part is told of the other."""
        if turn.swapped is None:
            return
        for line in reversed(self._lines[self._run :]):
            what = line.entry.what
            if not (isinstance(what, Mention) and what.kind == "finding" and line.person == self._current):
                continue
            if moved := self._tools.reader.moved(what, *turn.swapped):
                self._lines.append(_Line(line.person, Entry(number, Resolution("over", of=what))))
                self._lines += [_Line(line.person, Entry(number, one)) for one in moved]
                return

    def _take_back(self, turn: Turn, number: int) -> None:
        """打错了，是膝盖疼: what the turn before complained of was never meant, where this one says what is."""
        if not (turn.mistyped and turn.complains):
            return
        for line in self._lines[self._run :]:
            what = line.entry.what
            if isinstance(what, Mention) and what.kind == "finding" and line.entry.turn == number - 1:
                self._lines.append(_Line(line.person, Entry(number, Resolution("mistaken", of=what))))

    def _is_of(self, person: Person, number: int) -> None:
        """All that was said of the current person is this one's."""
        if person != self._current:
            wrong = self._current
            told = [
                line for line in self._lines[self._run :] if line.person != wrong or not isinstance(line.entry.what, Called)
            ]
            for line in told:
                line.person = person if line.person == wrong else line.person
            self._lines[self._run :] = told
            if not any(line.person == wrong for line in self._lines[: self._run]):
                self._named.pop(wrong, None)
                self._recent.pop(wrong, None)
        self._current = person
        self._named.setdefault(person, number)

    def _state(self, turn: Turn, answered: Answered, number: int) -> Person:
        """Set down what the turn states; returns whom it is about in the end."""
        about: Person | None = None
        values, findings = Spans(answered.hidden_values), Spans(answered.hidden_findings)
        behalf = {marker.start for marker in turn.markers if marker.behalf}
        meant = {marker.start: marker.meant for marker in turn.markers}
        later: list[_Line] = []
        nurses = [one for one in turn.statements if _nurses(one.what)]
        told = [one.what for one in turn.statements if isinstance(one.what, Mention) and not _nurses(one.what)]
        ails = any(what.kind == "finding" and what.current for what in told)
        for one in turn.statements:
            what = one.what
            people = tuple(self._person(who) for who in one.who) or (self._current,)
            if one in nurses and people == ("child",):
                people = ("self" if self._current == "child" else self._current,)  # no child nurses: it is its mother's
            elif nurses and _is_of_a_baby(what):
                people = ("child",)
            # Of a baby of whom only its age is told beside that, the turn isn't (哺乳期，宝宝4个月).
            aside = bool(nurses) and not ails and people == ("child",)
            if isinstance(what, Called):
                self._meet(people, what, number)
                if not aside and (one.place in behalf or (about is None and people[-1] != "self" and meant[one.place])):
                    about = people[-1]
            elif isinstance(what, Mention):
                if findings.overlap(one.place, one.place + 1) or (answered.allergens and what.kind == "drug"):
                    continue
                if answered.taken and what.kind == "drug" and what.by_cues == "hypothetical":
                    what = replace(what, assertion="present", otherwise=None)
            elif isinstance(what, Told | Fact) and values.overlap(one.place, one.place + 1):
                continue
            if one.who and _weighs(what) and not aside:
                about = people[-1]
                self._named.setdefault(about, number)
            if isinstance(what, Called) and people == ("self",):
                continue  # 我 tells nothing of who that is
            lines = [
                _Line(person, Entry(number, _of(what, person), turn.slip, turn.other_matter, turn.parts)) for person in people
            ]
            (later if isinstance(what, Fact) and what.complaint else self._lines).extend(lines)
        self._lines += later
        if turn.myself and (about is None or about == "self"):
            self._named.setdefault("self", number)
            return "self"
        return about or self._current

    def _meet(self, people: Sequence[Person], called: Called, number: int) -> None:
        for person in people:
            if person != "self":
                self._recent.pop(person, None)
                self._recent[person] = called.sex
                self._named.setdefault(person, number)

    def _person(self, who: Who) -> Person:
        """Whom a word means; 他 and 她 the latest other person that they fit, or somebody new."""
        if who == "he" or who == "she" or who == "one":  # noqa: PLR1714 (so that types narrow)
            wrong = {"he": "female", "she": "male", "one": None}[who]
            return next((person for person, sex in reversed(self._recent.items()) if sex is None or sex != wrong), "other")
        return who

    def _note(self, answered: Answered) -> None:
        for place in range(len(self._asked) - len(self._open), len(self._asked)):
            if self._asked[place].question.id in answered.questions:
                self._answered.add(place)

    def state(self) -> DialogueState:
        """What is known by now."""
        entries: dict[Person, list[Entry]] = {}
        for line in self._lines:
            entries.setdefault(line.person, []).append(line.entry)
        for person in (*self._named, self._current):
            entries.setdefault(person, [])
        accounts = {
            person: self._tools.ledger.account(person, lines, self._named.get(person)) for person, lines in entries.items()
        }
        patients = tuple(account.patient for account in accounts.values())
        return DialogueState(
            patients=patients,
            readings=tuple(turn.reading for turn in self._turns),
            current=accounts[self._current].patient,
            asked=tuple(
                replace(asked, answered=place in self._answered or _was_told(asked, patients))
                for place, asked in enumerate(self._asked)
            ),
            shown=tuple(self._shown),
            refers=self._refers,
            contradictions=tuple(
                Contradiction(person, *conflict) for person, account in accounts.items() for conflict in account.conflicts
            ),
        )


def _weighs(what: Payload) -> bool:
    """Whether a statement shows that the conversation is about whom it is of."""
    if isinstance(what, Mention):
        if what.kind == "drug":
            return what.by_cues in ("present", "absent", "historical")
        return what.by_cues in ("present", "possible", "absent", "historical")
    return isinstance(what, Told | Fact)


def _nurses(what: Payload) -> bool:
    """Whether it is that somebody gives the breast."""
    return (isinstance(what, Mention) and what.concept == "哺乳") or (isinstance(what, Fact) and what.slot == "lactation")


def _is_of_a_baby(what: Payload) -> bool:
    """Whether it is an age that nobody has who gives the breast."""
    if isinstance(what, Told):
        return what.quantity == "age_months" and what.number < _NURSED
    return isinstance(what, Fact) and what.slot == "age" and what.number is not None and what.number < _NURSED


def _tells_age(what: Payload) -> bool:
    return isinstance(what, Fact) and what.slot == "age"


def _of(what: Payload, person: Person) -> Payload:
    if isinstance(what, Around):
        return Around(replace(what.mention, person=person))
    return replace(what, person=person) if isinstance(what, Mention | Told) and what.person != person else what


def _was_told(asked: Asked, patients: Sequence[Patient]) -> bool:
    told = [patient.slot(slot).turn for patient in patients for slot in asked.question.slots]
    return any(turn is not None and turn > asked.turn for turn in told)
