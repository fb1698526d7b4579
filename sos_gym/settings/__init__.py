"""The numbers of an environment: each with unit, range, default and source."""

from sos_gym.settings.environment import Settings, build_settings
from sos_gym.settings.presets import PRESETS
from sos_gym.settings.ranges import Parameter, SettingError

__all__ = ["PRESETS", "Parameter", "SettingError", "Settings", "build_settings"]
