"""Synthetic people to train on: poses, clothes, light, cameras, and crops rendered from them.

May import: bodies, geometry, rendering and the trunk; nothing of the training loop.
"""
