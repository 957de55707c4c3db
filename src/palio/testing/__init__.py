"""Contract suites that authors of families, stores and sources subclass. Need pytest."""
