"""Leaderboard: a grid of runs, one replayable row each, and the tables they make."""

from sos_gym.leaderboard.grid import ReplayError, leaderboard, replay
from sos_gym.leaderboard.report import markdown, picture, write
from sos_gym.leaderboard.standing import Standing, standings

__all__ = ["ReplayError", "Standing", "leaderboard", "markdown", "picture", "replay", "standings", "write"]
