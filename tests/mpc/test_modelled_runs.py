"""Costs over a network, from recorded traffic: recordings, what needs what, and the replay over another link."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.foundation.errors import InputError
from capc_mpc.emulated.link import Carried
from capc_mpc.emulated.network import LinkSpec
from capc_mpc.modelled.prediction import marks_of, predict
from capc_mpc.modelled.programme import Action, Programme, programme_of
from capc_mpc.modelled.recording import Mark, Recording, Stream, StreamName, recording_of
from capc_mpc.modelled.replay import FIRST_WINDOW, HEADERS, SEGMENT, replay

WINDOW = FIRST_WINDOW * SEGMENT
AB, BA = StreamName(0, 1, 0, 0), StreamName(1, 0, 0, 0)


def carried(moment: float, sender: int, sequence: int, payload: int, port: int = 9) -> Carried:
    ports = (port, 5000) if sender == 0 else (5000, port)
    return Carried(moment, moment + 1, sender, 1 - sender, *ports, sequence, payload)


def test_streams_are_named_alike_in_every_recording() -> None:
    refused = [carried(0, 0, 70, 0, 7)]
    opened = [*refused, *(carried(0, *each) for each in [(0, 10, 0, 9), (1, 20, 0, 9), (0, 5, 0, 8), (1, 2, 0, 8)])]
    data = [carried(3, 0, 11, 4, 9), carried(4, 0, 15, 2, 9), carried(5, 1, 21, 3, 9), carried(6, 0, 6, 1, 8)]
    found = recording_of([*opened, *data], [Mark(1, "b", 9.0), Mark(0, "a", 3.0)])
    assert found.streams == {
        AB: Stream([4, 6], [3, 4], [4, 5]),
        BA: Stream([3], [5], [6]),
        StreamName(0, 1, 0, 1): Stream([1], [6], [7]),
        StreamName(1, 0, 0, 1): Stream(),
    }
    assert [mark.name for mark in found.marks] == ["a", "b"]


def test_bytes_count_once_and_sequences_may_begin_again() -> None:
    first = 2**32 - 5
    data = [carried(1, 0, first + 1, 4), carried(2, 0, first + 1, 4), carried(3, 0, 0, 6), carried(4, 0, 2**32 - 2, 2)]
    stream = recording_of([carried(0, 0, first, 0), carried(0, 1, 0, 0), *data], []).streams[AB]
    assert stream.ends == [4, 10]
    assert [stream.received(moment) for moment in (1.9, 2, 3.9, 4)] == [0, 4, 4, 10]
    assert (stream.arrival(4), stream.arrival(5), stream.departure(10)) == (2, 4, 3)


def exchange(delay: float) -> Recording:
    """Both parties send 3 + 3 bytes at once, and pass a mark when they have the other's; B has a longer handshake."""
    late = [1.0, 1.5]
    ab = Stream([3, 6], list(late), [moment + delay for moment in late])
    ba = Stream([4, 7], list(late), [moment + delay for moment in late])
    return Recording({AB: ab, BA: ba}, [Mark(party, "end", 2.0 + delay) for party in (0, 1)])


def test_messages_that_cross_do_not_need_each_other() -> None:
    alone = programme_of(exchange(0.1))
    assert [dict(action.needs) for action in alone[0]] == [{}, {BA: 4}, {BA: 7}]
    both = programme_of(exchange(0.1), [exchange(5.0)])
    assert [dict(action.needs) for action in both[0]] == [{}, {}, {BA: 7}]
    assert [dict(action.needs) for action in both[1]] == [{}, {}, {AB: 6}]
    assert [round(action.seconds, 9) for action in both[0]] == [0, 0.5, 0.5]


def test_another_length_of_a_handshake_moves_nothing_and_another_run_says_nothing() -> None:
    other = exchange(5.0)
    other.streams[BA].ends[:] = [5, 8]
    assert [dict(action.needs) for action in programme_of(exchange(0.1), [other])[0]] == [{}, {}, {BA: 7}]
    other.streams[BA].ends[:] = [500, 1000]
    assert [dict(action.needs) for action in programme_of(exchange(0.1), [other])[0]] == [{}, {BA: 4}, {BA: 7}]


def one_message(count: int) -> Programme:
    sending = [Action({}, 2.0, AB, count)]
    return {0: sending, 1: [Action({}, 0, None, 0, "began 0"), Action({AB: count}, 1.0, None, 0, "ended 0")]}


@given(st.integers(1, WINDOW), st.floats(0, 1), st.floats(1e3, 1e9))
def test_a_message_takes_computing_its_bytes_and_a_delay(count: int, delay: float, rate: float) -> None:
    found = predict(one_message(count), LinkSpec(delay, rate))
    wire = count + HEADERS * math.ceil(count / SEGMENT)
    assert found.seconds == pytest.approx(3.0 + 8 * wire / rate + delay, abs=1e-9)
    assert (found.computing, found.messages) == (3.0, 1)
    assert found.sending == pytest.approx(8 * wire / rate, abs=1e-9)


@given(st.integers(0, 8))
def test_a_window_doubles_with_every_round_trip(trips: int) -> None:
    """The windows before hold 1 + 2 + ... times the first: one byte more takes another round trip."""
    full = WINDOW * (2**trips - 1)
    found = predict(one_message(full + 1), LinkSpec(0.5))
    assert found.seconds == pytest.approx(3.0 + 0.5 + 1.0 * trips)
    assert found.windows == pytest.approx(1.0 * trips)


def test_a_short_message_takes_a_segment_of_the_window_unless_it_waits() -> None:
    short = [Action({}, 0, AB, 1) for _ in range(FIRST_WINDOW + 30)]
    passed = replay({0: short, 1: [Action({AB: n}, 0, None, 0, f"{n}") for n in (10, 11, 40)]}, LinkSpec(0.5))
    assert [passed[1, name][0] for name in ("10", "11", "40")] == [0.5, 1.5, 1.5]


def test_a_window_that_was_idle_begins_again() -> None:
    sent = [Action({}, 0, AB, 3 * WINDOW), Action({}, 1000.0, AB, 2 * WINDOW)]
    end = Action({AB: 5 * WINDOW}, 0, None, 0, "end")
    assert replay({0: sent, 1: [end]}, LinkSpec(0.5))[1, "end"][0] == pytest.approx(1000.0 + 0.5 + 1.0)


def test_a_party_s_rate_is_shared_by_all_that_it_sends() -> None:
    to = [StreamName(0, party, 0, 0) for party in (1, 2)]
    sent = [Action({}, 0, name, SEGMENT) for name in to]
    ends = {party: [Action({name: SEGMENT}, 0, None, 0, "end")] for party, name in zip((1, 2), to, strict=True)}
    passed = replay({0: sent, **ends}, LinkSpec(0, 8.0 * (SEGMENT + HEADERS)))
    assert [passed[party, "end"][0] for party in (1, 2)] == [1.0, 2.0]


@given(st.data())
def test_without_limits_it_is_the_longest_chain(data: st.DataObject) -> None:
    """Small messages between three parties: every moment by a recursion over what it needs, and paths that add up."""
    delay = data.draw(st.integers(0, 5))
    programme: Programme = {party: [] for party in range(3)}
    sent: dict[StreamName, list[int]] = {}
    moments: dict[StreamName, list[float]] = {}
    clock = dict.fromkeys(programme, 0.0)
    for number in range(data.draw(st.integers(1, 12))):
        sender = data.draw(st.integers(0, 2))
        receiver = (sender + data.draw(st.integers(1, 2))) % 3
        there = [name for name in sent if name.receiver == sender]
        needs = {name: data.draw(st.sampled_from(sent[name])) for name in there if data.draw(st.booleans())}
        seconds = data.draw(st.integers(0, 9))
        arrived = [moments[name][sent[name].index(count)] + delay for name, count in needs.items()]
        clock[sender] = max([clock[sender], *arrived]) + seconds
        name = StreamName(sender, receiver, 0, 0)
        sent.setdefault(name, []).append(sum(sent.get(name, [])[-1:]) + 7)
        moments.setdefault(name, []).append(clock[sender])
        programme[sender] += [Action(needs, seconds, name, 7), Action({}, 0, None, 0, f"{number}")]
        assert replay(programme, LinkSpec(delay))[sender, f"{number}"][0] == pytest.approx(clock[sender])
    for moment, path in replay(programme, LinkSpec(delay, 50.0)).values():
        assert path.computing + path.delays * delay + path.sending + path.windows == pytest.approx(moment)


def test_of_several_intervals_the_median_and_of_several_parties_the_slowest() -> None:
    marks = [*marks_of(0, [(0, 1), (2, 5), (6, 8)]), *marks_of(1, [(0, 4), (4, 5), (5, 5)])]
    streams = {AB: Stream([1], [0.0], [0.0])}
    assert predict(programme_of(Recording(streams, marks)), LinkSpec(0)).seconds == 3.0


def test_a_run_without_an_end_is_refused() -> None:
    with pytest.raises(InputError, match="record it again"):
        predict({0: [Action({}, 1, None, 0, "began 0")]}, LinkSpec(0))
