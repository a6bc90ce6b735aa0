"""MinAtar's games (Young and Tian, 2019, arXiv:1903.03176), written again from their rules."""
