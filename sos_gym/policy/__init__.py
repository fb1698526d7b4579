"""Policies: what decides. One idea per file; `registry.py` finds them by name."""

from sos_gym.policy.registry import claim, is_policy, pair, policies, policy_named, policy_of, register

__all__ = ["claim", "is_policy", "pair", "policies", "policy_named", "policy_of", "register"]
