"""An emulated network: parties in network namespaces of their own, behind a link with a delay and a rate.

:class:`capc_mpc.emulated.network.EmulatedNetwork` is what a caller uses; it needs Linux and root. The link is a process
beside the parties: it makes the namespaces, which have no name and end with the last process that is in them, and
carries packets between their TUN devices. Nothing outside of them is changed, so that nothing remains of a run that was
killed, and any number of runs do not meet.
"""
