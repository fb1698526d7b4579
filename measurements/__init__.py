"""What simulated episodes say: each module measures, and writes a page of docs/ or a part of one.

    python -m measurements.NAME --help

They take minutes to an hour; no test asks for them anew. How fast the package is, is measured in `benchmarks/`; what
needs no run is written by `docs/writer/`.
"""
