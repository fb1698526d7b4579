"""Recorders: programs of this machine as tapes (docs/recording.md)."""

from sos_gym.workload.recorders.about import About
from sos_gym.workload.recorders.cpu import record_cpu
from sos_gym.workload.recorders.memory import record_memory
from sos_gym.workload.recorders.system import record_system

__all__ = ["About", "record_cpu", "record_memory", "record_system"]
