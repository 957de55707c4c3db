"""Pictures come in: albums of files, what was noted of each, and the rows that they make.

An album is a folder, or a ZIP or tar archive, which is never unpacked. Every picture is decoded once: what is found is
noted by the SHA-256 of its bytes.
"""
