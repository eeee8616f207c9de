"""The company that the sample is of, simulated: its customers' lives, the tables they leave, what was planted.

Developers and benchmarks write with it, by the command `sample`; no notebook and no other room imports it.
"""
