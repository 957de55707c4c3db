"""What families compute with where no library does it as well: networks, kernels, penalised sums."""
