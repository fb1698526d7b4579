"""Families of workloads: a module that calls `@family(...)` is put here and is found, without a list of its name."""

from sos_gym.workload.discovery import import_modules

import_modules(__name__)
