"""Policies by what people write: names, pairs, and files that hold one – Python source, saved claims, saved models.

found.py is the way in; it needs what is compiled, spec.py, which only reads what is written, does not.
"""
