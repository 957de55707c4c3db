"""How requests are read and answers written: one module for each form that the server speaks."""
