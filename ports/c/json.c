#include "json.h"

#include <stdlib.h>
#include <string.h>

enum { DEEPEST = 64, LONGEST_NUMBER = 40 };

struct block {
    struct block *next;
};
static struct block *taken;

void *take(size_t size) {
    struct block *block = calloc(1, sizeof(max_align_t) + size);
    if (block == NULL) abort();
    block->next = taken;
    taken = block;
    return (char *)block + sizeof(max_align_t);
}

void release(void) {
    while (taken != NULL) {
        struct block *next = taken->next;
        free(taken);
        taken = next;
    }
}

void append(struct bytes *out, const void *data, size_t length) {
    if (out->length + length > out->room) {
        size_t room = 2 * (out->length + length) + 64;
        unsigned char *larger = take(room);
        if (out->length > 0) memcpy(larger, out->data, out->length);
        out->data = larger;
        out->room = room;
    }
    if (length > 0) memcpy(out->data + out->length, data, length);
    out->length += length;
}

void append_text(struct bytes *out, const char *text) { append(out, text, strlen(text)); }

struct reader {
    const char *at, *end;
};

static int accept(struct reader *reader, const char *token) {
    while (reader->at < reader->end && strchr(" \t\n\r", *reader->at) != NULL && *reader->at != '\0') reader->at++;
    size_t length = strlen(token);
    if ((size_t)(reader->end - reader->at) < length || memcmp(reader->at, token, length) != 0) return 0;
    reader->at += length;
    return 1;
}

static int hex4(struct reader *reader, unsigned *unit) {
    *unit = 0;
    for (int i = 0; i < 4; i++, reader->at++) {
        if (reader->at == reader->end) return 0;
        const char *digits = "0123456789abcdef", *upper = "0123456789ABCDEF", c = *reader->at;
        const char *found = c == '\0' ? NULL : strchr(digits, c) ? strchr(digits, c) : strchr(upper, c);
        if (found == NULL) return 0;
        *unit = 16 * *unit + (unsigned)(found - (strchr(digits, c) ? digits : upper));
    }
    return 1;
}

/* The rest of a string, after its first quotation mark, as UTF-8; a surrogate stays one of three bytes. */
static int read_string(struct reader *reader, struct bytes *out) {
    while (reader->at < reader->end) {
        unsigned char c = (unsigned char)*reader->at++;
        if (c == '"') {
            append(out, "", 1);
            out->length--;
            return 1;
        }
        if (c < 0x20) return 0;
        if (c != '\\') {
            append(out, &c, 1);
            continue;
        }
        if (reader->at == reader->end) return 0;
        static const char names[] = "btnfr\"\\/", meant[] = "\b\t\n\f\r\"\\/";
        char escaped = *reader->at++;
        const char *place = escaped == '\0' ? NULL : strchr(names, escaped);
        unsigned unit;
        if (place != NULL) {
            append(out, meant + (place - names), 1);
        } else if (escaped != 'u' || !hex4(reader, &unit)) {
            return 0;
        } else if (unit < 0x80) {
            append(out, &(char){(char)unit}, 1);
        } else if (unit < 0x800) {
            append(out, (unsigned char[]){0xc0 | unit >> 6, 0x80 | (unit & 63)}, 2);
        } else {
            append(out, (unsigned char[]){0xe0 | unit >> 12, 0x80 | (unit >> 6 & 63), 0x80 | (unit & 63)}, 3);
        }
    }
    return 0;
}

static int is_digit(char c) { return c >= '0' && c <= '9'; }

static struct json *read_number(struct reader *reader, struct json *value) {
    const char *at = reader->at, *end = reader->end, *start = at;
    if (at < end && *at == '-') at++;
    const char *whole = at;
    while (at < end && is_digit(*at)) at++;
    if (at == whole || (*whole == '0' && at - whole > 1)) return NULL;
    if (at < end && *at == '.') {
        const char *part = ++at;
        while (at < end && is_digit(*at)) at++;
        if (at == part) return NULL;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-')) at++;
        const char *part = at;
        while (at < end && is_digit(*at)) at++;
        if (at == part) return NULL;
    }
    if (at - start > LONGEST_NUMBER) return NULL;
    reader->at = at;
    *value = (struct json){.kind = NUMBER, .chars = start, .length = (size_t)(at - start)};
    return value;
}

/* Puts a field where its name belongs; a name that is there already gets the later value. */
static void insert(struct json *object, struct json *field) {
    struct json **place = &object->first;
    while (*place != NULL && strcmp((*place)->name, field->name) < 0) place = &(*place)->next;
    int again = *place != NULL && strcmp((*place)->name, field->name) == 0;
    field->next = again ? (*place)->next : *place;
    *place = field;
}

static struct json *read_value(struct reader *reader, int depth) {
    struct json *value = take(sizeof *value), **last = &value->first;
    if (depth > DEEPEST) return NULL;
    if (accept(reader, "null")) return value;
    if (accept(reader, "true") || accept(reader, "false")) {
        value->kind = reader->at[-2] == 'u' ? TRUE : FALSE;
        return value;
    }
    if (accept(reader, "\"")) {
        struct bytes text = {0};
        if (!read_string(reader, &text)) return NULL;
        *value = (struct json){.kind = TEXT, .chars = (char *)text.data, .length = text.length};
        return value;
    }
    if (accept(reader, "[")) {
        for (value->kind = LIST; !accept(reader, "]"); last = &(*last)->next) {
            if (value->first != NULL && !accept(reader, ",")) return NULL;
            if ((*last = read_value(reader, depth + 1)) == NULL) return NULL;
        }
        return value;
    }
    if (accept(reader, "{")) {
        for (value->kind = OBJECT; !accept(reader, "}");) {
            struct bytes name = {0};
            if (value->first != NULL && !accept(reader, ",")) return NULL;
            if (!accept(reader, "\"") || !read_string(reader, &name) || !accept(reader, ":")) return NULL;
            struct json *field = read_value(reader, depth + 1);
            if (field == NULL) return NULL;
            field->name = (char *)name.data;
            insert(value, field);
        }
        return value;
    }
    return read_number(reader, value);
}

struct json *json_parse(const char *text, size_t length) {
    struct reader reader = {text, text + length};
    struct json *value = read_value(&reader, 0);
    accept(&reader, "");
    return reader.at == reader.end ? value : NULL;
}

static void write_text(struct bytes *out, const char *chars, size_t length) {
    append_text(out, "\"");
    for (size_t i = 0; i < length; i++) {
        if (chars[i] == '"' || chars[i] == '\\') append_text(out, "\\");
        append(out, chars + i, 1);
    }
    append_text(out, "\"");
}

void json_write(struct bytes *out, const struct json *value) {
    static const char *const words[] = {"null", "true", "false"};
    if (value->kind == NUMBER) {
        append(out, value->chars, value->length);
    } else if (value->kind == TEXT) {
        write_text(out, value->chars, value->length);
    } else if (value->kind < NUMBER) {
        append_text(out, words[value->kind]);
    } else {
        append_text(out, value->kind == LIST ? "[" : "{");
        for (const struct json *entry = value->first; entry != NULL; entry = entry->next) {
            if (value->kind == OBJECT) {
                write_text(out, entry->name, strlen(entry->name));
                append_text(out, ":");
            }
            json_write(out, entry);
            if (entry->next != NULL) append_text(out, ",");
        }
        append_text(out, value->kind == LIST ? "]" : "}");
    }
}

int json_equal(const struct json *left, const struct json *right) {
    if (left->kind != right->kind || left->length != right->length) return 0;
    if (left->length > 0 && memcmp(left->chars, right->chars, left->length) != 0) return 0;
    const struct json *a = left->first, *b = right->first;
    for (; a != NULL && b != NULL; a = a->next, b = b->next) {
        if (left->kind == OBJECT && strcmp(a->name, b->name) != 0) return 0;
        if (!json_equal(a, b)) return 0;
    }
    return a == b;
}

const struct json *json_get(const struct json *value, const char *name) {
    const struct json *entry = value->kind == OBJECT ? value->first : NULL;
    while (entry != NULL && strcmp(entry->name, name) != 0) entry = entry->next;
    return entry;
}

int json_is(const struct json *value, const char *text) {
    size_t length = strlen(text);
    return value != NULL && value->kind == TEXT && value->length == length && memcmp(value->chars, text, length) == 0;
}
