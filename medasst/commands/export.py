"""`medasst export`: a trained adapter for other engines."""

from __future__ import annotations

import argparse
from pathlib import Path

from medasst.commands.common import bar, say

EPILOG = """\
examples:
  medasst export runs/real/train --to merged --out runs/real/merged    a model as transformers and vLLM load it
  medasst export runs/real/train --to gguf --out runs/real/gguf        one file for llama.cpp
  medasst export runs/real/train --to vllm --out runs/real/vllm        the adapter for vllm serve --enable-lora
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare it."""
    from medasst.export import FORMS

    parser = commands.add_parser(
        "export",
        help="a trained adapter → a merged model, a GGUF file, an adapter for vLLM; checked before it counts",
        description="A trained adapter as other engines run it, with tokenizer, chat template and ends of turn. It is held "
        "against what was trained: the same prompts, log-probabilities within a tolerance, the same greedy answers; otherwise "
        "nothing is kept (docs/training.md).",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run_folder", type=Path, metavar="RUN", help="a folder that medasst train wrote, or an adapter's")
    parser.add_argument("--to", choices=FORMS, required=True, help="what to write")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where; a folder that isn't there yet")
    parser.add_argument("--base", metavar="BASE", help="the adapter's base, where it isn't where it was at training")
    parser.set_defaults(run=_export)


def _export(arguments: argparse.Namespace) -> Path:
    from medasst.export import export

    with bar() as progress:
        found = export(arguments.run_folder, arguments.to, arguments.out, base=arguments.base, progress=progress)
    say(found.summary())
    return found.out
