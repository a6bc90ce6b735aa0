"""One run: assembly of its parts, the training loop, and the experiment around it."""
