"""Which findings people are told of, and how the message reaches them."""
