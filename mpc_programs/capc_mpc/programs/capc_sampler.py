"""The circuit of discrete Gaussian noise from joint random bits, by the tables of ``capc_noise``.

A uniform number is compared with all thresholds digit by digit: the flags of a digit of 4 bits cost 11 ANDs and serve
every threshold, which then costs one AND per digit instead of one per bit. The number of thresholds above it is a
thermometer code, whose binary form is free: bit b is the XOR of every 2^b-th flag.
"""

import capc_noise


def joint_noise(domain, parties, variance, width):
    """A word of discrete Gaussian noise that no party knows, of the law that ``capc_noise.law`` states.

    Every party inputs uniform bits, and their XOR decides: noise is as random as the best of them. Per component of
    the plan these are 76 bits of a uniform number u, then the sign. The magnitude is the number of thresholds above u.
    """
    components = capc_noise.plan(variance)
    boolean = domain.boolean()
    bits_each = capc_noise.UNIFORM_BITS + 1
    contributions = [boolean.input_words(party, len(components), bits_each) for party in range(parties)]
    noise_bits = capc_noise.word_bits(variance)
    noise = None
    for component, words in zip(components, zip(*contributions)):
        *uniform, sign = [xor(bits) for bits in zip(*words)]
        magnitude = _magnitude(uniform, capc_noise.thresholds(component.variance))
        magnitude = [boolean.zero()] * component.shift + magnitude
        padded = magnitude + [boolean.zero()] * (noise_bits - len(magnitude))
        signed = boolean.negate_if(sign, padded)
        noise = signed if noise is None else boolean.add(noise, signed, noise_bits)
    return domain.signed_word(noise, width)


def _magnitude(uniform, thresholds):
    """The binary number of thresholds above u. Bit b of it is the XOR of every 2^b-th of the flags u < T_k."""
    digits = [_digit_flags(uniform[low : low + 4]) for low in range(0, len(uniform), 4)]
    # high_zero[i]: all digits of u from i up are 0, as they are in every threshold below 16^i.
    high_zero = [None] * (len(digits) + 1)
    for i in reversed(range(len(digits))):
        zero = digits[i][0][0]
        high_zero[i] = zero if high_zero[i + 1] is None else high_zero[i + 1] & zero
    below = [_below(digits, high_zero, threshold) for threshold in thresholds]
    return [xor(below[2**b - 1 :: 2**b]) for b in range(len(below).bit_length())]


def _below(digits, high_zero, threshold):
    """The flag u < T, from the lowest digit of T that is not 0 upwards: one AND per digit."""
    flag = None
    count = -(-threshold.bit_length() // 4)
    for (equal, less), digit in zip(digits, [threshold >> 4 * i & 15 for i in range(count)]):
        if flag is not None:
            flag = equal[digit] & flag if less[digit] is None else less[digit] ^ (equal[digit] & flag)
        else:
            flag = less[digit]
    return flag if high_zero[count] is None else high_zero[count] & flag


def _digit_flags(bits):
    """(equal, less): for each value 0 ... 15, the flags digit == value and digit < value, with 11 ANDs.

    ``less[0]`` is None, for a flag that is never set.
    """
    low, high = _pair_flags(*bits[:2]), _pair_flags(*bits[2:])
    equal = []
    for above in high:
        row = [above & flag for flag in low[:3]]
        equal += [*row, xor([above, *row])]
    less = [None, equal[0]]
    for flag in equal[1:15]:
        less.append(less[-1] ^ flag)
    return equal, less


def _pair_flags(low, high):
    """The flags that a number of two bits is 0, 1, 2, 3, with one AND."""
    both = low & high
    return [~(low ^ high ^ both), low ^ both, high ^ both, both]


def xor(bits):
    """The XOR of registers."""
    total = bits[0]
    for bit in bits[1:]:
        total = total ^ bit
    return total
