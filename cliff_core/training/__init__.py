"""How models learn: synthetic people, losses, pretraining of the open CLIFF, fine-tuning on a person's points.

Lives here: what makes or changes weights. Does not live here: networks (`models`), what is done with a trained model
(`inference`), when a project is tuned (`annotator.refine`). May import: everything of `cliff_core` but `formats`.
"""
