"""What the kernel is asked for: namespaces of the network, TUN devices in them, a process's place among them.

Linux only. Standard library only: :mod:`capc_mpc.emulated.enter` is started once for every party.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import struct
from contextlib import suppress
from pathlib import Path

LOOPBACK = "lo"
VNET_HEADER = struct.Struct("<BBHHHH")
"""Before every packet of a TUN device: flags, kind of segmentation, header length, segment size, two of checksums."""
_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1
_TUNSETIFF, _TUNSETOFFLOAD = 0x400454CA, 0x400454D0
_IFF_TUN, _IFF_NO_PI, _IFF_VNET_HDR = 0x0001, 0x1000, 0x4000
_CHECKSUMS, _SEGMENTS_IPV4 = 1, 2
_SIOCSIFFLAGS, _SIOCSIFADDR, _SIOCSIFNETMASK, _SIOCSIFMTU = 0x8914, 0x8916, 0x891C, 0x8922
_IFF_UP = 1
_TCP = Path("/proc/sys/net/ipv4")
_PREFERRED = ("cubic", "reno")
"""Whatever a machine is set to, parties have what most machines have, or else its predecessor."""
_BUFFERS = {"tcp_rmem": "4096 8388608 67108864", "tcp_wmem": "4096 8388608 67108864"}
"""Least, first and most bytes. A window that begins small and is tuned by the kernel grows by rules that differ between
kernels, and that no model of a protocol can know."""


def _call(name: str, *arguments: int) -> None:
    """A function of the C library that says through errno what went wrong.

    Raises:
        OSError: it went wrong.
    """
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def new_network() -> None:
    """Puts this process into a namespace of its own, in which there is a loopback device only, and sets it up.

    Raises:
        OSError: not allowed.
    """
    _call("unshare", _CLONE_NEWNET)
    raise_device(LOOPBACK)


def raise_device(name: str) -> None:
    """Sets up a device of this process's namespace.

    Raises:
        OSError: not allowed, or there is none of that name.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH22x", name.encode(), _IFF_UP))


def enter_network(file: str | int) -> None:
    """Puts this process into the namespace that a file or a descriptor stands for.

    Raises:
        OSError: not allowed, or the file is no namespace.
    """
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC) if isinstance(file, str) else file
    try:
        _call("setns", descriptor, _CLONE_NEWNET)
    finally:
        if isinstance(file, str):
            os.close(descriptor)


def own_network() -> int:
    """A descriptor of the namespace that this process is in."""
    return os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def hurry(policy: int, priority: int) -> None:
    """Has the scheduler put this process, and what it becomes, before ordinary ones, where that may be asked for."""
    with suppress(OSError):
        os.sched_setscheduler(0, policy, os.sched_param(priority))


def members(network: int) -> list[int]:
    """The processes in a namespace, this one excepted."""
    wanted = os.fstat(network)
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            with suppress(OSError):
                there = (folder / "ns" / "net").stat()
                if (there.st_dev, there.st_ino) == (wanted.st_dev, wanted.st_ino):
                    found.append(int(folder.name))
    return found


def die_with_parent() -> None:
    """Has this process killed when the thread that started it ends.

    Raises:
        OSError: the kernel has no such call.
    """
    _call("prctl", _PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def set_up_tcp() -> str:
    """Has TCP of this process's namespace control congestion as most machines do, and nothing else limit a window.

    Returns:
        What controls congestion now.
    """
    for name, value in _BUFFERS.items():
        (_TCP / name).write_text(value, encoding="ascii")
    control = _TCP / "tcp_congestion_control"
    for name in _PREFERRED:
        with suppress(OSError):
            control.write_text(name, encoding="ascii")
            break
    return control.read_text(encoding="ascii").strip()


def open_tun(name: str, address: str, netmask: str, mtu: int, *, segmenting: bool) -> int:
    """A TUN device in this process's namespace, up, with an address: the descriptor by which packets come and go.

    Args:
        name: of the device.
        address: its own.
        netmask: of the network behind it.
        mtu: the longest packet, in bytes.
        segmenting: whether packets of TCP may be up to 64 KiB long, which a device would cut into segments.

    Raises:
        OSError: not allowed, or the kernel has no TUN devices.
    """
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI | _IFF_VNET_HDR))
    fcntl.ioctl(device, _TUNSETOFFLOAD, _CHECKSUMS | (_SEGMENTS_IPV4 if segmenting else 0))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for request, value in ((_SIOCSIFADDR, address), (_SIOCSIFNETMASK, netmask)):
            packed = struct.pack("16sHH4s8x", name.encode(), socket.AF_INET, 0, socket.inet_aton(value))
            fcntl.ioctl(control, request, packed)
        fcntl.ioctl(control, _SIOCSIFMTU, struct.pack("16si20x", name.encode(), mtu))
    raise_device(name)
    return device
