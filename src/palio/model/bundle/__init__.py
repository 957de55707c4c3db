"""What is kept of a model and vouched for: files, identity, signatures, and the evidence that travels along."""
