"""Methods against over-fitting in a training's step: one file a method; the folder is the list of
`--set training.regularization.name=...`.
"""
