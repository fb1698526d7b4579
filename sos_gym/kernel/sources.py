"""Which files a kernel depends on, read off the import statements."""

import ast
import hashlib
import importlib.util
import sys
import sysconfig
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = __name__.partition(".")[0]
INSTALLED = tuple(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))


def sources_of(module: str) -> dict[str, Path]:
    """The module and all that it imports, directly or not, by name.

    Followed are this package, the module's own package, and files that are not installed: a script's neighbours.
    """
    own, found, ahead = module.partition(".")[0], {}, [module]
    while ahead:
        name = ahead.pop()
        path = file_of(name)
        if name not in found and path and _is_followed(name, path, own):
            found[name] = path
            ahead += imports_of(path, _package_of(name))
    return found


def hash_of(module: str, *words: object) -> str:
    """16 hex digits for the contents of `sources_of(module)`, and for some words."""
    digest = hashlib.sha256(repr(words).encode())
    for name, path in sorted(sources_of(module).items()):
        digest.update(name.encode() + _digest(path))
    return digest.hexdigest()[:16]


@cache
def _content(path: Path) -> bytes:
    return path.read_bytes()


@cache
def _digest(path: Path) -> bytes:
    return hashlib.sha256(_content(path)).digest()


_files: dict[str, Path] = {}  # of modules, once they are found


def file_of(module: str) -> Path | None:
    """Its Python file, if it has one; a module that is being imported is known already."""
    if module not in _files and (path := _found(module)) is not None:
        _files[module] = path
    return _files.get(module)


def _found(module: str) -> Path | None:
    loaded = sys.modules.get(module)
    if loaded is not None:
        origin = getattr(loaded, "__file__", None)
    else:
        try:
            spec = importlib.util.find_spec(module)
        except (ImportError, ValueError, AttributeError):
            return None
        origin = spec.origin if spec else None
    return Path(origin) if origin and origin.endswith(".py") else None


def _package_of(module: str) -> str:
    """What relative imports in it start from."""
    package = getattr(sys.modules.get(module), "__package__", None)
    return module.rpartition(".")[0] if package is None else package


def _is_followed(module: str, path: Path, own: str) -> bool:
    root = module.partition(".")[0]
    return root in (PACKAGE, own) or not (root in sys.stdlib_module_names or str(path).startswith(INSTALLED))


@cache
def imports_of(path: Path, package: str) -> tuple[str, ...]:
    """The modules that a file names in import statements, wherever they stand in it."""
    return tuple(name for node in _statements(ast.parse(_content(path))) for name in _imported(node, package))


def _statements(tree: ast.Module) -> Iterator[ast.stmt]:
    """All of them, within each other too; their expressions, which are most of a tree, are left out."""
    ahead: list[ast.AST] = [tree]
    while ahead:
        node = ahead.pop()
        if isinstance(node, ast.stmt):
            yield node
        for block in ("body", "orelse", "finalbody", "handlers", "cases"):
            ahead += getattr(node, block, ())


def _imported(node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        module = "." * node.level + (node.module or "")
        if node.level and not package:
            return  # it fails when it is run, and may be meant to
        if node.level:
            module = importlib.util.resolve_name(module, package)
        members = [f"{module}.{alias.name}" for alias in node.names]
        submodules = [name for name in members if _is_submodule(name)]
        yield from submodules
        if len(submodules) < len(members):
            yield module


def _is_submodule(name: str) -> bool:
    """Whether `package.name` is a file of its own, and not something that the package defines."""
    package = file_of(name.rpartition(".")[0])
    if package is None or package.name != "__init__.py":
        return False
    last = name.rpartition(".")[2]
    return (package.parent / f"{last}.py").exists() or (package.parent / last / "__init__.py").exists()
