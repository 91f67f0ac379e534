"""Sessions in which a party is given one message at a time: live interoperation with ports, and its transcripts.

`desk` holds a party's program between two messages, `joining` seats a party as a request to join says, `sessions` has
the modes, `transcript` what all parties of a session send. docs/porting.md describes the exchange for those who write
ports; `capc_verify.conformance` judges.
"""
