"""Rows as tables: narrow ones for a terminal of 80 columns, whole ones for the page of a report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from capc_mpc.bench.links import told
from capc_mpc.bench.rows import Row
from capc_mpc.bench.variants import PROGRAMS, Variant
from capc_mpc.emulated.network import LinkSpec
from capc_mpc.interface.protocols import Channels
from capc_mpc.two_processes.ways import WAYS

_TLS = {Channels.TLS: "yes", Channels.PARTLY_TLS: "partly", Channels.PLAIN: "no"}
_NOTHING = "-"


@dataclass(frozen=True)
class Section:
    """The rows of one program in one size over one network: what may be compared.

    Attributes:
        title: which these are.
        rows: those that ran.
        refused: the others, a line each.
    """

    title: str
    rows: tuple[Row, ...]
    refused: tuple[str, ...]


def sections(rows: Sequence[Row]) -> list[Section]:
    """The rows by what they have in common, in their order."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(_common(row), []).append(row)
    return [
        Section(
            title,
            tuple(row for row in group if row.ran),
            tuple(f"{label(row)} did not run: {row.refused}" for row in group if not row.ran),
        )
        for title, group in groups.items()
    ]


def _common(row: Row) -> str:
    sized = _sized(row.variant)
    return f"{sized} over {row.network}" + (f" ({told(LinkSpec(row.link.delay, row.link.rate))})" if row.link else "")


def _sized(variant: Variant) -> str:
    """The program and its sizes."""
    beside = PROGRAMS[variant.program].beside or variant.program
    plain = replace(
        variant, program=beside, protocol="", edabits=None, threads=None, party_flags=None, compile_flags=None
    )
    return " ".join(plain.told().split())


def label(row: Row) -> str:
    """A row's name among those of its section."""
    plain = replace(row.variant, classes=None, answering=None, logit_bits=None, vote_bits=None, grid_bits=None)
    words = replace(plain, sigma=None).told().split()
    own = f"({row.variant.program})" if PROGRAMS[row.variant.program].beside else ""
    return " ".join(word for word in [*words[1:], own] if word and not word.startswith("B="))


def _modelled(section: Section, unit: str) -> dict[str, Callable[[Row], str]]:
    """The columns of what the model says: of the network of the section, or of others; none where it says nothing."""
    names = dict.fromkeys(name for row in section.rows for name in row.predicted)

    def said(name: str) -> Callable[[Row], str]:
        return lambda row: _each(row, row.predicted[name].seconds) if name in row.predicted else _NOTHING

    found = {f"{name}{unit}": said(name) for name in names}
    if _over_link(section):
        return {**{f"model{unit}": cell for cell in found.values()}, "off %": _off}
    return found


def _each(row: Row, seconds: float) -> str:
    return number(1000 * seconds / row.variant.batch)


def _off(row: Row) -> str:
    """By how much the model misses the measurement."""
    return _NOTHING if row.off is None else f"{100 * row.off:+.0f}"


def narrow(section: Section) -> list[str]:
    """Headings of the table for a terminal; :func:`narrow_cells` gives its cells."""
    modelled = _modelled(section, "") if _over_link(section) else {}
    return ["protocol", "TLS", "ms", "±%", "set-up", "kB", "rounds", "MB", *modelled, "same"]


def narrow_cells(row: Row, section: Section) -> list[str]:
    """One line: milliseconds and kilobytes for each case, set-up in ms and memory in MB of a run."""
    batch = row.variant.batch
    costs = row.costs
    return [
        label(row),
        _TLS.get(Channels(row.channels), _NOTHING) if row.channels in list(Channels) else _NOTHING,
        number(1000 * row.seconds / batch),
        f"{100 * row.spread:.0f}",
        number(row.median_of("setup"), 1000),
        number(costs.bytes_sent / batch / 1000 if costs else None),
        number(costs.rounds if costs else None),
        number(row.peak(), 1e-6),
        *(cell(row) for cell in (_modelled(section, "") if _over_link(section) else {}).values()),
        "yes" if row.equal else "NO",
    ]


def modelled(section: Section) -> list[list[str]]:
    """What the model says of rows over loopback, over links: a heading and lines; nothing if it says nothing."""
    columns = {} if _over_link(section) else _modelled(section, "")
    if not columns:
        return []
    return [["protocol", *columns], *([label(row), *(cell(row) for cell in columns.values())] for row in section.rows)]


def number(value: float | None, unit: float = 1.0) -> str:
    """A figure to three digits, without exponents."""
    if value is None:
        return _NOTHING
    # A zero that was rounded from below has no sign.
    scaled = value * unit + 0.0
    if abs(scaled) >= 100:
        return f"{scaled:,.0f}"
    return f"{scaled:.3g}"


def _bytes(row: Row) -> str:
    """What each party sent, or all together where that is not told apart."""
    if row.sent():
        return " / ".join(f"{sent:,}" for sent in row.sent())
    return f"{row.costs.bytes_sent:,} in all" if row.costs else _NOTHING


_COLUMNS: dict[str, Callable[[Row], str]] = {
    "protocol": label,
    "parties": lambda row: str(row.parties),
    "withstands": lambda row: f"{row.model}, {row.adversary}".replace("_", " "),
    "channels": lambda row: row.channels.replace("_", " "),
    "ms each": lambda row: number(1000 * row.seconds / row.variant.batch),
    "spread": lambda row: f"{100 * row.spread:.0f} %",
    "runs": lambda row: str(len(row.runs)),
    "offline, s": lambda row: number(row.median_of("offline")),
    "online, s": lambda row: number(row.median_of("online")),
    "set-up, s": lambda row: number(row.median_of("setup")),
    "compiling, s": lambda row: number(row.compile),
    "keys, s": lambda row: number(row.keys),
    "joint keys, s": lambda row: number(row.joint_keys),
    "bytes sent, by party": _bytes,
    "rounds": lambda row: str(row.costs.rounds) if row.costs else _NOTHING,
    "peak, MB": lambda row: number(row.peak(), 1e-6),
}


def markdown(section: Section) -> str:
    """A section as a table of all columns, and what did not run."""
    columns = {
        **_COLUMNS,
        **_modelled(section, ", ms each" if _over_link(section) else ", ms each (model)"),
        **(_PARTS if _over_link(section) else {}),
    }
    names = [*columns, "as the reference"]
    lines = [names, ["---"] * len(names)]
    lines += [[*(cell(row) for cell in columns.values()), "yes" if row.equal else "NO"] for row in section.rows]
    table = ["\n".join(f"| {' | '.join(line)} |" for line in lines)] if section.rows else []
    return "\n\n".join([*table, *section.refused])


def _over_link(section: Section) -> bool:
    return any(row.link for row in section.rows)


def _parts(row: Row) -> str:
    """The model's parts, in the order of its formula."""
    said = row.predicted.get(row.network)
    if said is None or row.link is None:
        return _NOTHING
    delays = f"{said.messages} * {number(said.delay, 1000)}"
    return " + ".join([number(said.computing, 1000), delays, number(said.sending, 1000), number(said.windows, 1000)])


_PARTS: dict[str, Callable[[Row], str]] = {
    "its parts, ms": _parts,
    "link late, us": lambda row: number(row.link.late, 1e6) if row.link else _NOTHING,
    "link CPU, s": lambda row: number(row.link.cpu) if row.link else _NOTHING,
}


def is_embedded(row: Row) -> bool:
    """Whether a row is of this project's own engine."""
    return row.variant.protocol in WAYS
