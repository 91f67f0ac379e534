"""What each program reads and tells, in which encoding and under which protocol."""
