"""From a checkpoint to files that act as the agent did: SavedModel, ONNX, manifest."""
