"""Leaderboard: a grid of runs, one replayable row each, and the tables they make."""

from .grid import ReplayError, leaderboard, replay
from .report import markdown, picture, write
from .standing import Standing, standings

__all__ = ["ReplayError", "Standing", "leaderboard", "markdown", "picture", "replay", "standings", "write"]
