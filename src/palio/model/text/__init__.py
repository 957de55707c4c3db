"""What a graph makes of texts: which entries count, what they weigh, and numbers for whoever reads numbers."""
