"""The command sos-gym."""

from sos_gym.cli.app import app

__all__ = ["app"]
