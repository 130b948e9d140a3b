"""Where work runs: streams of independent pieces over the cores of this machine.

Lives here: how pieces are spread and in which order their results come back. Does not live here: what a piece does. May
import the standard library and torch.
"""
