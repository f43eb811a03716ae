"""Learning from little: few examples of each class, or none."""
