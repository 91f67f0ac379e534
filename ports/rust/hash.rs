//! SHA-256 (FIPS 180-4) and SHAKE-256 (FIPS 202), over parts that follow each other.

/// The first 32 bits of the fractions of the first primes' square roots and cube roots.
const BEGIN: [u32; 8] =
    [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];
const KEYS: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
    0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
    0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
    0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
    0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
    0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
    0xc67178f2,
];

/// The digest of the parts.
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut state = BEGIN;
    let mut data = parts.concat();
    let bits = 8 * data.len() as u64;
    data.push(0x80);
    data.resize((data.len() + 8).next_multiple_of(64) - 8, 0);
    data.extend(bits.to_be_bytes());
    for block in data.chunks(64) {
        compress(&mut state, block);
    }
    let digest: Vec<u8> = state.iter().flat_map(|word| word.to_be_bytes()).collect();
    digest.try_into().expect("eight words")
}

fn compress(state: &mut [u32; 8], block: &[u8]) {
    let mut words: Vec<u32> =
        block.chunks(4).map(|four| u32::from_be_bytes([four[0], four[1], four[2], four[3]])).collect();
    for i in 16..64 {
        let (early, late) = (words[i - 15], words[i - 2]);
        let small = early.rotate_right(7) ^ early.rotate_right(18) ^ early >> 3;
        let large = late.rotate_right(17) ^ late.rotate_right(19) ^ late >> 10;
        words.push(words[i - 16].wrapping_add(small).wrapping_add(words[i - 7]).wrapping_add(large));
    }
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for i in 0..64 {
        let sum = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let first = h.wrapping_add(sum).wrapping_add(e & f ^ !e & g).wrapping_add(KEYS[i]).wrapping_add(words[i]);
        let sum = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let second = sum.wrapping_add(a & b ^ a & c ^ b & c);
        (h, g, f, e, d, c, b, a) = (g, f, e, d.wrapping_add(first), c, b, a, first.wrapping_add(second));
    }
    for (word, new) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *word = word.wrapping_add(new);
    }
}

const RATE: usize = 136;

/// A stream of bytes.
pub struct Shake256 {
    state: [u64; 25],
    place: usize,
}

impl Shake256 {
    /// The stream of the parts.
    pub fn new(parts: &[&[u8]]) -> Shake256 {
        let mut data = parts.concat();
        data.push(0x1f);
        data.resize(data.len().next_multiple_of(RATE), 0);
        *data.last_mut().expect("a block at least") |= 0x80;
        let mut state = [0u64; 25];
        for block in data.chunks(RATE) {
            for (place, byte) in block.iter().enumerate() {
                state[place / 8] ^= u64::from(*byte) << (8 * (place % 8));
            }
            permute(&mut state);
        }
        Shake256 { state, place: 0 }
    }

    /// The next byte.
    pub fn next_byte(&mut self) -> u8 {
        if self.place == RATE {
            permute(&mut self.state);
            self.place = 0;
        }
        let byte = self.state[self.place / 8] >> (8 * (self.place % 8));
        self.place += 1;
        byte as u8
    }
}

fn permute(state: &mut [u64; 25]) {
    let mut constants = 1u8;
    for _ in 0..24 {
        let columns: Vec<u64> = (0..5).map(|x| (0..5).fold(0, |sum, y| sum ^ state[x + 5 * y])).collect();
        for (place, lane) in state.iter_mut().enumerate() {
            *lane ^= columns[(place + 4) % 5] ^ columns[(place + 1) % 5].rotate_left(1);
        }
        let (mut x, mut y, mut moved) = (1, 0, state[1]);
        for step in 1..25u32 {
            (x, y) = (y, (2 * x + 3 * y) % 5);
            let lane = moved.rotate_left(step * (step + 1) / 2 % 64);
            moved = std::mem::replace(&mut state[x + 5 * y], lane);
        }
        for row in state.chunks_mut(5) {
            let old = [row[0], row[1], row[2], row[3], row[4]];
            for x in 0..5 {
                row[x] ^= !old[(x + 1) % 5] & old[(x + 2) % 5];
            }
        }
        for bit in 0..7 {
            if constants & 1 == 1 {
                state[0] ^= 1 << ((1u32 << bit) - 1);
            }
            constants = constants << 1 ^ if constants & 0x80 != 0 { 0x71 } else { 0 };
        }
    }
}
