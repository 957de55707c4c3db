"""Boxes come in: files of annotation in every usual format, held against the pictures that they speak of.

A format reads files into sheets, one for each picture; who is meant, in what units and from which corner a box is
written, and whether it lies in its picture is found out and checked for all formats alike.
"""
