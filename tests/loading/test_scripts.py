"""Python files with policies: what a name in one may be, how they are imported, and what is said when that fails."""

import subprocess
import sys
import textwrap

import pytest

import sos_gym
from sos_gym.kernel.disk import root
from sos_gym.loading.found import found
from sos_gym.policy import policies

pytestmark = pytest.mark.usefixtures("names_given_back")

SOURCE = """
    import sos_gym
    from sos_gym.policy.words import Parameter, Policy, kernel
    from helper_of_{unique} import SIGN, signed

    print("this is not a result")

    @kernel
    def claim(my, entity):
        return signed(entity), 0.0

    LRU = Policy("lru_of_{unique}", "mine", "", "", "", "", claim=claim)
    BOTH = sos_gym.pair(LRU, "sieve")

    @sos_gym.claim("fast_of_{unique}", parameters={{"half": Parameter(0.25, "", 0.0, 1.0, "more")}})
    def fast(entity, now, parameters):
        return -entity.last_use * parameters.half

    class Agent:
        '''An agent that follows.'''
        rows, advisors = 32, ("lru", LRU)
        def __call__(self, observation, info):
            return info["advice"][LRU.name]

    agent = Agent()

    class Plain(sos_gym.PlainPolicy):
        parameters = {{"sign": Parameter(1.0, "", -1.0, 1.0, "more")}}
        def claim(self, my, entity):
            return self.parameters.sign * entity.use_seq

    def first(observation, info):
        '''The first legal row.'''
        return observation["action_mask"].argmax()

    def broken(observation, info):
        return 1 // 0

    def nothing(observation, info):
        pass

    NUMBER = 3
"""
HELPER = """
    from sos_gym.policy.words import kernel

    SIGN = {sign}

    @kernel
    def signed(entity):
        return SIGN * entity.use_seq
"""
TAPE = sos_gym.Tape.from_references([0, 1, 2, 3, 0, 4] * 8)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("my (odd), files+[x]")
    write(folder / "helper_of_mine.py", HELPER.format(sign=1.0))
    return write(folder / "mine.py", SOURCE.format(unique="mine"))


def stall(policy, **settings):
    return sos_gym.evaluate("sos/Memory-v0", policy, TAPE, frames=3, nodes=1, **settings)[0]["stall_ns"]


# -- what a name may be

PLAIN = ("Plain", "Plain(sign=-1)")


@pytest.mark.parametrize("name", ["LRU", "fast", "fast_of_mine", "FAST_of_mine", "fast(half=0.5)", "BOTH", *PLAIN])
def test_policies_run_inside_the_engine(mine, name):
    one = found(f"{mine}:{name}")
    assert isinstance(one.policy, (sos_gym.Policy, type(sos_gym.pair("lru", "lru")))) and not one.is_callable
    assert one.spec == one.called == f"{mine}:{name}"
    expected = {"LRU": "lru", "BOTH": "sieve", "Plain": "lru"}.get(name, "mru")
    assert stall(one.policy) == stall(expected)


def test_pairs_of_files_and_names(mine):
    one = found(f"eevdf + {mine}:LRU")
    assert one.spec == f"eevdf + {mine}:LRU" and stall(one.policy) == stall("lru")
    assert found(f"{mine}:LRU + FIFO").called == f"{mine}:LRU + FIFO"


@pytest.mark.parametrize("name", ["agent", "first"])
def test_callables_are_asked_step_by_step(mine, name):
    one = found(f"{mine}:{name}")
    assert one.is_callable and one.content is None and one.policy.__name__ == f"{mine}:{name}"
    assert one.settings.get("rows") == (32 if name == "agent" else None)
    if name == "agent":
        assert stall(one.policy, **one.settings) == stall("lru")


def test_a_callables_error_has_its_line(mine):
    with pytest.raises(sos_gym.PolicyError, match=r"mine\.py:broken': mine\.py, line \d+: ZeroDivisionError"):
        stall(found(f"{mine}:broken").policy)
    with pytest.raises(sos_gym.PolicyError, match=r"nothing': it returned None, which is no row"):
        stall(found(f"{mine}:nothing").policy)


@pytest.mark.parametrize(
    "name, said",
    [
        ("", "it has LRU, BOTH, fast, Plain, agent, first, broken"),
        ("lru", "did you mean 'LRU'"),
        ("frist", "did you mean 'first'"),
        ("xyz", "it has LRU"),
        ("NUMBER", "that is 3, of type int"),
        ("Agent", "put agent = Agent"),
        ("claim", "that is a kernel"),
        ("first(half=1)", "leave .half=1. out"),
        ("BOTH(half=1)", "that is a pair"),
        ("LRU(half=1)", "one of its parameters"),
        ("fast(half=2)", "a number from 0.0 to 1.0"),
        ("first + lru", "no pair, learned claim or callable"),
    ],
)
def test_what_is_no_policy_is_refused(mine, name, said):
    with pytest.raises(sos_gym.SettingError, match=said):
        found(f"{mine}:{name}" if name else str(mine))


def test_a_file_with_one_policy_needs_no_name(tmp_path):
    path = write(tmp_path / "one.py", ONE.format("one"))
    assert found(str(path)).spec == f"{path}:one"


ONE = """
import sos_gym

@sos_gym.claim("{0}")
def {0}(entity, now):
    return entity.last_use
"""


# -- importing


def test_a_file_is_run_once_and_what_it_prints_is_its_own(tmp_path, capsys):
    path = write(tmp_path / "once.py", "print('run')\n" + ONE.format("once"))
    assert found(f"{path}:once").policy is found(f"{path}:once").policy
    assert capsys.readouterr().out == "run\n"


def test_files_of_one_name_with_names_of_one_name_do_not_meet(tmp_path):
    for folder, sign in (("a", ""), ("b", "-")):
        write(tmp_path / folder / "twice.py", ONE.format("twice").replace("return ", f"return {sign}"))
    a, b = (found(f"{tmp_path}/{folder}/twice.py:twice") for folder in "ab")
    assert (stall(a.policy), stall(b.policy)) == (stall("lru"), stall("mru"))
    assert a.content != b.content
    assert policies()["twice"] is a.policy  # who came first has the name


def test_an_advisor_is_the_files_own(tmp_path):
    agent = "def agent(observation, info):\n    return info['advice']['own']\n\nagent.advisors = ('own',)\n"
    for folder, sign in (("a", ""), ("b", "-")):
        write(tmp_path / folder / "own.py", ONE.format("own").replace("return ", f"return {sign}") + agent)
    stalls = [stall(one.policy, **one.settings) for one in (found(f"{tmp_path}/{x}/own.py:agent") for x in "ab")]
    assert stalls == [stall("lru"), stall("mru")]


def test_relative_imports_in_a_package_and_two_of_one_name(tmp_path):
    source = "from .sign import SIGN\nfrom . import sign\n" + ONE.format("packed").replace("return ", "return SIGN * ")
    for folder, sign in (("a", 1.0), ("b", -1.0)):
        write(tmp_path / folder / "pack" / "__init__.py", "from .packed import packed\n")
        write(tmp_path / folder / "pack" / "packed.py", source)
        write(tmp_path / folder / "pack" / "sign.py", f"SIGN = {sign}\n")
    stalls = [stall(found(f"{tmp_path}/{folder}/pack/packed.py:packed").policy) for folder in "ab"]
    assert stalls == [stall("lru"), stall("mru")]


def test_a_neighbour_of_another_file_is_not_taken_for_ones_own(tmp_path):
    for folder in "ab":
        write(tmp_path / folder / "neighbour_of_two.py", "SIGN = 1.0\n")
        write(tmp_path / folder / "user.py", "from neighbour_of_two import SIGN\n" + ONE.format("user"))
    found(f"{tmp_path}/a/user.py:user")
    with pytest.raises(sos_gym.SettingError, match=r"a/neighbour_of_two\.py by now, and would be .*b/neighbour"):
        found(f"{tmp_path}/b/user.py:user")


def test_neighbours_do_not_hide_what_we_import_later(tmp_path):
    write(tmp_path / "calendar.py", "raise RuntimeError\n")
    found(f"{write(tmp_path / 'shy.py', ONE.format('shy'))}:shy")
    assert sys.path[-1] == str(tmp_path) and sys.path[0] != str(tmp_path)


def test_kernels_are_kept_on_disk_until_a_neighbour_changes(tmp_path):
    script = (
        "import sys, sos_gym; from sos_gym.loading.found import found; one = found(sys.argv[1]); one.policy.host();"
        "tape = sos_gym.Tape.from_references([0, 1, 2, 3, 0, 4] * 8);"
        "print(one.content, sos_gym.evaluate('sos/Memory-v0', one.policy, tape, frames=3, nodes=1)[0]['stall_ns'])"
    )
    mine = write(tmp_path / "kept.py", SOURCE.format(unique="kept"))

    def run(sign):
        write(tmp_path / "helper_of_kept.py", HELPER.format(sign=sign))
        command = [sys.executable, "-c", script, f"{mine}:LRU"]
        content, said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-2:]
        return content, int(said)

    def kept():
        return sorted(path for path in root().glob("kept_*/**/*.nbc"))

    (first, lru), files = run(1.0), kept()
    assert lru == stall("lru") and files
    assert run(1.0) == (first, lru) and kept() == files  # nothing was compiled again
    other, mru = run(-1.0)
    assert mru == stall("mru") and other != first


@pytest.mark.parametrize(
    "text, said",
    [
        ("x = (\n", "failing.py, line 1: SyntaxError"),
        ("def f():\n    1 / 0\nf()\n", "failing.py, line 2: ZeroDivisionError: division by zero"),
        ("import no_such_module_at_all\n", "line 1: it needs the module 'no_such_module_at_all': install it"),
        ("raise ModuleNotFoundError('x', name='torch.nn')\n", r"pip install 'sos-gym\[learn\]'"),
        ("import sys\nsys.exit('bye')\n", r"line 2: it calls sys.exit\('bye'\)"),
        ("from .helper import x\n", "make the folder a package"),
        ("\n" + ONE.format("lru"), r"line \d+: name='lru' is not allowed"),
        ("x = '\\0'\n\0", "null bytes"),
        (
            "class E(Exception): pass\nraise E('a\\nb')\n",
            "E: a b",
        ),
    ],
)
def test_a_file_that_fails_is_one_line_with_its_place(text, said, tmp_path):
    path, before = write(tmp_path / "failing.py", text), dict(policies())
    with pytest.raises(sos_gym.SettingError, match=said) as caught:
        found(f"{path}:x")
    assert "\n" not in str(caught.value)
    assert policies() == before and not [name for name in sys.modules if name.startswith("failing_")]


def test_an_interrupted_import_leaves_nothing(tmp_path):
    path = write(tmp_path / "interrupted.py", ONE.format("interrupted") + "\nraise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        found(f"{path}:interrupted")
    assert "interrupted" not in policies() and not [name for name in sys.modules if name.startswith("interrupted_")]


def test_a_file_does_not_see_our_command_line(tmp_path):
    source = "import argparse\nargparse.ArgumentParser().parse_args()\n" + ONE.format("parsing")
    assert found(str(write(tmp_path / "parsing.py", source))).policy.name == "parsing"


@pytest.mark.parametrize(
    "spec, said",
    [
        ("{}/nowhere.py:X", "a file that exists; there is no such one"),
        ("{}/min.py:X", "did you mean 'mine.py'"),
        ("{}/folder.py:X", "that is a folder"),
        ("{}/" + "x" * 300 + ".py:X", "File name too long"),
        ("~nobody_of_that_name/mine.py:X", "a file that exists"),
        ("mine.py LRU", "FILE.py:NAME"),
        ("c++/nowhere.py:X", "FILE.py:NAME"),
    ],
)
def test_a_file_that_is_not_there_is_refused(spec, said, tmp_path):
    (tmp_path / "mine.py").touch()
    (tmp_path / "folder.py").mkdir()
    with pytest.raises(sos_gym.SettingError, match=said):
        found(spec.format(tmp_path))
