"""Who may ask, and who answers. Knows nothing of bytes; everything is worked out when the plan changes."""
