"""Learn with deep networks: one loop for pictures and texts, the networks, and their way into a graph.

torch, transformers and tokenizers are imported inside functions of this wing and nowhere else: who works with tables
never loads them.
"""
