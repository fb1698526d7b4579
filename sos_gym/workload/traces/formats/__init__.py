"""Formats that can be imported: a module that calls `@format_of(...)` is put here and is found, without a list."""

from sos_gym.workload.discovery import import_modules

import_modules(__name__)
