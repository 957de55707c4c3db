"""Readers of rows, one form of file each. Each is a `palio.data.Source`; `palio.data.opening` finds the right one."""
