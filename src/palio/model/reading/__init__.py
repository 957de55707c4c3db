"""What happens to texts and pictures before a graph: they become ids, counts or pixels, by rules that are data."""
