"""Judges a port: a program in any language that performs the operations of the test vectors when it is asked.

`levels` says what is judged and what stands on what, `child` holds the port's process, `wire` what goes over its pipes,
`judge` asks and compares, `live` has it play a party of whole sessions, `report` tells. docs/porting.md
describes it for those who write ports.
"""
