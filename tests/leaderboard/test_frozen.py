"""Boards that are frozen are what they were: tapes, settings, and what three references come to on them."""

import pytest

from sos_gym.leaderboard import frozen, leaderboard, markdown
from sos_gym.leaderboard.frozen import CURRENT, SEEDS, board_of, freeze, frozen_board, frozen_now
from sos_gym.leaderboard.grid import groups
from sos_gym.settings.ranges import SettingError

LOOKED_AT = (0, 19)  # seeds


@pytest.mark.parametrize(
    "number", range(len(frozen_board().groups)), ids=lambda n: frozen_board().groups[n].group.workload
)
def test_a_group_is_what_it_was(number):
    then = frozen_board().groups[number]
    now = frozen_now(then.group, LOOKED_AT)
    assert now.tapes == [then.tapes[seed] for seed in LOOKED_AT]
    assert now.references == {name: [stalls[seed] for seed in LOOKED_AT] for name, stalls in then.references.items()}
    assert len(then.tapes) == SEEDS == len(then.references["linux"])


def test_it_has_the_groups_of_the_default_board():
    today = [(one.env, one.workload, one.split) for one in groups(None, None, "test")]
    assert [(one.group.env, one.group.workload, one.group.split) for one in frozen_board().groups] == today


def test_rows_are_of_a_board_by_their_tapes():
    rows = leaderboard(["sos/CPU-v0"], ["turns"], episodes=2)
    assert board_of(rows) == CURRENT and f"board {CURRENT}" in markdown(rows)
    assert board_of([*rows, rows[0] | {"tape": "another"}]) is None and board_of([]) is None
    other = leaderboard(["sos/CPU-v0"], ["turns"], ["hyperexponential"], episodes=1, split="val")
    assert board_of(other) is None and "board" not in markdown(other).splitlines()[2]


def test_a_board_that_is_frozen_is_not_written_again():
    before = (frozen.FOLDER / f"{CURRENT}.json").read_bytes()
    with pytest.raises(SettingError, match="stays as it is"):
        freeze(CURRENT)
    assert (frozen.FOLDER / f"{CURRENT}.json").read_bytes() == before
    with pytest.raises(SettingError, match=r"did you mean '2026\.1'"):
        frozen_board("2026.2")
