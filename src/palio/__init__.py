"""Palio: the whole life of a machine-learning model, from labelled data to a champion that is watched and replaced."""

__version__ = "0.1.0"
