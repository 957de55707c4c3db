"""Whether what is right to answer has changed: sequential detectors suspect, rows that come after decide."""
