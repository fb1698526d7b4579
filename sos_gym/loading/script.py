"""Python files in which policies are written: imported once, each as a module of its own.

A file is imported as Python does it: its neighbours by their names, `import helper`, or, where the folder is a
package, also by `from .helper import ...`. What differs is the module's name, in which a hash of the folder stands, so
that files of one name do not meet, and that compiled kernels are kept on disk under it (kernel/compiling.py).
"""

import ast
import contextlib
import hashlib
import importlib
import importlib.util
import inspect
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from numba.core.dispatcher import Dispatcher

from sos_gym.engine.mistakes import PolicyError
from sos_gym.kernel.sources import INSTALLED
from sos_gym.loading.spec import InFile
from sos_gym.policy import is_policy, policy_of
from sos_gym.policy.contract import Policy
from sos_gym.policy.registry import registered_apart
from sos_gym.settings.ranges import SettingError, did_you_mean

LONGEST = 300  # characters of another's error
OTHERS = (*INSTALLED, str(Path(__file__).parents[1]))  # folders of Python and of this package
LEARN = ("torch", "stable_baselines3", "sb3_contrib", "yaml")  # modules of the extra `learn`


@dataclass(frozen=True)
class Script:
    """A file that was imported."""

    path: Path
    root: Path  # where its imports are looked for
    module: ModuleType
    registered: Mapping[str, Policy]  # by it and by what it imports: each name and alias, in lower case


_SCRIPTS: dict[Path, Script] = {}
_TAKEN: set[str] = set()  # names that scripts registered


class Decider:
    """A callable of a file, whose errors say where it is written."""

    def __init__(self, decide: Callable, script: Script, spec: str):
        self.decide, self.root, self.registered, self.__name__ = decide, script.root, script.registered, spec

    def __call__(self, observation: Any, info: Any) -> Any:
        try:
            row = self.decide(observation, info)
        except (Exception, SystemExit) as error:
            raise PolicyError(f"policy {self.__name__!r}: {reason_of(error, self.root)}") from error
        rows = len(observation["action_mask"])
        if not hasattr(row, "__index__") or not 0 <= row < rows:
            said = f"it returned {_short(repr(row))}, which is no row; return an integer in 0..{rows - 1}"
            raise PolicyError(f"policy {self.__name__!r}: {said}")
        return row

    @property
    def about(self) -> str:
        """A sentence: the first line of its docstring."""
        return (inspect.getdoc(self.decide) or "a callable (observation, info) -> row").partition("\n")[0]

    def own_advisors(self, wishes: Mapping[str, Any]) -> dict[str, Any]:
        """The advisors that are asked for, where a name of this file is another policy's by now."""
        advisors = wishes.get("advisors", ())
        if isinstance(advisors, str) or not any(isinstance(one, str) for one in advisors):
            return {}
        return {"advisors": tuple(self._own(one) for one in advisors)}

    def _own(self, advisor: Any) -> Any:
        own = self.registered.get(advisor.lower()) if isinstance(advisor, str) else None
        return advisor if own is None or policy_of(own.name) is own else own


def policy_in(asked: InFile) -> tuple[Any, str]:
    """The policy, pair or callable that a file has, and the name it has there. The file is run.

    Raises:
        SettingError: no such file; it cannot be imported; or it has no such policy.
    """
    script = imported(asked.path)
    name = asked.name or _only_name(script, asked)
    value = vars(script.module).get(name)
    if not is_policy(value) or isinstance(value, str):
        value = script.registered.get(name.lower(), value)
    if name not in vars(script.module) and value is None:
        names = [*policies_in(script), *callables_in(script)]
        remedy = did_you_mean(name.lower(), [one.lower() for one in names], shown={one.lower(): one for one in names})
        remedy = remedy or f"it has {', '.join(names) or 'none'}"
        raise _misfit(asked, "the name of a policy in that file", remedy)
    if is_policy(value) and not isinstance(value, str):
        return policy_of(value), name
    return Decider(_callable(value, asked), script, f"{asked.path}:{name}"), name


def policies_in(script: Script) -> list[str]:
    """Names of policies that it has."""
    held = [
        name
        for name, value in vars(script.module).items()
        if is_policy(value) and not isinstance(value, str) and not _is_imported(value)
    ]
    of_cards = {id(policy_of(getattr(script.module, name))) for name in held}
    own = {policy.name: policy for policy in script.registered.values()}
    return held + [name for name, policy in own.items() if id(policy) not in of_cards and name not in held]


def _is_imported(value: Any) -> bool:
    """Whether it is a class of the package, to be derived from."""
    return isinstance(value, type) and value.__module__.partition(".")[0] == __package__.partition(".")[0]


def callables_in(script: Script) -> list[str]:
    """Names of what it defines and could be asked for a row."""
    return [
        name
        for name, value in vars(script.module).items()
        if name[0] != "_"
        and not isinstance(value, (type, Dispatcher, ModuleType))
        and _takes_two(value)
        and (getattr(value, "__module__", None) == script.module.__name__ and not is_policy(value))
    ]


def _only_name(script: Script, asked: InFile) -> str:
    names = policies_in(script)
    if len(names) == 1:
        return names[0]
    choices = ", ".join([*names, *callables_in(script)])
    raise _misfit(asked, f"{asked.path}:NAME", f"it has {choices}" if choices else "it has no policy")


def _callable(value: Any, asked: InFile) -> Callable:
    kinds = "a Policy, a Pair, a PlainPolicy class, a claim or a callable (observation, info) -> row"
    if isinstance(value, Dispatcher):
        raise _misfit(asked, kinds, "that is a kernel, a part of one: name the Policy that it belongs to")
    if isinstance(value, type):
        raise _misfit(asked, kinds, f"that is a class: put {asked.name.lower()} = {value.__name__}() in the file")
    if not callable(value):
        raise _misfit(asked, kinds, f"that is {_short(repr(value))}, of type {type(value).__name__}")
    if not _takes_two(value):
        raise _misfit(asked, kinds, f"that is a callable of {inspect.signature(value)}")
    if asked.parameters:
        raise _misfit(asked, "a callable without parameters", f"leave {asked.parameters} out")
    return value


def _takes_two(value: Any) -> bool:
    if not callable(value):
        return False
    try:
        inspect.signature(value).bind(None, None)
    except TypeError:
        return False
    except ValueError:  # it does not tell
        return True
    return True


def _misfit(asked: InFile, allowed: str, remedy: str) -> SettingError:
    written = f"{asked.path}{asked.name and ':'}{asked.name}{asked.parameters}"
    return SettingError("policy", written, allowed, remedy)


# -- importing


def imported(path: str) -> Script:
    """The file as a module; it is run once in a process.

    Raises:
        SettingError: there is no such file, or running it fails; names the line.
    """
    file = existing(path)
    if file not in _SCRIPTS:
        _SCRIPTS[file] = _imported(file, path)
    return _SCRIPTS[file]


def existing(path: str) -> Path:
    """The file of that name, absolute.

    Raises:
        SettingError: there is none.
    """
    try:
        file = Path(path).expanduser().resolve()
        there, found = file.is_file(), file.exists()
        near = {one.stem: one.name for one in file.parent.glob("*") if one.suffix == file.suffix and one.is_file()}
    except (OSError, RuntimeError, ValueError) as error:  # too long; no such user; a null character
        raise SettingError("policy", path, "a file that exists", _short(str(error))) from error
    if found and not there:
        raise SettingError("policy", path, "a file", "that is a folder, or a device")
    if not there:
        remedy = did_you_mean(file.stem, near, shown=near) or f"there is no such one in {file.parent}"
        raise SettingError("policy", path, "a file that exists", remedy)
    return file


def _imported(file: Path, path: str) -> Script:
    root, names = _place_of(file)
    before = set(sys.modules)
    try:
        with neighbours_found(root), registered_apart(_TAKEN) as registered:
            _refuse_others_neighbours(file, root)
            module = _module(file, root, names)
    except BaseException as error:
        for name in set(sys.modules) - before:
            if name.partition(".")[0] == names[0]:
                del sys.modules[name]
        if not isinstance(error, (Exception, SystemExit)):
            raise
        remedy = reason_of(error, root)
        raise SettingError("policy", path, "a file that can be imported", remedy) from error
    _TAKEN.update(policy.name for policy in registered.values())
    return Script(file, root, module, _by_all_names(registered))


def _by_all_names(registered: Mapping[str, Policy]) -> dict[str, Policy]:
    return {name.lower(): one for one in registered.values() for name in (one.name, *one.aliases)}


def _place_of(file: Path) -> tuple[Path, list[str]]:
    """The folder where its imports are looked for; the names of its packages and of itself, the first one unique."""
    folder, packages = file.parent, list[str]()
    while (folder / "__init__.py").exists() and folder.name.isidentifier():
        packages.insert(0, folder.name)
        folder = folder.parent
    stem = [] if packages and file.stem == "__init__" else [re.sub(r"\W", "_", file.stem, flags=re.ASCII)[:60]]
    first, *others = [*packages, *stem]
    digest = hashlib.sha256(str(folder if packages else file).encode("utf-8", "surrogateescape")).hexdigest()[:12]
    return folder, [f"{first}_{digest}", *others]


def _module(file: Path, root: Path, names: list[str]) -> ModuleType:
    """Import its packages from the outermost one, then the file."""
    folder = root
    for depth in range(1, len(names)):
        folder = folder / (names[depth - 1] if depth > 1 else _folder_below(root, file))
        _executed(".".join(names[:depth]), folder / "__init__.py", [str(folder)])
    inner = [str(file.parent)] if file.stem == "__init__" and file.parent != root else None
    return _executed(".".join(names), file, inner)


def _folder_below(root: Path, file: Path) -> str:
    return file.relative_to(root).parts[0]


def _executed(name: str, file: Path, package: list[str] | None) -> ModuleType:
    """The file as a module of that name, unless it has been run, under whatever name."""
    for loaded in list(sys.modules.values()):
        where = getattr(loaded, "__file__", None)
        if isinstance(where, str) and where.endswith(file.name) and Path(where).resolve() == file:
            return loaded
    spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=package)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no Python source")
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextlib.contextmanager
def neighbours_found(root: Path) -> Iterator[None]:
    """Its folder goes first while a file is run, as Python has it, and last from then on, behind what we import.

    The words of our command line are not the file's.
    """
    folder, words = str(root), sys.argv
    sys.path.insert(0, folder)
    sys.argv = words[:1]
    try:
        yield
    finally:
        sys.argv = words
        sys.path.remove(folder)
        if folder not in sys.path:
            sys.path.append(folder)


def _refuse_others_neighbours(file: Path, root: Path) -> None:
    """Python has one module of a name: a neighbour of another script must not be taken for this one's."""
    roots = {script.root for script in _SCRIPTS.values()} - {root}
    seen, ahead = set[Path](), [file]
    while ahead:
        importing = ahead.pop()
        seen.add(importing)
        for name in _imported_by(importing):
            own = next((path for path in (root / f"{name}.py", root / name / "__init__.py") if path.exists()), None)
            loaded = getattr(sys.modules.get(name), "__file__", None)
            if own and loaded and not own.samefile(loaded) and any(Path(loaded).is_relative_to(one) for one in roots):
                told = "Python has one module of a name: rename one, or make the folders packages with from . import"
                raise ImportError(f"{name} is {loaded} by now, and would be {own}: {told}")
            ahead += [own] if own and own not in seen else []


def _imported_by(file: Path) -> set[str]:
    """The first words of the modules that a file names in import statements; of its own package none."""
    nodes = list(ast.walk(ast.parse(file.read_bytes(), file)))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level]
    return {name.partition(".")[0] for name in names}


# -- what went wrong


def reason_of(error: BaseException, root: Path) -> str:
    """mine.py, line 3: ZeroDivisionError: division by zero."""
    place = line_of(error, root)
    return f"{place}{': ' if place else ''}{_short(_said(error))}"


def line_of(error: BaseException, root: Path = Path("/")) -> str:
    """The innermost line of a file below that folder, but for what is installed there: mine.py, line 3."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{Path(error.filename).name}, line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [one for one in frames if Path(one.filename).is_relative_to(root) and not _is_installed(one.filename)]
    return f"{Path(own[-1].filename).name}, line {own[-1].lineno}" if own else ""


def _is_installed(file: str) -> bool:
    """Whether nobody wrote it as a policy."""
    return file.startswith(OTHERS) or not {"site-packages", "dist-packages"}.isdisjoint(Path(file).parts)


def _said(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"it calls sys.exit({'' if error.code is None else repr(error.code)}), which has no place here"
    if isinstance(error, ModuleNotFoundError) and error.name:
        first = error.name.partition(".")[0]
        remedy = "pip install 'sos-gym[learn]'" if first in LEARN else "install it, or put it beside the file"
        return f"it needs the module {error.name!r}: {remedy}"
    if isinstance(error, ImportError) and "relative import" in str(error):
        return f"{error}: make the folder a package (an empty __init__.py), or write `import NAME`"
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg}"
    return str(error) if isinstance(error, (SettingError, PolicyError)) else f"{type(error).__name__}: {error}"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"
