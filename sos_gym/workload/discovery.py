"""Registries that need no list of their modules: each module of a package is imported, and registers what it has."""

import pkgutil
import sys
from importlib import import_module


def import_modules(package: str) -> None:
    """Import all modules of a package, in alphabetical order.

    So what they register stands in that order too, except that a module which another one imports comes before it.
    """
    names = {found.name for found in pkgutil.iter_modules(sys.modules[package].__path__)}
    for name in sorted(names):
        import_module(f"{package}.{name}")
