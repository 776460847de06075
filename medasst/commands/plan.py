"""`medasst plan`: what a training job would take."""

from __future__ import annotations

import argparse

from medasst.commands.common import add_command, bar
from medasst.config import load
from medasst.errors import ConfigError


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    summary = "what a training job would take: memory, steps, time; loads no weights"
    parser = add_command(commands, "plan", _plan, summary, out=False)
    parser.add_argument("--gpu", type=float, metavar="GB", help="plan for a GPU of this memory, which needn't be here")
    parser.add_argument("--tflops", type=float, metavar="N", help="reckon the time of a device that sustains this")
    parser.add_argument("--probe", action="store_true", help="load the base and measure the time on some steps")


def _plan(arguments: argparse.Namespace) -> None:
    from medasst.train import TrainConfig, plan

    if any(number is not None and not number > 0 for number in (arguments.gpu, arguments.tflops)):
        raise ConfigError("--gpu and --tflops take numbers above 0, e.g. --gpu 24 for 24 GB")
    config = load(TrainConfig, arguments.config, arguments.set)
    memory = None if arguments.gpu is None else int(arguments.gpu * 1e9)
    with bar() as progress:
        found = plan(config, gpu_bytes=memory, tflops=arguments.tflops, probe=arguments.probe, progress=progress)
    print(found.summary(), flush=True)
    found.check()
