"""CaPC, Confidential and Private Collaborative learning: the formally specified reference.

The core of this package (see ``spec/00-overview.md``) is written to be read and translated by eye. HE inference,
learning and the command line are subpackages around it, each behind an extra.
"""
