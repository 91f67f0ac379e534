"""What the programs share: words of a batch in the three domains of MP-SPDZ, and the tournament over them.

MP-SPDZ's compiler imports this file; it is no part of the Python package. A *word* is one secret number per case of
the batch, and a *flag* is one secret bit per case. ``less`` needs |x - y| < 2^(width - 1) (CAPC-ARG-004); ``less_any``,
which a release takes, needs nothing. What ``open_to`` opens is a function of the number mod 2^width alone:

- ``Boolean`` (``-B``): a word is a list of bit registers, least significant first, with one lane per case. Everybody is
  opened number XOR a fresh pad of the receiver.
- ``Ring`` (``-R k``): a word is a vector over Z_{2^k}, of which the low ``width`` bits count: a comparison reads bit
  ``width - 1`` of a difference and nothing else. The receiver is opened number * 2^(k - width), without the bits above.
- ``Field`` (neither): a word is such a list too, mixed with the field; the receiver is opened the composed number.
"""

from capc_sampler import xor
from Compiler.GC.instructions import inputb
from Compiler.GC.types import sbits
from Compiler.library import break_point, print_ln, print_ln_to
from Compiler.types import sint

LIMB_BITS = 32  # per number of an input file in the Boolean domain: MP-SPDZ reads through a double, exact to 53 bits


def domain_of(options, batch):
    """The domain that the compiler's options ask for."""
    if options.binary:
        return Boolean(batch, few_gates=options.garbled)
    return Ring(batch, int(options.ring)) if options.ring else Field(batch, few_gates=False)


class Ring:
    """Words in Z_{2^k}, of which the low bits count; flags are 0 or 1."""

    def __init__(self, batch, ring_bits):
        self.batch = batch
        self.ring_bits = ring_bits
        self._opened = []

    def input_words(self, player, count, width):
        """``count`` words from a party's input, each 0 <= number < 2^width; a word's cases follow one another."""
        return [sint.get_input_from(player, size=self.batch) for _ in range(count)]

    def input_flags(self, player, count):
        """``count`` flags from a party's input, each 0 or 1."""
        return [sint.get_input_from(player, size=self.batch) for _ in range(count)]

    def add(self, left, right, width):
        """left + right mod 2^width."""
        return left + right

    def add_halves(self, left, left_half, right, right_half, width):
        """(left + left_half / 2) + (right + right_half / 2), rounded down, mod 2^width."""
        return left + right + left_half * right_half

    def subtract(self, left, right, width):
        """left - right mod 2^width."""
        return left - right

    def shift(self, word, places, width):
        """word * 2^places mod 2^width."""
        return word * 2**places

    def less(self, left, right, width):
        """The flag left < right: bit ``width - 1`` of left - right, which the compiler asks for by ``width - 1``."""
        return left.less_than(right, width - 1)

    def less_any(self, left, right, width):
        """The flag left < right of any signed numbers, also public ones: the left sign decides where signs differ."""
        left_sign, right_sign = [
            int(word < 0) if isinstance(word, int) else self.is_negative(word, width) for word in (left, right)
        ]
        difference_sign = self.is_negative(left - right, width)
        differ = left_sign + right_sign - 2 * left_sign * right_sign
        return difference_sign + differ * (left_sign - difference_sign)

    def is_negative(self, word, width):
        """The flag word < 0."""
        return word.less_than(0, width - 1)

    def constant(self, value, width):
        """A public number as a word."""
        return value

    def count(self, flags, width):
        """How many flags are set, as a word that has room for it."""
        return sum(flags)

    def select(self, flag, if_one, if_zero):
        """One of two words."""
        return flag * (if_one - if_zero) + if_zero

    def both(self, first, second):
        """The flag first AND second."""
        return first * second

    def neither(self, flag, other):
        """The flag ``flag`` AND NOT ``other``, where ``other`` implies ``flag``."""
        return flag - other

    def invert(self, flag):
        """The flag NOT flag."""
        return 1 - flag

    def number(self, flag, width):
        """A flag as a word."""
        return flag

    def index_word(self, flags, width):
        """The position of the one flag that is set."""
        return sum(position * flag for position, flag in enumerate(flags))

    def mask(self, flag, word):
        """The word where the flag is set, and 0 elsewhere."""
        return flag * word

    def boolean(self):
        """The Boolean domain that the protocol mixes with this one."""
        return Boolean(self.batch, few_gates=False)

    def signed_word(self, bits, width):
        """A word from the bits of a two's complement number."""
        offset = 2 ** (len(bits) - 1)
        return sint.bit_compose([*bits[:-1], ~bits[-1]]) - offset

    def open_to(self, player, name, word, width):
        """Tells one party (number mod 2^width) * 2^(k - width), and nobody else anything."""
        self._opened.append((player, name, (word * 2 ** (self.ring_bits - width)).reveal_to(player)))

    def print_outputs(self):
        """Prints what was opened, each to its receiver."""
        _print_to_receivers(self._opened)


class Boolean:
    """Words as lists of bit registers. ``few_gates`` prefers few ANDs (garbling) to few rounds (secret sharing)."""

    def __init__(self, batch, few_gates):
        self.batch = batch
        self.few_gates = few_gates
        self.lanes = sbits.get_type(batch)
        self._opened = []

    def input_words(self, player, count, width):
        """``count`` words from a party's input, each as limbs of 32 bits, the lowest first, all cases of a limb."""
        limbs = [min(LIMB_BITS, width - low) for low in range(0, width, LIMB_BITS)]
        rows = [[[sbits.get_type(bits)() for _ in range(self.batch)] for bits in limbs] for _ in range(count)]
        # One instruction for all of them: each inputb is a round of its own.
        inputb(*[argument for word in rows for limb in word for row in limb for argument in (player, row.n, 0, row)])
        return [[bit for limb in word for bit in sbits.trans(limb)] for word in rows]

    def input_flags(self, player, count):
        """``count`` flags from a party's input, as words of one bit."""
        return [flag for (flag,) in self.input_words(player, count, 1)]

    def add(self, left, right, width):
        """left + right mod 2^width."""
        return self._sum(left, right, None)

    def add_halves(self, left, left_half, right, right_half, width):
        """(left + left_half / 2) + (right + right_half / 2), rounded down, mod 2^width: the lowest bit is not made."""
        return self._sum([left_half, *left], [right_half, *right], None)[1:]

    def subtract(self, left, right, width):
        """left - right mod 2^width, as left + NOT right + 1."""
        return self._sum(left, [~bit for bit in right], self.one())

    def shift(self, word, places, width):
        """word * 2^places mod 2^width."""
        return [self.zero()] * places + word[: width - places]

    def less(self, left, right, width):
        """The flag left < right, of signed numbers: on the top bit the two change places."""
        low_left, low_right = left[:-1] + right[-1:], right[:-1] + left[-1:]
        if self.few_gates:
            flag = self.zero()
            for a, b in zip(low_left, low_right):
                flag = b ^ (~(a ^ b) & (flag ^ b))
            return flag
        return _tree([(~a & b, ~(a ^ b)) for a, b in zip(low_left, low_right)])[0]

    def less_any(self, left, right, width):
        """The flag left < right of any signed numbers, which ``less`` gives too."""
        return self.less(left, right, width)

    def is_negative(self, word, width):
        """The flag word < 0."""
        return word[-1]

    def constant(self, value, width):
        """A public number as a word."""
        return [self.one() if value >> bit & 1 else self.zero() for bit in range(width)]

    def count(self, flags, width):
        """How many flags are set, as a word that has room for it."""
        total = self.number(flags[0], width)
        for flag in flags[1:]:
            total = self.add(total, self.number(flag, width), width)
        return total

    def select(self, flag, if_one, if_zero):
        """One of two words."""
        return [(flag & (a ^ b)) ^ b for a, b in zip(if_one, if_zero)]

    def both(self, first, second):
        """The flag first AND second."""
        return first & second

    def neither(self, flag, other):
        """The flag ``flag`` AND NOT ``other``, where ``other`` implies ``flag``."""
        return flag ^ other

    def invert(self, flag):
        """The flag NOT flag."""
        return ~flag

    def number(self, flag, width):
        """A flag as a word."""
        return [flag] + [self.zero()] * (width - 1)

    def index_word(self, flags, width):
        """The position of the one flag that is set: bit b is the XOR of the flags at positions with bit b set."""
        return [
            xor([flag for position, flag in enumerate(flags) if position >> bit & 1] or [self.zero()])
            for bit in range(width)
        ]

    def mask(self, flag, word):
        """The word where the flag is set, and 0 elsewhere."""
        return [flag & bit for bit in word]

    def open_to(self, player, name, word, width):
        """Opens number XOR pad to all; the pad is the next input of the receiver."""
        (pad,) = self.input_words(player, 1, width)
        masked = [bit ^ mask for bit, mask in zip(word, pad)]
        self._opened.append((name, [row.reveal() for row in sbits.trans(masked)]))

    def print_outputs(self):
        """Prints what was opened."""
        for name, opened in self._opened:
            print_ln("%s %s", name, opened)

    def boolean(self):
        """This domain."""
        return self

    def signed_word(self, bits, width):
        """A word from the bits of a two's complement number."""
        return (bits + [bits[-1]] * width)[:width]

    def negate_if(self, flag, word):
        """-word where the flag is set: NOT word + 1."""
        return self._sum([bit ^ flag for bit in word], [self.zero()] * len(word), flag)

    def zero(self):
        """The flag 0 in every case."""
        return self.lanes(0)

    def one(self):
        """The flag 1 in every case."""
        return ~self.zero()

    def _sum(self, left, right, carry):
        if self.few_gates:
            return _ripple(left, right, self.zero() if carry is None else carry)
        generate = [a & b for a, b in zip(left, right)]
        propagate = [a ^ b for a, b in zip(left, right)]
        if carry is not None:
            generate[0] = generate[0] ^ (propagate[0] & carry)
        carries = _carries(generate[:-1], propagate[:-1])
        first = propagate[0] if carry is None else propagate[0] ^ carry
        return [first] + [bit ^ carry_in for bit, carry_in in zip(propagate[1:], carries)]


class Field(Boolean):
    """Words of bits in a protocol over a prime field; only what is opened is a field element."""

    def open_to(self, player, name, word, width):
        """Tells one party number mod 2^width, and nobody else anything."""
        self._opened.append((player, name, sint.bit_compose(word).reveal_to(player)))

    def print_outputs(self):
        """Prints what was opened, each to its receiver."""
        _print_to_receivers(self._opened)


def _print_to_receivers(opened):
    break_point()  # else the compiler may move a print before the opening that it prints
    for player, name, value in opened:
        print_ln_to(player, "%s %s", name, value)


def _ripple(left, right, carry):
    """Addition with one AND per bit but the last."""
    total = []
    for position, (a, b) in enumerate(zip(left, right)):
        total.append(a ^ b ^ carry)
        if position < len(left) - 1:
            carry = carry ^ ((a ^ carry) & (b ^ carry))
    return total


def _carries(generate, propagate):
    """The carry out of every position, by Brent and Kung's prefix tree: 2 log2 n rounds."""
    if len(generate) < 2:
        return list(generate)
    pairs = range(1, len(generate), 2)
    above = _carries(
        [generate[i] ^ (propagate[i] & generate[i - 1]) for i in pairs],
        [propagate[i] & propagate[i - 1] for i in pairs],
    )
    carries = [generate[0]]
    for i in range(1, len(generate)):
        carries.append(above[i // 2] if i % 2 else generate[i] ^ (propagate[i] & above[i // 2 - 1]))
    return carries


def _tree(blocks):
    """(less, equal) of a number from those of its blocks, lowest first, in log2 n rounds."""
    while len(blocks) > 1:
        merged = []
        for low, high in zip(blocks[::2], blocks[1::2]):
            merged.append((high[0] ^ (high[1] & low[0]), high[1] & low[1]))
        blocks = merged + blocks[len(blocks) - len(blocks) % 2 :]
    return blocks[0]


def argmax_flags(domain, values, width):
    """One flag per value: 1 for the first of the largest (CAPC-ARG-002), 0 for all others."""
    matches, _ = _play(domain, values, domain.less, width, with_largest=False)
    return _flags(domain, matches, None)


def _play(domain, values, less, width, with_largest):
    """(matches, largest) of a tournament of neighbours, in which the right side wins only if it is strictly larger.

    A match is (flag that the right side wins, matches of the left side, matches of the right side), and None a value
    that met nobody. Without ``with_largest`` the last winner is not carried on, which saves a product of words.
    """
    entrants = [(None, value) for value in values]
    while len(entrants) > 1:
        carried = with_largest or len(entrants) > 2
        winners = []
        for (left_matches, left), (right_matches, right) in zip(entrants[::2], entrants[1::2]):
            right_wins = less(left, right, width)
            winner = domain.select(right_wins, right, left) if carried else None
            winners.append(((right_wins, left_matches, right_matches), winner))
        if len(entrants) % 2:
            winners.append(entrants[-1])
        entrants = winners
    return entrants[0]


def _flags(domain, matches, won):
    """One flag per value below some matches, which won all later ones if ``won``; there are none if that is None.

    From the last match down each but the last takes one product of flags, however many values are below.
    """
    if matches is None:
        return [won]
    right_wins, left_matches, right_matches = matches
    if won is None:
        left_won, right_won = domain.invert(right_wins), right_wins
    else:
        right_won = domain.both(won, right_wins)
        left_won = domain.neither(won, right_won)
    return _flags(domain, left_matches, left_won) + _flags(domain, right_matches, right_won)


def subset_flags(domain, chosen):
    """One flag per set of labels, 1 for the set of the chosen ones; set number n holds label j where n has bit j."""
    flags = [domain.invert(chosen[0]), chosen[0]]
    for flag in chosen[1:]:
        with_label = [domain.both(old, flag) for old in flags]
        flags = [domain.neither(old, new) for old, new in zip(flags, with_label)] + with_label
    return flags


def release_label(domain, checked, noisy, limit, width, receiver, told_if_answered):
    """Opens argmax(noisy) to the receiver, with a limit only where a checked word (None: a noisy one) reaches it.

    ``told_if_answered`` is told the answered bit too, unless it is None.
    """
    matches, largest = _play(domain, noisy, domain.less_any, width, with_largest=limit is not None and not checked)
    flags = _flags(domain, matches, None)
    label_bits = (len(noisy) - 1).bit_length()
    label = domain.index_word(flags, label_bits)
    if limit is not None:
        answered = domain.invert(_all(domain, [domain.less_any(word, limit, width) for word in checked or [largest]]))
        label = domain.mask(answered, label)
        domain.open_to(receiver, "answered", domain.number(answered, 1), 1)
        if told_if_answered is not None:
            domain.open_to(told_if_answered, "answered", domain.number(answered, 1), 1)
    domain.open_to(receiver, "label", label, label_bits)


def _all(domain, flags):
    """The flag that all flags are set, in log2 n rounds."""
    while len(flags) > 1:
        pairs = [domain.both(first, second) for first, second in zip(flags[::2], flags[1::2])]
        flags = pairs + flags[2 * len(pairs) :]
    return flags[0]
