"""What a run costs over any network, from its traffic over an emulated one without a rate.

Recorded packets (:mod:`capc_mpc.modelled.recording`) become what each party did and waited for
(:mod:`capc_mpc.modelled.programme`), and that is played over another link (:mod:`capc_mpc.modelled.replay`).
"""
