"""The words every room uses: frozen records, errors, settings, identities, seeded random streams.

Standard library and msgspec only. Unlike the other rooms, `core` is open: import its modules directly.
"""
