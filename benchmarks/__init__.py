"""How fast it is, against others on the same work: python -m benchmarks [NAME ...] [--quick] [--out FOLDER].

A benchmark is a module: its docstring is the title and what stands above its table, `cases(scale)` what is measured in
turn, `measure(case, scale)` the rows of one case, `draw(figure, rows)` its picture. Peers run in `.peers`
(`benchmarks/peers`); `replay.py` runs alone. What policies do, rather than how fast, is measured in `measurements/`.
"""
