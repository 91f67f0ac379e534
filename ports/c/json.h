/* JSON with sorted keys and without spaces, which is the canonical form of documents; memory; refusals. */
#ifndef CAPC_JSON_H
#define CAPC_JSON_H

#include <stddef.h>
#include <stdint.h>

typedef __int128 integer;

enum kind { NOTHING, TRUE, FALSE, NUMBER, TEXT, LIST, OBJECT };

/* A value. Numbers and texts have characters; lists and objects have entries, those of an object sorted by name. */
struct json {
    enum kind kind;
    const char *chars;
    size_t length;
    struct json *first, *next;
    const char *name;
};

/* Bytes that grow. */
struct bytes {
    unsigned char *data;
    size_t length, room;
};

/* Memory until the next release, which frees all of it. */
void *take(size_t size);
void release(void);

/* The value of a text; NULL if it is no JSON, is nested too deeply or has a number too long for any document. */
struct json *json_parse(const char *text, size_t length);
/* The one text of a value, at the end of the bytes. */
void json_write(struct bytes *out, const struct json *value);
/* Whether two values are the same. */
int json_equal(const struct json *left, const struct json *right);
/* A field of an object; NULL if there is none. */
const struct json *json_get(const struct json *value, const char *name);
/* Whether this is that text. */
int json_is(const struct json *value, const char *text);

void append(struct bytes *out, const void *data, size_t length);
void append_text(struct bytes *out, const char *text);

#endif
