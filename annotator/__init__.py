"""The program: what a person or a shell drives.

Here: commands (`cli`), what they print (`console`), use cases that string the science together (`demo`, `predict`,
`doctor`). Not here: anything that computes with bodies, photos or networks; that is `cliff_core`.
May import `cliff_core`. Only `annotator.qt` may import Qt, and no module here imports torch itself.
"""
