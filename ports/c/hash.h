/* SHA-256 (FIPS 180-4) and SHAKE-256 (FIPS 202). */
#ifndef CAPC_HASH_H
#define CAPC_HASH_H

#include "json.h"

void sha256(const struct bytes *data, unsigned char digest[32]);

/* A stream of bytes. */
struct shake {
    uint64_t state[25];
    size_t place;
};

void shake256(struct shake *stream, const struct bytes *data);
unsigned char shake_next(struct shake *stream);

#endif
