"""Where work runs: streams of pieces over the cores of this machine, teams of processes, a cluster; rows on disk.

Lives here: how pieces are spread and in which order their results come back. Does not live here: what a piece does. May
import the standard library, torch, records and pictures, and Ray where somebody asks for it.
"""
