"""MinAtar's games (Young and Tian, 2019, arXiv:1903.03176), written afresh from their rules."""
