"""Contract suites that authors of families, stores, sources, cells and questions subclass; need pytest, hypothesis."""
