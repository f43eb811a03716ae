"""Floors: what is reached without fine-tuning, measured on the same rows as the model.

One file a floor; each names the tasks that it is for. They are meant to be hard to beat: a floor that was easy to pass
would praise every model.
"""
