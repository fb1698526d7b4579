"""python -m sos_gym is sos-gym."""

from sos_gym.cli.app import app

app()
