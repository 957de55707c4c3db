"""What happens to texts before a graph: words and pieces of words become ids and counts, by a rule that is data."""
