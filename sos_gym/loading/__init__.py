"""Policies by what people write: names, pairs, and files that hold one – Python source, saved claims, saved models."""

from sos_gym.loading.content import content_of
from sos_gym.loading.found import Found, found, found_as
from sos_gym.loading.spec import specs_in

__all__ = ["Found", "content_of", "found", "found_as", "specs_in"]
