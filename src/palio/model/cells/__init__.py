"""What goes into a graph: a column's cells as its tensor, from frames, from records, and made up to be hard."""
