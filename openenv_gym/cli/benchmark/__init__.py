"""Measures what a step costs over each transport; ``openenv-gym bench`` and ``benchmarks/`` run it.

Candidates are measured in turn, block by block, so that whatever else the machine does hits all of
them alike. Figures of different runs are not comparable, ratios within one run are.
"""
