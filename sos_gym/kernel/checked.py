"""Kernels of other people, compiled so that a mistake ends a call and not the process.

`checked(kernel)` is the same kernel, and all that it calls, with checks put into its code before types are inferred: an
index is held to its table, a loop to a number of turns, and what belongs to others is not written to. What fails ends
the call with an error, which `attempt_at` gives to the caller (attempts.py). The rest of the code is what it was, so
results are the same to the last bit.
"""

import ctypes
import dis
import operator
import random
import types as python
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numba as nb
import numpy as np
from numba.core import ir
from numba.core.analysis import compute_cfg_from_blocks
from numba.core.ccallback import CFunc
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import FunctionPass, register_pass
from numba.core.dispatcher import Dispatcher, LiftedCode
from numba.core.untyped_passes import InlineClosureLikes
from numba.np.ufunc.dufunc import DUFunc

from sos_gym.kernel.checks import FIRST, count_turn, no_list, own, turns_alone, within
from sos_gym.kernel.compiling import keep_on_disk
from sos_gym.kernel.refusals import RefusedError
from sos_gym.kernel.sources import PACKAGE
from sos_gym.kernel.table import HIDDEN


@cache
def checked(kernel: Dispatcher) -> Dispatcher:
    """The same kernel with checks; what it calls is checked likewise.

    Raises:
        RefusedError: when it is compiled; it does or calls what cannot be checked.
    """
    options = {name: value for name, value in kernel.targetoptions.items() if name in ("fastmath", "error_model")}
    twin = nb.njit(pipeline_class=_Compiler, boundscheck=True, nogil=True, **options)(kernel.py_func)
    keep_on_disk(twin, "checked")
    return twin


class _Compiler(CompilerBase):
    """Numba's own, with the checks."""

    def define_pipelines(self) -> list:
        builder = DefaultPassBuilder.define_nopython_pipeline(self.state)
        builder.add_pass_after(_PutChecksIn, InlineClosureLikes)
        builder.finalize()
        return [builder]


@register_pass(mutates_CFG=False, analysis_only=False)
class _PutChecksIn(FunctionPass):
    """Rewrites a function while its types are not known yet."""

    _name = "sos_gym_checks"

    def __init__(self) -> None:
        FunctionPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        _Rewriting(state.func_ir).run()
        return True


# -- a function in Numba's intermediate representation


class _Rewriting:
    """The statements of one function, and the checks that go between them."""

    def __init__(self, code: Any):
        self._code, self._blocks = code, code.blocks
        self._scope = code.blocks[min(code.blocks)].scope
        self._made = 0

    def run(self) -> None:
        if _calls_itself(self._code.func_id.func):
            raise RefusedError(f"{self._code.func_id.func_name} calls itself {self._at()}: write a loop")
        loops = compute_cfg_from_blocks(self._blocks).loops().values()
        self._counter, begin = self._begun(bool(loops))
        headers = {loop.header for loop in loops}
        for label, block in self._blocks.items():
            body = [new for statement in block.body for new in self._with_checks(statement)]
            count = list(self._call(count_turn, self._counter, self._at(block.loc))) if label in headers else []
            first = label == min(self._blocks)
            after = _after_arguments(body) if first else 0
            block.body = body[:after] + (begin if first else []) + count + body[after:]

    def _begun(self, loops: bool) -> tuple[ir.Var, list]:
        """Where turns are counted, and the statements that begin it: the first parameter, or a cell of its own."""
        if FIRST in self._code.arg_names:
            value: Any = ir.Var(self._scope, FIRST, self._code.loc)
        elif not loops:
            value = ir.Const(0, self._code.loc)
        else:
            self._refuse_calls()
            *before, last = self._call(turns_alone)
            return last.target, [*before, last]
        target, statement = self._assign(value)
        return target, [statement]

    def _refuse_calls(self) -> None:
        """Turns that are counted apart multiply."""
        for called in _called(self._code.func_id.func):
            if _may_loop(called.py_func):
                name = self._code.func_id.func_name
                raise RefusedError(
                    f"{name} loops and calls {called.py_func.__name__} {self._at()}, which loops too: give both the "
                    f"parameter `{FIRST}`, so that their turns can be counted"
                )

    # -- one statement

    def _with_checks(self, statement: Any) -> Iterator[Any]:
        if isinstance(statement, ir.Assign):
            statement.value = self._permitted(statement)
            if isinstance(statement.value, ir.Expr) and statement.value.op in ("binop", "inplace_binop"):
                yield from self._not_repeated(statement.value)
            if isinstance(statement.value, ir.Expr) and statement.value.op in ("getitem", "static_getitem"):
                yield from self._held(statement.value, statement.value.value, statement.value.op == "getitem")
        elif isinstance(statement, ir.SetAttr):
            yield from self._call(own, statement.target, f"{self._spelled(statement.target)}, field {statement.attr}")
        elif isinstance(statement, (ir.SetItem, ir.StaticSetItem)):
            yield from self._call(own, statement.target, self._spelled(statement.target))
            yield from self._held(statement, statement.target, isinstance(statement, ir.SetItem))
        yield statement

    def _not_repeated(self, expression: Any) -> Iterator[Any]:
        """Refuse a list times a number, which may be of any size."""
        if (expression.immutable_fn if expression.op == "inplace_binop" else expression.fn) is operator.mul:
            yield from self._call(no_list, expression.lhs, self._at(expression.loc))
            yield from self._call(no_list, expression.rhs, self._at(expression.loc))

    def _held(self, item: Any, container: ir.Var, varies: bool) -> Iterator[Any]:
        """Hold the index of an item to its container."""
        index = item.index if varies else item.index_var or item.index
        yield from self._call(within, self._counter, container, index, self._spelled(container))

    def _permitted(self, statement: ir.Assign) -> Any:
        """The value that is assigned, or its checked twin."""
        value = statement.value
        if isinstance(value, ir.Expr) and value.op == "make_function":
            raise RefusedError(f"a function within a function {self._at(statement.loc)}: define it outside")
        if isinstance(value, ir.Expr) and value.op == "getattr" and value.attr in HIDDEN:
            raise RefusedError(
                f"{self._name(value.value)}.{value.attr} {self._at(statement.loc)}: {HIDDEN[value.attr]}"
            )
        found = self._constant(value)
        if found is _NOTHING:
            return value
        twin = self._checked(found, statement.loc)
        return value if twin is found else ir.Global(getattr(found, "__name__", "it"), twin, statement.loc)

    def _constant(self, value: Any) -> Any:
        """The object that a global, a closure's variable, or an attribute of a module is."""
        if isinstance(value, (ir.Global, ir.FreeVar)) or (
            isinstance(value, ir.Const) and isinstance(value.value, LiftedCode)
        ):
            return value.value
        if isinstance(value, ir.Expr) and value.op == "getattr":
            module = self._defined(value.value)
            module = self._constant(module) if module is not None else _NOTHING
            if isinstance(module, python.ModuleType):
                return getattr(module, value.attr, _NOTHING)
        return _NOTHING

    def _checked(self, found: Any, loc: Any) -> Any:
        if isinstance(found, LiftedCode):
            raise RefusedError(f"object mode {self._at(loc)}: it runs Python, which cannot be checked")
        if isinstance(found, Dispatcher):
            return checked(found)
        if any(found is one for one in _OF_ANY_SIZE):
            raise RefusedError(
                f"{found.__name__} {self._at(loc)}: what it makes may be of any size; keep a table in the card"
            )
        if _is_random(found):
            raise RefusedError(
                f"the global random state {self._at(loc)}: results must follow from the seed; draw with "
                "uniform(my.seed, my.number, n) of sos_gym.policy.words"
            )
        if isinstance(found, (CFunc, DUFunc, ctypes._CFuncPtr)) or _is_foreign(found):  # type: ignore[attr-defined]
            raise RefusedError(f"{found!r} {self._at(loc)}: only functions under @kernel or njit can be checked")
        return found

    # -- parts

    def _call(self, function: Callable, *arguments: Any) -> Iterator[ir.Assign]:
        """Statements that call `function`; an argument is a variable or a constant."""
        given = []
        for argument in arguments:
            if not isinstance(argument, ir.Var):
                argument, statement = self._assign(ir.Const(argument, self._code.loc))
                yield statement
            given.append(argument)
        callee, statement = self._assign(ir.Global(function.__name__, function, self._code.loc))
        yield statement
        yield self._assign(ir.Expr.call(callee, given, (), self._code.loc))[1]

    def _assign(self, value: Any) -> tuple[ir.Var, ir.Assign]:
        self._made += 1
        target = ir.Var(self._scope, f"$checks.{self._made}", self._code.loc)
        self._code._definitions[target.name].append(value)
        return target, ir.Assign(value, target, self._code.loc)

    def _defined(self, variable: ir.Var) -> Any:
        try:
            return self._code.get_definition(variable)
        except KeyError:
            return None

    def _spelled(self, variable: ir.Var) -> str:
        """What the text calls it, and where: my.each (mine.py:14)."""
        return f"{self._name(variable)} {self._at(variable.loc)}"

    def _name(self, variable: ir.Var) -> str:
        value = self._defined(variable)
        if isinstance(value, ir.Expr) and value.op == "getattr":
            return f"{self._name(value.value)}.{value.attr}"
        if isinstance(value, ir.Arg):
            return value.name
        return variable.name if variable.name[0] != "$" else "a table"

    def _at(self, loc: Any = None) -> str:
        loc = loc or self._code.loc
        return f"({Path(loc.filename).name}:{loc.line})"


_NOTHING = object()


def _after_arguments(body: list) -> int:
    places = [n for n, one in enumerate(body) if isinstance(one, ir.Assign) and isinstance(one.value, ir.Arg)]
    return max(places, default=-1) + 1


_ALLOCATE = "arange empty eye full identity kron linspace logspace ones outer repeat tile tri vander zeros"
_OF_ANY_SIZE = (*(getattr(np, name) for name in _ALLOCATE.split()), list, set, bytes, bytearray)


def _is_random(found: Any) -> bool:
    owner = getattr(found, "__self__", None)
    return (
        found in (random, np.random)
        if isinstance(found, python.ModuleType)
        else (isinstance(owner, (random.Random, np.random.RandomState)) or isinstance(found, np.random.Generator))
    )


def _is_foreign(found: Any) -> bool:
    """Whether it makes machine code as it likes, and is not ours."""
    return type(found).__name__ == "_Intrinsic" and not found._defn.__module__.startswith(PACKAGE)


def _called(function: Any) -> Iterator[Dispatcher]:
    """The kernels that a Python function names, also as `module.kernel`."""
    found = None
    for instruction in dis.get_instructions(function):
        if instruction.opname == "LOAD_GLOBAL":
            found = function.__globals__.get(instruction.argval)
        elif instruction.opname == "LOAD_DEREF":
            found = _enclosed(function).get(instruction.argval)
        elif instruction.opname in ("LOAD_ATTR", "LOAD_METHOD") and isinstance(found, python.ModuleType):
            found = getattr(found, instruction.argval, None)
        else:
            found = None
        if isinstance(found, Dispatcher):
            yield found


def _enclosed(function: Any) -> dict[str, Any]:
    """The variables of the functions around it."""
    return {
        name: cell.cell_contents
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    }


def _reached(function: Any) -> set[Any]:
    """The Python functions that it calls, by way of others too."""
    ahead: list[Any] = [function]
    reached: set[Any] = set()
    while ahead:
        new = {called.py_func for called in _called(ahead.pop())} - reached
        reached |= new
        ahead += new
    return reached


def _calls_itself(function: Any) -> bool:
    return function in _reached(function)


def _may_loop(function: Any) -> bool:
    """Whether it, or what it calls, jumps back."""
    return any(_jumps_back(one.__code__) for one in (function, *_reached(function)))


def _jumps_back(code: python.CodeType) -> bool:
    within = any(_jumps_back(part) for part in code.co_consts if isinstance(part, python.CodeType))  # comprehensions
    return within or any(
        one.opcode in (*dis.hasjabs, *dis.hasjrel) and one.argval <= one.offset for one in dis.get_instructions(code)
    )
