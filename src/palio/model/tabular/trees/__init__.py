"""Trees of four libraries as one `TreeEnsemble` in float64, each with the library's own reading of a number."""
