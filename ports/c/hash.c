#include "hash.h"

enum { RATE = 136 };

/* The first 32 bits of the fraction of a prime's square or cube root. */
static uint32_t fraction(unsigned prime, int degree) {
    unsigned __int128 wanted = (unsigned __int128)prime << (32 * degree), root = 0;
    for (int bit = 35; bit >= 0; bit--) {
        unsigned __int128 larger = root | (unsigned __int128)1 << bit, power = larger;
        for (int i = 1; i < degree; i++) power *= larger;
        if (power <= wanted) root = larger;
    }
    return (uint32_t)root;
}

static uint32_t turn(uint32_t word, int by) { return word >> by | word << (32 - by); }

static void compress(uint32_t state[8], const unsigned char *block, const uint32_t keys[64]) {
    uint32_t w[64], s[8];
    for (int i = 0; i < 16; i++) {
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8 |
               block[4 * i + 3];
    }
    for (int i = 16; i < 64; i++) {
        uint32_t small = turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t large = turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + small + w[i - 7] + large;
    }
    for (int i = 0; i < 8; i++) s[i] = state[i];
    for (int i = 0; i < 64; i++) {
        uint32_t first = s[7] + (turn(s[4], 6) ^ turn(s[4], 11) ^ turn(s[4], 25)) + ((s[4] & s[5]) ^ (~s[4] & s[6])) +
                         keys[i] + w[i];
        uint32_t second = (turn(s[0], 2) ^ turn(s[0], 13) ^ turn(s[0], 22)) +
                          ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
        for (int j = 7; j > 0; j--) s[j] = s[j - 1];
        s[4] += first;
        s[0] = first + second;
    }
    for (int i = 0; i < 8; i++) state[i] += s[i];
}

void sha256(const struct bytes *data, unsigned char digest[32]) {
    uint32_t keys[64], state[8];
    for (unsigned prime = 2, found = 0; found < 64; prime++) {
        unsigned divisor = 2;
        while (prime % divisor != 0) divisor++;
        if (divisor < prime) continue;
        if (found < 8) state[found] = fraction(prime, 2);
        keys[found++] = fraction(prime, 3);
    }
    struct bytes padded = {0};
    append(&padded, data->data, data->length);
    append(&padded, "\x80", 1);
    while (padded.length % 64 != 56) append(&padded, "", 1);
    for (int shift = 56; shift >= 0; shift -= 8) {
        append(&padded, &(unsigned char){(unsigned char)((uint64_t)data->length * 8 >> shift)}, 1);
    }
    for (size_t at = 0; at < padded.length; at += 64) compress(state, padded.data + at, keys);
    for (int i = 0; i < 32; i++) digest[i] = (unsigned char)(state[i / 4] >> (24 - 8 * (i % 4)));
}

static uint64_t rotate(uint64_t lane, int by) { return by == 0 ? lane : lane << by | lane >> (64 - by); }

static void permute(uint64_t state[25]) {
    unsigned constants = 1;
    for (int round = 0; round < 24; round++) {
        uint64_t columns[5] = {0}, row[5];
        for (int i = 0; i < 25; i++) columns[i % 5] ^= state[i];
        for (int i = 0; i < 25; i++) state[i] ^= columns[(i + 4) % 5] ^ rotate(columns[(i + 1) % 5], 1);
        uint64_t moved = state[1];
        for (int step = 1, x = 1, y = 0; step < 25; step++) {
            int below = (2 * x + 3 * y) % 5;
            x = y;
            y = below;
            uint64_t lane = rotate(moved, step * (step + 1) / 2 % 64);
            moved = state[x + 5 * y];
            state[x + 5 * y] = lane;
        }
        for (int y = 0; y < 25; y += 5) {
            for (int x = 0; x < 5; x++) row[x] = state[y + x];
            for (int x = 0; x < 5; x++) state[y + x] = row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5]);
        }
        for (int bit = 0; bit < 7; bit++) {
            if (constants & 1) state[0] ^= (uint64_t)1 << ((1u << bit) - 1);
            constants = (constants << 1 ^ (constants & 0x80 ? 0x71 : 0)) & 0xff;
        }
    }
}

void shake256(struct shake *stream, const struct bytes *data) {
    struct bytes padded = {0};
    append(&padded, data->data, data->length);
    append(&padded, "\x1f", 1);
    while (padded.length % RATE != 0) append(&padded, "", 1);
    padded.data[padded.length - 1] |= 0x80;
    *stream = (struct shake){0};
    for (size_t i = 0; i < padded.length; i++) {
        stream->state[i % RATE / 8] ^= (uint64_t)padded.data[i] << (8 * (i % 8));
        if (i % RATE == RATE - 1) permute(stream->state);
    }
}

unsigned char shake_next(struct shake *stream) {
    if (stream->place == RATE) {
        permute(stream->state);
        stream->place = 0;
    }
    unsigned char byte = (unsigned char)(stream->state[stream->place / 8] >> (8 * (stream->place % 8)));
    stream->place++;
    return byte;
}
