"""Averages of the weights of many steps: one file a kind; the folder is the list of
`--set training.average.name=...`.
"""
