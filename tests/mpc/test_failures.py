"""Why MP-SPDZ failed, in its own words: error streams as the real machine wrote them."""

import pytest

from capc_mpc.interface.errors import MpcError

BANNER = "Truncation error probability 2^-40\nTrying to run 64-bit computation\n"
HANDSHAKE = """Client-side handshake with P0 failed. Make sure both sides  have the necessary certificate \
(Player-Data/P1.pem in the default configuration on their side and Player-Data/P0.pem on ours), and run `c_rehash \
<directory>` on its location.
The certificates should be the same on every host. Also make sure that it's still valid. Certificates generated with \
`Scripts/setup-ssl.sh` expire after a month.
See also https://mp-spdz.readthedocs.io/en/latest/troubleshooting.html#handshake-failures
Signature (should match the other side): 5b0fb575120551b302108512f14b65f1/4ee17dc8610b3140eb68d9e7fe5d1a32
SSL error: handshake: certificate verify failed (SSL routines) [asio.ssl:167772294]
"""


@pytest.mark.parametrize(
    ("stream", "said"),
    [
        (
            BANNER + HANDSHAKE,
            "Client-side handshake with P0 failed | SSL error: handshake: certificate verify failed (SSL routines) "
            "[asio.ssl:167772294]",
        ),
        (BANNER + "Fatal error: program differs between parties\n", "Fatal error: program differs between parties"),
        (
            BANNER + "Timed out waiting for peer. See https://mp-spdz.readthedocs.io for details on networking.\n",
            "Timed out waiting for peer. See https://mp-spdz.readthedocs.io for details on networking.",
        ),
        (
            "Compiler: /somewhere/compile.py -B 64 -G argmax.mpc 2 8 4 1\nFatal communication error on vm: Receiving "
            "error (Connection reset by peer) when sending 4 bytes\nThis is probably because another party encountered "
            "a problem.\n",
            "Fatal communication error on vm: Receiving error (Connection reset by peer) when sending 4 bytes",
        ),
        (
            "terminate called after throwing an instance of 'std::system_error'\n  what():  Resource temporarily "
            "unavailable\n",
            "what():  Resource temporarily unavailable",
        ),
        ("Trying to run 64-bit computation\n", "Trying to run 64-bit computation"),
        ("", None),
    ],
)
def test_the_reason_is_shown_and_the_banner_is_not(stream: str, said: str | None) -> None:
    error = MpcError("argmax under semi2k: party 1 failed", stream)
    assert str(error) == "argmax under semi2k: party 1 failed" + (f": {said}" if said else "")
