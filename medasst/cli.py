"""The command line: parse, load the job's settings, call the library, say where the result lies.

Progress goes to stderr, the result's path to stdout. Exit codes: 0 done, 1 failure, 2 bad input or configuration, 130 Ctrl-C.
"""

from __future__ import annotations

import argparse
import errno
import json
import shlex
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table

from medasst import __version__
from medasst.commands import compare, export, inspect, plan, rate
from medasst.commands.common import add_command, bar, lines, out_folder, say, stderr
from medasst.config import load, load_defaults
from medasst.errors import ConfigError, DataError, MedasstError

if TYPE_CHECKING:
    from medasst.catalogue import Catalogue
    from medasst.rulebook import Rulebook
    from medasst.service.config import ServeConfig

_WIDE = 160  # columns of a table that goes into a file

EPILOG = """\
examples:
  medasst demo                                     the whole chain on the samples, then a chat page
  medasst prepare configs/real/prepare.toml        raw Q&A → prepared set, in runs/real/data
  medasst inspect configs/real/train.toml          what would be learnt of it, in tokens; what is dropped and why
  medasst plan configs/bases/qwen2-7b/train.toml --gpu 24     memory, steps and time before anything is loaded
  medasst train configs/real/train.toml --set lora.r=8
  medasst export runs/real/train --to gguf --out runs/real/gguf    for llama.cpp, vLLM or transformers, checked
  medasst evaluate configs/real/evaluate.toml      base against tuned, in runs/real/evaluate
  medasst evaluate configs/dialogue/evaluate.toml  what the assistant's replies tell, on vignettes
  medasst compare runs/a/evaluate runs/b/evaluate  two reports: by how much they differ, and why
  medasst rate runs/real/evaluate                  a blind sheet of answers for pharmacists to judge
  medasst score predictions.jsonl                  BLEU-4 and ROUGE of any file with predict and label
  medasst fetch qwen2.5-coder-1.5b                 an embedded base, to use without a network later
  medasst read "我妈没发烧，就是咳嗽三天"              how a message is read, and which rules hold
  medasst check request.json                       medicines against a patient: interactions, diseases, age, …
  medasst catalogue import shop/catalogue.toml     a shop's own product file → its catalogue
  medasst rulebook export --out sheet.xlsx         rules, medicines and leaflets for a pharmacist to sign
  medasst chat configs/demo/serve.toml             talk in the terminal
  medasst serve configs/demo/serve.toml            chat page and OpenAI-compatible API; without a file: no model

Long work shows how far it is. Stopped with Ctrl-C, it resumes when the same command is given again.
"""

CATALOGUE_EPILOG = """\
examples:
  medasst catalogue import shop/catalogue.toml            read the shop's file, in runs/shop/catalogue
  medasst catalogue show runs/shop/catalogue A001         what one product was resolved to
  medasst catalogue search runs/shop/catalogue 嗓子疼       what a shopper's words find
  medasst catalogue list runs/shop/catalogue              every version; * is the one that is served
  medasst catalogue rollback runs/shop/catalogue 3f2a     back to an earlier one
"""

RULEBOOK_EPILOG = """\
examples:
  medasst rulebook export --out sheet.xlsx --catalogue runs/shop/catalogue   all that decides, to be read and signed
  medasst rulebook import sheet.xlsx --out signed --catalogue runs/shop/catalogue
  medasst rulebook list signed                  every version of the signatures; * is the one that counts
  medasst rulebook diff signed 3f2a 9c01        what one has that the other hasn't
  medasst rulebook rollback signed 3f2a         back to an earlier one
  medasst rulebook law --missing                duties of the law that a shop has to see to itself
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. The one place where errors become words."""
    arguments = _parser().parse_args(argv)
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")  # nothing a user can act on
    warnings.showwarning = lambda message, *_, **__: say(f"note: {message}")
    try:
        result: Path | None = arguments.run(arguments)
    except MedasstError as error:
        stderr.print(f"medasst: {error}", markup=False, soft_wrap=True)
        return error.exit_code
    except KeyboardInterrupt:
        stderr.print("medasst: stopped; finished work is kept, run the same command again to go on")
        return 130
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        place = f" ({error.filename})" if error.filename else ""
        stderr.print(f"medasst: the disk is full{place}; free some space and run again, finished work is kept", soft_wrap=True)
        return 1
    if result is not None:
        print(result)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="medasst",
        description="From raw Chinese medical Q&A to a safe pharmacy assistant.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"medasst {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    demo = add_command(commands, "demo", _demo, "the whole chain on the samples: prepare, train, evaluate, serve", config=None)
    demo.add_argument("--no-serve", action="store_true", help="end after the report")
    _address(demo)
    add_command(commands, "prepare", _prepare, "raw medical Q&A → a clean, split, decontaminated prepared set")
    inspect.add(commands)
    plan.add(commands)
    add_command(commands, "train", _train, "a prepared set → a LoRA adapter")
    export.add(commands)
    add_command(commands, "evaluate", _evaluate, "systems × tasks (qa, choice, dialogue) → predictions, scores, a report")
    score = add_command(commands, "score", _score, "BLEU-4 and ROUGE-1/2/L of a file of predictions", config=None)
    score.add_argument("file", type=Path, metavar="FILE", help="JSON, JSONL, CSV, … with predict and label, id if there is one")
    compare.add(commands)
    rate.add(commands)
    fetch = add_command(
        commands, "fetch", _fetch, "an embedded base ahead of time, so that later work needs no network", config=None, out=False
    )
    fetch.add_argument(
        "base", nargs="?", default="embedded", metavar="BASE", help="its name, or its GGUF file; by default embedded"
    )
    read = add_command(
        commands, "read", _read, "how a message is read, and which rules of urgency hold", config=None, out=False
    )
    read.add_argument("text", metavar="TEXT", help="one message of a shopper")
    read.add_argument("--overlay", type=Path, metavar="DIR", help="tables laid over ours, as a shop's settings name them")
    check = add_command(
        commands, "check", _check, "medicines against a patient and one another, without a chat", config=None, out=False
    )
    check.add_argument("file", metavar="FILE", help="a request in JSON (docs/medicines.md); - reads it from stdin")
    check.add_argument("--format", choices=("json", "cds-hooks"), default="json", help="our JSON, or HL7 CDS Hooks cards")
    check.add_argument("--overlay", type=Path, metavar="DIR", help="tables laid over ours, as a shop's settings name them")
    check.add_argument("--signed", type=Path, metavar="DIR", help="what a pharmacist signed of them (medasst rulebook import)")
    _catalogue_commands(commands)
    _rulebook_commands(commands)
    chat = add_command(commands, "chat", _chat, "talk in the terminal", config="?", out=False)
    _speech(chat)
    chat.add_argument("--bare", action="store_true", help="talk to the model alone, without the guards")
    serve = add_command(commands, "serve", _serve, "the chat page and an OpenAI-compatible API", config="?", out=False)
    _speech(serve)
    serve.add_argument("--production", action="store_true", help="refuse to start unless all that decides is approved")
    _address(serve)
    return parser


def _catalogue_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`catalogue import|list|rollback|show|search`."""
    about = "a shop's own product file → a checked, searchable catalogue (docs/medicines.md)"
    parser = commands.add_parser(
        "catalogue",
        help=about,
        description="A shop's own product file (CSV, XLSX, JSON) becomes a checked, searchable catalogue, which "
        "`catalogue = DIR` in a serve job takes. How to write MAPPING.toml, with an example: docs/medicines.md.",
        epilog=CATALOGUE_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    ways = parser.add_subparsers(dest="way", required=True, metavar="import|list|rollback|show|search")
    bring = ways.add_parser("import", help="read the shop's file; bad rows are refused and listed, good ones come in")
    bring.add_argument("config", type=Path, metavar="MAPPING.toml", help="which column holds what")
    bring.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a setting")
    bring.add_argument("--out", type=Path, metavar="DIR", help="by default runs/<name of the mapping's folder>/catalogue")
    bring.set_defaults(run=_catalogue_import)
    listed = ways.add_parser("list", help="the versions in a folder, the newest first; * is the one that is served")
    listed.set_defaults(run=_catalogue_list)
    back = ways.add_parser("rollback", help="serve an earlier version")
    back.set_defaults(run=_catalogue_rollback)
    show = ways.add_parser("show", help="one product: what it is made of, how it is sold, why it isn't offered")
    show.set_defaults(run=_catalogue_show)
    search = ways.add_parser("search", help="what is found for a shopper's words")
    search.set_defaults(run=_catalogue_search)
    for way in (listed, back, show, search):
        way.add_argument("folder", type=Path, metavar="DIR", help="the folder of the import")
    back.add_argument("version", metavar="VERSION", help="its name, or the beginning of it")
    show.add_argument("sku", metavar="SKU", help="the product's number in the shop")
    search.add_argument("text", metavar="TEXT", help="a name, a complaint, or any words")
    search.add_argument("-k", type=int, default=5, metavar="N", help="products at most; 5 unless told")


def _rulebook_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`rulebook export|import|list|diff|rollback|law`."""
    parser = commands.add_parser(
        "rulebook",
        help="what decides for a shopper, as a sheet that a pharmacist signs, and back (docs/medicines.md)",
        description="All rows that decide something for a shopper go out as a sheet in Chinese, are read and signed, and come "
        "back as signatures, which `signed = DIR` in a serve job takes. How: docs/medicines.md#sign-off.",
        epilog=RULEBOOK_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    ways = parser.add_subparsers(dest="way", required=True, metavar="export|import|list|diff|rollback|law")
    out = ways.add_parser("export", help="write the sheet")
    out.add_argument("--out", type=Path, required=True, metavar="SHEET", help="a workbook (.xlsx) or a table in text (.csv)")
    out.add_argument("--signed", type=Path, metavar="DIR", help="fill in what was signed before")
    out.set_defaults(run=_rulebook_export)
    back = ways.add_parser("import", help="take what was filled in as signatures")
    back.add_argument("sheet", type=Path, metavar="SHEET", help="the sheet, filled in")
    back.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder of signatures; earlier ones stay")
    back.set_defaults(run=_rulebook_import)
    for way in (out, back):
        way.add_argument("--rulebook", type=Path, metavar="DIR", help="a folder of tables in place of ours")
        way.add_argument("--overlay", type=Path, metavar="DIR", help="tables laid over ours, as a shop's settings name them")
        way.add_argument("--catalogue", type=Path, metavar="DIR", help="the shop's catalogue: its products are signed, too")
    listed = ways.add_parser("list", help="the versions in a folder, the newest first; * is the one that counts")
    listed.set_defaults(run=_rulebook_list)
    differ = ways.add_parser("diff", help="what one version has that another hasn't")
    differ.set_defaults(run=_rulebook_diff)
    rollback = ways.add_parser("rollback", help="let an earlier version count")
    rollback.set_defaults(run=_rulebook_rollback)
    for way in (listed, differ, rollback):
        way.add_argument("folder", type=Path, metavar="DIR", help="the folder of the import")
    for name in ("before", "after"):
        differ.add_argument(name, metavar=name.upper(), help="its name, or the beginning of it")
    rollback.add_argument("version", metavar="VERSION", help="its name, or the beginning of it")
    law = ways.add_parser("law", help="what the law asks, how it is kept, what is missing (docs/deployment.md)")
    law.add_argument("--missing", action="store_true", help="only duties that MedAsst doesn't keep by itself")
    law.add_argument("--overlay", type=Path, metavar="DIR", help="tables laid over ours, as a shop's settings name them")
    law.set_defaults(run=_rulebook_law)


def _rulebook_export(arguments: argparse.Namespace) -> Path:
    from medasst.rulebook import Rulebook
    from medasst.signoff import export

    book = Rulebook.load(arguments.rulebook, arguments.overlay)
    ledger = Rulebook.load(arguments.rulebook, arguments.overlay, arguments.signed).ledger
    counts = export(book, ledger, _products(arguments, book), arguments.out)
    say(f"{counts.total():,} lines: " + ", ".join(f"{count:,} {kind}" for kind, count in counts.items()))
    return Path(arguments.out)


def _rulebook_import(arguments: argparse.Namespace) -> Path:
    from medasst.rulebook import Rulebook
    from medasst.signoff import bring_back

    book = Rulebook.load(arguments.rulebook, arguments.overlay)
    result = bring_back(arguments.sheet, book, _products(arguments, book), arguments.out)
    say(result.summary())
    return result.folder


def _products(arguments: argparse.Namespace, book: Rulebook) -> Catalogue | None:
    from medasst.catalogue import Catalogue
    from medasst.lexicon import Lexicon

    return Catalogue.open(arguments.catalogue, Lexicon(book)) if arguments.catalogue is not None else None


def _rulebook_list(arguments: argparse.Namespace) -> None:
    from medasst.signoff import NO_SIGNATURES
    from medasst.versions import versions

    for one in versions(arguments.folder, NO_SIGNATURES):
        told = ", ".join(f"{count:,} {what}" for what, count in one.counts.items())
        print(f"{'*' if one.current else ' '} {one.name}  {one.made:%Y-%m-%d %H:%M} UTC  {told}")


def _rulebook_diff(arguments: argparse.Namespace) -> None:
    from medasst.signoff import differences

    for line in differences(arguments.folder, arguments.before, arguments.after):
        print(line)


def _rulebook_rollback(arguments: argparse.Namespace) -> None:
    from medasst.signoff import NO_SIGNATURES
    from medasst.versions import named, use

    chosen = named(arguments.folder, arguments.version, NO_SIGNATURES)
    use(arguments.folder, chosen.name)
    say(f"{chosen.name} counts from the next start on")


def _rulebook_law(arguments: argparse.Namespace) -> None:
    from medasst.rulebook import Rulebook

    duties = list(Rulebook.load(overlay=arguments.overlay).duties)
    table = Table(box=box.SIMPLE, show_lines=True)
    for title in ("duty", "law", "kept", "how, or what is missing", "read"):
        table.add_column(title, overflow="fold")
    for duty in duties:
        if not (duty.kept and arguments.missing):
            law = "\n".join(filter(None, (duty.instrument, duty.article, duty.number, f"{duty.in_force}")))
            said = duty.how if duty.kept else duty.missing
            table.add_row(f"{duty.id}\n{duty.rule}", law, "yes" if duty.kept else "no", said, duty.read)
    Console(width=None if sys.stdout.isatty() else _WIDE).print(table, markup=False)
    kept = sum(duty.kept for duty in duties)
    say(f"{len(duties)} duties, {kept} kept, {len(duties) - kept} for the shop to see to; no lawyer has read this table")


def _catalogue_import(arguments: argparse.Namespace) -> Path:
    from medasst.intake import CatalogueMapping, bring_in

    mapping = load(CatalogueMapping, arguments.config, arguments.set)
    out = arguments.out or Path("runs") / arguments.config.resolve().parent.name / "catalogue"
    with bar() as progress:
        result = bring_in(mapping, out, progress)
    say(result.summary())
    return result.folder / "report.html"


def _catalogue_list(arguments: argparse.Namespace) -> None:
    from medasst.catalogue.versions import versions

    for one in versions(arguments.folder):
        told = one.counts
        counts = f"{told['taken']:,} products, {told['offered']:,} offered, {told['refused']:,} rows refused"
        refused = "" if told["served"] else "  not served: too many rows refused"
        print(f"{'*' if one.current else ' '} {one.name}  {one.made:%Y-%m-%d %H:%M} UTC  {counts}{refused}")


def _catalogue_rollback(arguments: argparse.Namespace) -> None:
    from medasst.catalogue.versions import switch

    chosen = switch(arguments.folder, arguments.version)
    say(f"{chosen.name} is served from the next start on")


def _catalogue_show(arguments: argparse.Namespace) -> None:
    catalogue = _open_catalogue(arguments.folder)
    if arguments.sku not in catalogue:
        remedy = "rows that were refused stand in rejected.jsonl of that version; by a name: medasst catalogue search"
        raise DataError(f"no product with the SKU {arguments.sku!r}; {remedy}", arguments.folder)
    product = catalogue[arguments.sku]
    sale = product.sale
    made_of = [*(one.name for one in sale.contents.substances), *(f"{one} (unknown)" for one in sale.contents.unknown)]
    print(f"{product.sku}\t{product.name}\t{product.price:g}")
    print(f"contents\t{', '.join(made_of)}")
    print(f"sold\t{sale.status} (shop: {sale.shop}, formulary: {sale.formulary or 'not known'})")
    print(f"offered\t{'yes' if product.offered else f'no: {sale.why}'}")
    print(f"leaflet lacks\t{', '.join(product.untold) or 'nothing'}")


def _catalogue_search(arguments: argparse.Namespace) -> None:
    catalogue = _open_catalogue(arguments.folder)
    for match in (found := catalogue.over_the_counter.find(arguments.text, arguments.k)):
        print(f"{match.how}\t{match.product.sku}\t{match.product.name}\t{match.words}".rstrip())
    kept_back = [match.product for match in catalogue.named(arguments.text) if not match.product.offered]
    for product in kept_back:
        print(f"not offered ({product.sale.why})\t{product.sku}\t{product.name}")
    if not found and not kept_back:
        say("nothing of that name, for that complaint or with those words is in the catalogue")


def _open_catalogue(folder: Path) -> Catalogue:
    from medasst.catalogue import Catalogue
    from medasst.lexicon import Lexicon
    from medasst.rulebook import Rulebook

    return Catalogue.open(folder, Lexicon(Rulebook.load()))


def _speech(command: argparse.ArgumentParser) -> None:
    told = "what the model may say in the assistant (docs/assistant.md); by default as CONFIG says"
    command.add_argument("--speech", choices=("none", "wording", "answers"), help=told)


def _address(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", help="address to listen on; 127.0.0.1 unless told")
    parser.add_argument("--port", type=int, help="port to listen on; the next free one from 8000 unless told")


def _prepare(arguments: argparse.Namespace) -> Path:
    from medasst.data import PrepareConfig, prepare

    config = load(PrepareConfig, arguments.config, arguments.set)
    with bar() as progress:
        report = prepare(config, out_folder(arguments, "data"), progress)
    say(report.summary())
    return report.folder


def _train(arguments: argparse.Namespace) -> Path:
    from medasst.models import sample_answers
    from medasst.train import TrainConfig, train

    config = load(TrainConfig, arguments.config, arguments.set)
    with bar() as progress:
        result = train(config, out_folder(arguments, "train"), sample=sample_answers, progress=progress)
    say(result.summary())
    return result.adapter


def _evaluate(arguments: argparse.Namespace) -> Path:
    from medasst.assistant.guarded import SampleGuard
    from medasst.evaluation import EvaluateConfig, evaluate

    config = load(EvaluateConfig, arguments.config, arguments.set)
    with bar() as progress:
        out, command = out_folder(arguments, "evaluate"), shlex.join(["medasst", *sys.argv[1:]])
        report = evaluate(config, out=out, progress=progress, guard=SampleGuard(), command=command)
    say(report.summary())
    return out_folder(arguments, "evaluate") / "report.html"


def _score(arguments: argparse.Namespace) -> Path:
    from medasst.evaluation import score

    out = arguments.out or Path("runs") / "score" / arguments.file.stem
    with bar() as progress:
        report = score(arguments.file, out, progress)
    say(report.summary())
    return Path(out) / "report.json"


def _fetch(arguments: argparse.Namespace) -> Path:
    from medasst.weights import find_base

    with bar() as progress:
        base = find_base(arguments.base, progress, weights=False)
    if base.terms:
        say(base.terms)
    say(f"{base.name} is ready ({base.licence or 'licence not known here'})")
    return base.folder


def _demo(arguments: argparse.Namespace) -> None:
    from medasst.demo import demo, serve_config
    from medasst.service.server import serve

    with bar() as progress:
        result = demo(arguments.out or Path("runs") / "demo", progress, say)
    print(result.report, flush=True)
    if not arguments.no_serve:
        serve(serve_config(result, arguments.host, arguments.port), lines(), _announce)


def _read(arguments: argparse.Namespace) -> None:
    from medasst.dialogue import of_turns
    from medasst.lexicon import Lexicon
    from medasst.rulebook import Rulebook
    from medasst.safety.triage import Triage

    book = Rulebook.load(overlay=arguments.overlay)
    lexicon = Lexicon(book)
    reading = lexicon.read(arguments.text)
    for mention in reading.mentions:
        how = [*sorted(mention.features), *([f"{mention.hours:g} h"] if mention.hours is not None else [])]
        because = f"by {mention.cue}" if mention.cue else ""
        if mention.otherwise is not None:
            because = f"by the second opinion; cues: {mention.otherwise}"
        print("\t".join([mention.words, mention.concept, mention.assertion, mention.person, because, " ".join(how)]).rstrip())
    for value in reading.values:
        print(f"{reading.text[value.start : value.end]}\t{value.quantity}\t{value.number:g}\t{value.person}")
    for alarm in Triage(book, lexicon).alarms(of_turns([arguments.text], lexicon)):
        print(f"→ {alarm.level}\t{alarm.rule.id}\t{alarm.rule.name}\tby {alarm.words}")


def _check(arguments: argparse.Namespace) -> None:
    from medasst.formulary import Formulary
    from medasst.lexicon import Lexicon
    from medasst.rulebook import Rulebook
    from medasst.safety import PersonChecks
    from medasst.safety.check import Checker, read_check

    try:
        body = sys.stdin.buffer.read() if arguments.file == "-" else Path(arguments.file).read_bytes()
    except OSError as error:
        raise DataError(f"can't be read: {error.strerror}; give a JSON file, or - for stdin", arguments.file) from None
    request = read_check(body)
    book = Rulebook.load(overlay=arguments.overlay, signed=arguments.signed)
    answer = Checker(PersonChecks(Lexicon(book), Formulary(book))).written(request, arguments.format)
    print(json.dumps(answer, ensure_ascii=False, indent=2))


def _chat(arguments: argparse.Namespace) -> None:
    from medasst.service.server import open_assistant
    from medasst.service.terminal import chat

    assistant = open_assistant(_serve_config(arguments), lines(), _licensed)
    if arguments.bare and assistant.model is None:
        raise ConfigError("--bare needs a model; give a job file that names one, e.g. configs/demo/serve.toml")
    chat(assistant.model if arguments.bare and assistant.model else assistant)


def _serve(arguments: argparse.Namespace) -> None:
    from medasst.service.server import serve

    serve(_serve_config(arguments), lines(), _announce, _licensed)


def _licensed(config: ServeConfig) -> None:
    """Whether the model may answer in its own words, if it is to; raises ConfigError. Only then evaluation is loaded."""
    if config.speech == "answers":
        from medasst.licence import check_licence

        check_licence(config)


def _announce(address: str) -> None:
    print(address, flush=True)
    say(f"The chat page is at {address} (Ctrl-C ends the service); programs use {address}/v1 as an OpenAI endpoint.")


def _serve_config(arguments: argparse.Namespace) -> ServeConfig:
    from medasst.service.config import ServeConfig

    given = {key: getattr(arguments, key, None) for key in ("host", "port", "speech")}
    overrides = [*arguments.set, *(f"{key}={value}" for key, value in given.items() if value is not None)]
    overrides += ["production=true"] if getattr(arguments, "production", False) else []
    if arguments.config is not None:
        return load(ServeConfig, arguments.config, overrides)
    return load_defaults(ServeConfig, overrides)
