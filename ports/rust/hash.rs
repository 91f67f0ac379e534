//! SHA-256 (FIPS 180-4) and SHAKE-256 (FIPS 202), over parts that follow each other.

/// The digest of the parts.
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let (primes, mut state) = (first_primes(), [0u32; 8]);
    for (word, prime) in state.iter_mut().zip(&primes) {
        *word = fraction(*prime, 2);
    }
    let keys: Vec<u32> = primes.iter().map(|prime| fraction(*prime, 3)).collect();
    let mut data = parts.concat();
    let bits = 8 * data.len() as u64;
    data.push(0x80);
    data.resize((data.len() + 8).next_multiple_of(64) - 8, 0);
    data.extend(bits.to_be_bytes());
    for block in data.chunks(64) {
        compress(&mut state, block, &keys);
    }
    let mut digest = [0; 32];
    for (place, word) in digest.chunks_mut(4).zip(state) {
        place.copy_from_slice(&word.to_be_bytes());
    }
    digest
}

fn compress(state: &mut [u32; 8], block: &[u8], keys: &[u32]) {
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
        let first = h.wrapping_add(sum).wrapping_add(e & f ^ !e & g).wrapping_add(keys[i]).wrapping_add(words[i]);
        let sum = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let second = sum.wrapping_add(a & b ^ a & c ^ b & c);
        (h, g, f, e, d, c, b, a) = (g, f, e, d.wrapping_add(first), c, b, a, first.wrapping_add(second));
    }
    for (word, new) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *word = word.wrapping_add(new);
    }
}

fn first_primes() -> Vec<u128> {
    (2u128..).filter(|n| (2..*n).take_while(|d| d * d <= *n).all(|d| n % d != 0)).take(64).collect()
}

/// The first 32 bits of the fraction of a prime's square or cube root.
fn fraction(prime: u128, degree: u32) -> u32 {
    // The largest root of prime * 2^(32 degree), bit by bit.
    let wanted = prime << (32 * degree);
    let mut root = 0u128;
    for bit in (0..36).rev() {
        let larger = root | 1 << bit;
        if larger.pow(degree) <= wanted {
            root = larger;
        }
    }
    root as u32
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
