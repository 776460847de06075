"""How long a check of a medicine against a person takes: over all sample products, with random persons made from the tables.

Run: python benchmarks/checks.py [--checks 4000]. Prints milliseconds: median, 99th of 100, the longest, for a product with its
leaflet, for a request of `medasst check` with five medicines, and for ten medicines among one another. A check without any
fact is the measure beside it: what is left is what the facts cost.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial

from medasst.catalogue import Catalogue
from medasst.dialogue import Patient, Slot
from medasst.lexicon import Lexicon
from medasst.rulebook import Rulebook, SlotName
from medasst.safety import Rules
from medasst.safety.check import Checker, CheckPatient, CheckRequest

WANTED = (5.0, 20.0)  # milliseconds: median, 99th of 100


def person(book: Rulebook, rng: random.Random) -> Patient:
    """A person with a few diseases, medicines and allergies."""
    drugs, diseases = list(book.drugs.rows), [row.name for row in book.findings if row.kind == "disease"]
    months = float(rng.choice([2, 8, 30, 96, 300, 500, 860]))
    slots: dict[SlotName, Slot] = {
        "conditions": Slot("yes", tuple(rng.sample(diseases, rng.randint(1, 5))), turn=0),
        "drugs": Slot("yes", tuple(rng.sample(drugs, rng.randint(1, 6))), turn=0),
        "allergies": Slot("yes", ("青霉素", "阿司匹林")[: rng.randint(1, 2)], turn=0),
        "pregnancy": Slot(rng.choice(["yes", "no", "unknown"]), number=20, turn=0),
        "work": Slot(rng.choice(["yes", "unknown"]), ("开车",), turn=0),
        "age": Slot("yes", number=months, turn=0),
    }
    return Patient("self", values={"age_months": months}, slots=slots)


def timed(label: str, jobs: Sequence[Callable[[], object]]) -> tuple[float, float]:
    """Run each job once; prints and returns median and 99th of 100, in milliseconds."""
    spent: list[float] = []
    for job in jobs:
        began = time.perf_counter()
        job()
        spent.append(1000 * (time.perf_counter() - began))
    spent.sort()
    median, tail = statistics.median(spent), spent[int(0.99 * len(spent))]
    print(f"{label:<44} median {median:7.3f}  p99 {tail:7.3f}  longest {spent[-1]:7.3f}  n {len(spent)}")
    return median, tail


def main() -> None:
    """Measure and compare with what is wanted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checks", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    book = Rulebook.load()
    shop = Catalogue.from_samples(Lexicon(book))
    rules = Rules(shop)
    checker = Checker(rules.person_checks)
    people = [person(book, rng) for _ in range(200)]
    drugs = list(book.drugs.rows)
    products, n = shop.products, arguments.checks

    anybody = [partial(rules.checks, rng.choice(products), Patient("self")) for _ in range(n)]
    nobody = timed("a product, nothing known of the person", anybody)
    somebody = [partial(rules.checks, rng.choice(products), rng.choice(people)) for _ in range(n)]
    product = timed("a product with its leaflet against a person", somebody)
    requests = [_request(rng, drugs) for _ in range(n // 4)]
    request = timed("medasst check: five medicines, a patient", [partial(checker.answer, one) for one in requests])
    sets = [[rules.formulary.contents(name) for name in rng.sample(drugs, 10)] for _ in range(n // 10)]
    timed("ten medicines among one another", [partial(rules.person_checks.together, some) for some in sets])
    print(f"a person's facts cost {product[0] / nobody[0]:.1f} times a check without any")
    for what, (median, tail) in {"product": product, "request": request}.items():
        fine = median <= WANTED[0] and tail <= WANTED[1]
        print(f"{what}: {'as' if fine else 'NOT as'} wanted (≤ {WANTED[0]:g}, ≤ {WANTED[1]:g})")


def _request(rng: random.Random, drugs: Sequence[str]) -> CheckRequest:
    taken, asked = tuple(rng.sample(drugs, 3)), tuple(rng.sample(drugs, 5))
    return CheckRequest(patient=CheckPatient(age_months=400, drugs=taken, conditions=("高血压", "胃溃疡")), drugs=asked)


if __name__ == "__main__":
    main()
