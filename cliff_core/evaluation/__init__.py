"""How good bodies are, measured: metrics with their conventions named, benchmarks, comparisons with peers.

Lives here: numbers about results. Does not live here: losses (they are `training`), thresholds of the window. May
import: everything of `cliff_core`; `metrics` itself needs NumPy only.
"""
