"""The families that come with Palio: one file each."""
