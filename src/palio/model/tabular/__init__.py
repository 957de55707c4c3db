"""What a graph makes of a table: preprocessing, linear models and trees as nodes, and what each column adds."""
