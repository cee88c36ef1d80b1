"""A candidate catalog in, the annotated catalog out, at the scale of a survey.

Names are loaded when they are first used, so that ``lsbg --help`` is quick.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.annotate import annotate
    from pipeline.show import show
    from pipeline.summary import Summary

__all__ = ["Summary", "annotate", "show"]

_HOMES = {
    "Summary": "pipeline.summary",
    "annotate": "pipeline.annotate",
    "show": "pipeline.show",
}
"""The module of each name."""


def _public(name: str) -> property:
    """Return an attribute that loads a public name.

    A function of `__getattr__` would not do: Python gives a module that is imported the place of
    the function of the same name, which setting the attribute here does not.
    """
    return property(
        lambda _: getattr(import_module(_HOMES[name]), name), lambda _, value: None, doc=name
    )


class _Face(ModuleType):
    """The package, whose public names are loaded when they are first used."""

    Summary, annotate, show = map(_public, ("Summary", "annotate", "show"))


sys.modules[__name__].__class__ = _Face
