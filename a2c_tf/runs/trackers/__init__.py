"""Where metrics go beside `metrics.jsonl`: one module for each tracker, behind one interface."""
