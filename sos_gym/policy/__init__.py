"""Policies: what decides. One idea per file; `registry.py` finds them by name."""

from sos_gym.policy.registry import claim, policies, policy_named

__all__ = ["claim", "policies", "policy_named"]
