"""Readers of rows, one form of file each. `palio.data.opening` finds the one that fits; each satisfies `palio.data.Source`."""
