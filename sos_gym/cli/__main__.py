"""python -m sos_gym.cli is sos-gym."""

from sos_gym.cli.app import app

app()
