"""The network room: token ids to tensors, and weights to files and back."""
