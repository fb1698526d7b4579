"""Kernels of other people, compiled so that a mistake ends a call and not the process.

`checked(kernel)` is the same kernel, and all that it calls, with checks put into its code before types are inferred: an
index is held to its table, a loop to a number of turns, and what belongs to others is not written to. What fails ends
the call with an error, which `attempt_at` gives to the caller. The rest of the code is what it was, so results are the
same to the last bit.
"""

import ctypes
import dis
import operator
import random
import re
import types as python
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numba as nb
import numpy as np
from llvmlite import ir as llvm
from numba import types
from numba.core import cgutils, ir, serialize
from numba.core.analysis import compute_cfg_from_blocks
from numba.core.ccallback import CFunc
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import FunctionPass, register_pass
from numba.core.dispatcher import Dispatcher, LiftedCode
from numba.core.errors import NumbaError
from numba.core.untyped_passes import InlineClosureLikes
from numba.extending import intrinsic
from numba.np.ufunc.dufunc import DUFunc

from sos_gym.kernel.compiling import keep_on_disk
from sos_gym.kernel.sources import PACKAGE
from sos_gym.kernel.table import PROTECTED, Table

FIRST = "my"  # the parameter whose record has the fields TURNS, WRONG and SIZE, all int64
TURNS, WRONG, SIZE = "turns", "wrong", "size"  # loop turns that are left; an index that is none, and of how many
TURNS_ALONE = 1 << 20  # of a function without that parameter, at each call
BEGIN, END = "\x02", "\x03"  # around a reason, which Numba wraps in text of its own


class RefusedError(NumbaError):
    """What a checked kernel may not do, found when it is compiled."""

    def __init__(self, reason: str):
        super().__init__(reason if BEGIN in reason else f"{BEGIN}{reason}{END}")  # Numba makes it again with more text


class PlaceError(IndexError):
    """An index that is none."""


class TurnsError(RuntimeError):
    """A loop took too many turns."""


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
            count = list(self._call(_count_turn, self._counter, self._at(block.loc))) if label in headers else []
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
            *before, last = self._call(_turns_alone)
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
            yield from self._call(_own, statement.target, f"{self._spelled(statement.target)}, field {statement.attr}")
        elif isinstance(statement, (ir.SetItem, ir.StaticSetItem)):
            yield from self._call(_own, statement.target, self._spelled(statement.target))
            yield from self._held(statement, statement.target, isinstance(statement, ir.SetItem))
        yield statement

    def _not_repeated(self, expression: Any) -> Iterator[Any]:
        """Refuse a list times a number, which may be of any size."""
        if (expression.immutable_fn if expression.op == "inplace_binop" else expression.fn) is operator.mul:
            yield from self._call(_no_list, expression.lhs, self._at(expression.loc))
            yield from self._call(_no_list, expression.rhs, self._at(expression.loc))

    def _held(self, item: Any, container: ir.Var, varies: bool) -> Iterator[Any]:
        """Hold the index of an item to its container."""
        index = item.index if varies else item.index_var or item.index
        yield from self._call(_within, self._counter, container, index, self._spelled(container))

    def _permitted(self, statement: ir.Assign) -> Any:
        """The value that is assigned, or its checked twin."""
        value = statement.value
        if isinstance(value, ir.Expr) and value.op == "make_function":
            raise RefusedError(f"a function within a function {self._at(statement.loc)}: define it outside")
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


# -- the checks themselves


def _nothing(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
    return context.get_dummy_value()


@intrinsic(prefer_literal=True)
def _own(typing_context, target, spelled):  # type: ignore[no-untyped-def]
    """Refuse what belongs to the engine."""

    def refuse(*_):  # type: ignore[no-untyped-def]  # not before code is made: until then Numba tries other types
        raise RefusedError(
            f"{spelled.literal_value} is read only: keep what is your own in `own` or `each` of the card"
        )

    others = isinstance(target, types.Record) and (target in PROTECTED or TURNS in target.fields)
    return types.none(target, spelled), refuse if others or isinstance(target, Table) else _nothing


@intrinsic(prefer_literal=True)
def _no_list(typing_context, value, at):  # type: ignore[no-untyped-def]
    """Refuse a sequence as a factor."""

    def refuse(*_):  # type: ignore[no-untyped-def]
        raise RefusedError(
            f"a sequence times a number {at.literal_value}: it may be of any size; keep a table in the card"
        )

    sequence = isinstance(value, (types.List, types.ListType, types.UnicodeType, types.Bytes))
    return types.none(value, at), refuse if sequence else _nothing


def _field(context, builder, record, pointer, name):  # type: ignore[no-untyped-def]
    word = context.get_data_type(types.int64)
    return cgutils.get_record_member(builder, pointer, record.offset(name), word)


@intrinsic(prefer_literal=True)
def _within(typing_context, counter, table, index, spelled):  # type: ignore[no-untyped-def]
    """Fail unless `index` is one of the table's, or the array's, which may be negative; others check their own."""
    signature = types.none(counter, table, index, spelled)
    array = isinstance(table, types.Array) and table.ndim == 1
    if not (array or isinstance(table, Table)) or not isinstance(index, (types.Integer, types.IntEnumMember)):
        return signature, _nothing

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        if array:
            length = builder.extract_value(context.make_array(table)(context, builder, arguments[1]).shape, 0)
        else:
            length = cgutils.create_struct_proxy(table)(context, builder, arguments[1]).size
        place = context.cast(builder, arguments[2], index, types.intp)
        lowest = builder.neg(length) if array else length.type(0)
        wrong = builder.or_(builder.icmp_signed(">=", place, length), builder.icmp_signed("<", place, lowest))
        with builder.if_then(wrong, likely=False):
            if isinstance(counter, types.Record):
                builder.store(place, _field(context, builder, counter, arguments[0], WRONG))
                builder.store(length, _field(context, builder, counter, arguments[0], SIZE))
            context.call_conv.return_user_exc(builder, PlaceError, (spelled.literal_value,))
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def _turns_alone(typing_context):  # type: ignore[no-untyped-def]
    """A cell that counts down."""

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        cell = cgutils.alloca_once(builder, llvm.IntType(64))
        builder.store(llvm.IntType(64)(TURNS_ALONE), cell)
        table = cgutils.create_struct_proxy(signature.return_type)(context, builder)
        table.data, table.size = builder.bitcast(cell, table.data.type), llvm.IntType(64)(1)
        return table._getvalue()

    return Table(types.int64)(), codegen


@intrinsic(prefer_literal=True)
def _count_turn(typing_context, counter, at):  # type: ignore[no-untyped-def]
    """Fail when no turn is left."""

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        if not isinstance(counter, Table) and TURNS not in getattr(counter, "fields", ()):
            raise RefusedError(f"a parameter `{FIRST}` {at.literal_value} that is not the policy's: call it otherwise")
        if isinstance(counter, Table):
            data = cgutils.create_struct_proxy(counter)(context, builder, arguments[0]).data
            cell = builder.bitcast(data, llvm.IntType(64).as_pointer())
        else:
            cell = _field(context, builder, counter, arguments[0], TURNS)
        left = builder.sub(builder.load(cell), llvm.IntType(64)(1))
        builder.store(left, cell)
        with builder.if_then(builder.icmp_signed("<", left, left.type(0)), likely=False):
            context.call_conv.return_user_exc(builder, TurnsError, (at.literal_value,))
        return context.get_dummy_value()

    return types.none(counter, at), codegen


# -- calls that may fail


def attempt_at(signature: nb.core.typing.templates.Signature) -> Callable:
    """A kernel's way to call what may fail: attempt(address, *arguments) -> (code, error, what it returned).

    `code` is 0 when it did not fail, else RAISED, with the address of its `error` (see `raised_at`), or what the
    callee says. A function that returns nothing gives a 0.
    """
    returned = types.int64 if signature.return_type == types.void else signature.return_type
    result = types.Tuple((types.int64, types.int64, returned))

    @intrinsic
    def attempt(typing_context, address, first, second):  # type: ignore[no-untyped-def]
        def codegen(context, builder, _, arguments):  # type: ignore[no-untyped-def]
            word, convention = llvm.IntType(64), context.call_conv
            kind = convention.get_function_type(signature.return_type, signature.args).as_pointer()
            callee = builder.inttoptr(arguments[0], kind)
            status, value = convention.call_function(
                builder, callee, signature.return_type, signature.args, arguments[1:]
            )
            code = builder.select(status.is_error, builder.sext(status.code, word), word(0))
            error = builder.select(status.is_error, builder.ptrtoint(status.excinfoptr, word), word(0))
            value = word(0) if signature.return_type == types.void else value
            return context.make_tuple(builder, result, [code, error, value])

        return result(types.int64, *signature.args), codegen

    return attempt


RAISED = 1  # the code of an exception of compiled code, numba.core.callconv.RETCODE_USEREXC


class _Raised(ctypes.Structure):
    """numba.core.callconv.excinfo_t."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("size", ctypes.c_int32),
        ("given", ctypes.c_void_p),
        ("unwrap", ctypes.c_void_p),
        ("many", ctypes.c_int32),
    )


def raised_at(address: int) -> tuple[Exception, str]:
    """The exception that a kernel of this process raised, without values that were known only then; and where."""
    found = _Raised.from_address(address)
    kind, arguments, place = serialize.loads(ctypes.string_at(found.data, found.size))
    where = f" ({Path(place[1]).name}:{place[2]})" if place else ""
    return kind(*(argument for argument in arguments if not isinstance(argument, llvm.Value))), where


# -- what did not compile

_KNOWN = (rf"{BEGIN}(.*?){END}", r"(a record has no field .*)")


def reason_of(error: Exception) -> str:
    """Why a kernel does not compile, in one line: our own words where they are in the text, else Numba's."""
    text = str(error)
    for pattern in _KNOWN:
        if found := re.findall(pattern, text, re.DOTALL if BEGIN in pattern else 0):
            return f"{found[-1]}{'' if BEGIN in pattern else _line(text)}"
    said = [line.strip() for line in text.splitlines() if line.strip()]
    told = [line for line in said if not re.match(r"(Failed in|During|File |- |\^|<source|def |This error)", line)]
    return " ".join([*told[:1], *(line for line in told[1:] if line.startswith(">>>"))][:2]) + _line(text)


def _line(text: str) -> str:
    places = re.findall(r'File "([^"]+)", line (\d+)', text)
    return f" ({Path(places[-1][0]).name}:{places[-1][1]})" if places else ""
