"""Filters for sources whose answers nobody checked (`strict = true`): only what is plain, whole and harmless is learnt from.

No pattern sees that an answer is wrong. These see where it is likelier, at the price of many a good record.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from medasst.data.phrases import phrases

StrictFilter = Callable[[], pl.Expr]
STRICT: dict[str, StrictFilter] = {}


def _filter(function: StrictFilter) -> StrictFilter:
    STRICT[function.__name__] = function
    return function


def _said(name: str) -> pl.Expr:
    """Whether the answers hold one of the phrases."""
    return pl.col("answer").str.contains(phrases("strict", name))


def _asked(name: str) -> pl.Expr:
    """Whether the user's turns hold one of the phrases."""
    said = pl.col("texts").list.gather(pl.col("roles").list.eval((pl.element() == "user").arg_true()))
    return said.list.join("\n").str.contains(phrases("strict", name))


@_filter
def names_medicine() -> pl.Expr:
    """The answers name a medicine: without a formulary nobody can tell whether it is the right one."""
    return _said("medicine")


@_filter
def tradition() -> pl.Expr:
    """A diagnosis of traditional medicine by text alone."""
    return _said("tradition")


@_filter
def beauty() -> pl.Expr:
    """Praises beauty treatments and brands."""
    return _said("beauty")


@_filter
def in_person() -> pl.Expr:
    """Speaks as in a consulting room: orders, prescriptions, earlier visits, what a machine or a picture showed."""
    return _said("in_person") | _asked("in_person")


@_filter
def no_alarm() -> pl.Expr:
    """Told of what may be an emergency, it sends nobody to a hospital soon."""
    return _asked("alarm") & ~_said("sends")


@_filter
def open_end() -> pl.Expr:
    """The last answer ends without a full stop."""
    return ~pl.col("texts").list.last().str.contains(r"[。！？!?”）)]$")
