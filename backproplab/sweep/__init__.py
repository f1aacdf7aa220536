"""Sweeps: one file, or a config and comma words, as many trials; and who runs them.

Nothing is imported here: a worker needs ``job`` alone.
"""
