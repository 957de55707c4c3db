"""Contract suites that authors of families, stores, sources and kinds of cells subclass. Need pytest and hypothesis."""
