/* A starter: the level `encodings` of the specification in C11, as a port for `capc conformance`.
 *
 *     cc -std=gnu11 -O2 ports/c/port.c ports/c/json.c ports/c/hash.c -lm -o port
 *     capc conformance run --level encodings --port ./port
 *
 * Take it as the beginning of a port: it needs a compiler with __int128 and nothing else. What it does not do yet it
 * skips: add operations in `perform`, and states beside them. Models are chains of dense layers here, and rules of
 * section 06 about HE primes are not checked. */

#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "json.h"

#define SPEC_VERSION "0.1.1"
#define TAG_XOF "CaPC/0.1/xof"
#define TAG_PARAMETERS "CaPC/0.1/parameters"
#define TAG_SESSION "CaPC/0.1/session"

enum { HEADER_BYTES = 44, HELLO = 1, HELLO_SLACK = 1 << 18, STREAM_LIMIT = 1 << 24, MOST_BYTES = 64 };

/* The reply to the present request, and where to go on when there is no output. */
static struct bytes reply;
static jmp_buf refused;

static void say(const char *key, const char *line) {
    reply.length = 0;
    append_text(&reply, "\"");
    append_text(&reply, key);
    append_text(&reply, "\":\"");
    append_text(&reply, line);
    append_text(&reply, "\"");
    longjmp(refused, 1);
}

static const char *const ROLES[] = {"querying_party", "answering_party", "privacy_guardian"};

static void refuse(const char *code, const char *blame, unsigned index) {
    char line[200];
    snprintf(line, sizeof line, "\"error\":{\"blame\":\"%s\",\"code\":\"%s\",\"party_index\":%u}", blame, code, index);
    reply.length = 0;
    append_text(&reply, line);
    longjmp(refused, 1);
}

static void input_error(int wrong) {
    if (wrong) refuse("input_error", "caller", 0);
}

static void parameter_error(int wrong) {
    if (wrong) refuse("parameter_error", "caller", 0);
}

/* Fields of requests. */

static const struct json *field(const struct json *value, const char *name, enum kind kind) {
    const struct json *found = json_get(value, name);
    if (found == NULL || found->kind != kind) say("errored", "a field is missing, or of another kind");
    return found;
}

/* The integer in characters; says whether there is one. */
static int read_integer(const char *chars, size_t length, integer *value) {
    size_t at = length > 0 && chars[0] == '-';
    if (at == length || length > 39) return 0;
    unsigned __int128 found = 0;
    for (size_t i = at; i < length; i++) {
        if (chars[i] < '0' || chars[i] > '9') return 0;
        found = 10 * found + (unsigned)(chars[i] - '0');
    }
    *value = (integer)(at ? -found : found);
    return 1;
}

static integer number(const struct json *value, const char *name) {
    const struct json *found = field(value, name, NUMBER);
    integer read;
    if (!read_integer(found->chars, found->length, &read)) say("errored", "a number is no integer");
    return read;
}

static integer entry_of(const struct json *entry) {
    integer read;
    input_error((entry->kind != TEXT && entry->kind != NUMBER) || !read_integer(entry->chars, entry->length, &read));
    return read;
}

static struct bytes bytes_of(const struct json *value, const char *name) {
    const struct json *found = field(value, name, TEXT);
    struct bytes data = {0};
    for (size_t i = 0; i + 1 < found->length; i += 2) {
        char pair[] = {found->chars[i], found->chars[i + 1], 0};
        append(&data, &(unsigned char){(unsigned char)strtoul(pair, NULL, 16)}, 1);
    }
    return data;
}

/* Pieces of an output. Each begins with its separator, of which the first is dropped in the end. */

static void begin(const char *name, const char *with) {
    append_text(&reply, ",\"");
    append_text(&reply, name);
    append_text(&reply, "\":");
    append_text(&reply, with);
}

static void give_bytes(const char *name, const unsigned char *data, size_t length) {
    begin(name, "\"");
    for (size_t i = 0; i < length; i++) {
        char pair[3];
        snprintf(pair, sizeof pair, "%02x", data[i]);
        append(&reply, pair, 2);
    }
    append_text(&reply, "\"");
}

static void give_text(const char *text) {
    if (reply.data[reply.length - 1] != '[') append_text(&reply, ",");
    append_text(&reply, "\"");
    append_text(&reply, text);
    append_text(&reply, "\"");
}

static void give_integer(integer value) {
    char digits[48], *at = digits + sizeof digits - 1;
    unsigned __int128 rest = value < 0 ? -(unsigned __int128)value : (unsigned __int128)value;
    *at = 0;
    do *--at = (char)('0' + (int)(rest % 10));
    while ((rest /= 10) > 0);
    if (value < 0) *--at = '-';
    give_text(at);
}

/* Rings, elements as bytes, fixed point. */

static int width_of(const struct json *given) {
    integer width = number(given, "width");
    input_error(width < 1 || width > 126);
    return (int)width;
}

static integer reduced(integer value, int width) {
    return (integer)((unsigned __int128)value & (((unsigned __int128)1 << width) - 1));
}

static integer signed_value(integer element, int width) {
    return element >> (width - 1) ? element - ((integer)1 << width) : element;
}

static void ring(const char *op, const struct json *given) {
    int width = width_of(given), open = strcmp(op, "mask_and_open") == 0, sign = strcmp(op, "ring_signed") == 0;
    int scale = strcmp(op, "ring_scale") == 0, minus = strcmp(op, "ring_subtract") == 0;
    const struct json *left = field(given, open ? "values" : sign || scale ? "elements" : "left", LIST)->first;
    const struct json *right = sign || scale ? NULL : field(given, open ? "masks" : "right", LIST)->first;
    integer factor = scale ? entry_of(field(given, "factor", TEXT)) : 1;
    begin(open ? "masked" : sign ? "values" : "elements", "[");
    for (const struct json *a = left, *b = right; a != NULL; a = a->next, b = b ? b->next : NULL) {
        unsigned __int128 other = b ? (unsigned __int128)entry_of(b) : 0;
        unsigned __int128 sum = (unsigned __int128)entry_of(a) * (unsigned __int128)factor + (minus ? -other : other);
        give_integer(sign ? signed_value(entry_of(a), width) : reduced((integer)sum, width));
    }
    append_text(&reply, "]");
    if (!open) return;
    begin("opened", "[");
    for (const struct json *a = left, *b = right; a != NULL && b != NULL; a = a->next, b = b->next) {
        integer masked = reduced(entry_of(a) + entry_of(b), width);
        give_integer(signed_value(reduced(masked - entry_of(b), width), width));
    }
    append_text(&reply, "]");
}

static void elements(const char *op, const struct json *given) {
    int width = width_of(given), length = (width + 7) / 8;
    if (strcmp(op, "elements_to_bytes") == 0) {
        struct bytes data = {0};
        for (const struct json *entry = field(given, "elements", LIST)->first; entry != NULL; entry = entry->next) {
            integer element = entry_of(entry);
            for (int i = 0; i < length; i++, element >>= 8) append(&data, &(unsigned char){element & 255}, 1);
        }
        give_bytes("data", data.data, data.length);
        return;
    }
    struct bytes data = bytes_of(given, "data");
    if (data.length % (size_t)length != 0) refuse("malformed_length", "sender", 0);
    begin("elements", "[");
    for (size_t at = 0; at < data.length; at += (size_t)length) {
        integer element = 0;
        for (int i = length; i-- > 0;) element = element << 8 | data.data[at + (size_t)i];
        if (element >> width) refuse("value_out_of_range", "sender", 0);
        give_integer(element);
    }
    append_text(&reply, "]");
}

static void quantise(const struct json *given) {
    int fraction_bits = (int)number(given, "fraction_bits");
    begin("integers", "[");
    for (const struct json *entry = field(given, "values", LIST)->first; entry != NULL; entry = entry->next) {
        input_error(entry->kind != TEXT);
        double value = strtod(entry->chars, NULL);
        input_error(!isfinite(value));
        /* Scaling by a power of two is exact; rint takes halves to even, as no other mode was set. */
        give_integer((integer)rint(ldexp(value, fraction_bits)));
    }
    append_text(&reply, "]");
}

/* The stream of a seed and a label. Integers of any length are MOST_BYTES bytes here, the lowest first. */

struct stream {
    struct shake squeezed;
    size_t read;
};

static struct bytes stream_read(struct stream *stream, integer length) {
    if (length > (integer)(STREAM_LIMIT - stream->read)) refuse("randomness_exhausted", "caller", 0);
    struct bytes data = {0};
    for (integer i = 0; i < length; i++) append(&data, &(unsigned char){shake_next(&stream->squeezed)}, 1);
    stream->read += (size_t)length;
    return data;
}

static void stream_bits(struct stream *stream, int width, unsigned char value[MOST_BYTES]) {
    input_error(width > 8 * MOST_BYTES);
    struct bytes drawn = stream_read(stream, (width + 7) / 8);
    memset(value, 0, MOST_BYTES);
    if (drawn.length > 0) memcpy(value, drawn.data, drawn.length);
    if (width % 8 > 0) value[drawn.length - 1] &= (unsigned char)((1 << width % 8) - 1);
}

static int compare(const unsigned char *left, const unsigned char *right) {
    for (int i = MOST_BYTES; i-- > 0;) {
        if (left[i] != right[i]) return left[i] < right[i] ? -1 : 1;
    }
    return 0;
}

static void stream_below(struct stream *stream, const struct json *bound, unsigned char value[MOST_BYTES]) {
    unsigned char largest[MOST_BYTES] = {0};
    for (size_t i = 0; i < bound->length; i++) {
        unsigned carry = (unsigned)(bound->chars[i] - '0');
        input_error(carry > 9);
        for (int j = 0; j < MOST_BYTES; j++, carry >>= 8) largest[j] = (unsigned char)(carry += 10u * largest[j]);
        input_error(carry > 0);
    }
    unsigned char nothing[MOST_BYTES] = {0};
    input_error(compare(largest, nothing) == 0);
    for (int j = 0; largest[j]-- == 0;) j++;
    int width = 8 * MOST_BYTES;
    while (width > 0 && !(largest[(width - 1) / 8] >> (width - 1) % 8 & 1)) width--;
    do stream_bits(stream, width, value);
    while (compare(value, largest) > 0);
}

static void give_decimal(unsigned char value[MOST_BYTES]) {
    char digits[160], *at = digits + sizeof digits - 1;
    unsigned char nothing[MOST_BYTES] = {0};
    *at = 0;
    do {
        unsigned rest = 0;
        for (int i = MOST_BYTES; i-- > 0; rest %= 10) {
            rest = rest << 8 | value[i];
            value[i] = (unsigned char)(rest / 10);
        }
        *--at = (char)('0' + rest);
    } while (compare(value, nothing) > 0);
    give_text(at);
}

static void xof(const char *op, const struct json *given) {
    struct bytes seed = bytes_of(given, "seed"), label = bytes_of(given, "label"), data = {0};
    input_error(seed.length != 32);
    append_text(&data, TAG_XOF);
    append(&data, "\x20", 1);
    append(&data, seed.data, seed.length);
    append(&data, label.data, label.length);
    struct stream stream = {.read = 0};
    shake256(&stream.squeezed, &data);
    unsigned char value[MOST_BYTES];
    if (strcmp(op, "xof_read") == 0) {
        struct bytes drawn = stream_read(&stream, number(given, "length"));
        give_bytes("data", drawn.data, drawn.length);
        return;
    }
    int below = strcmp(op, "xof_below") == 0;
    begin("integers", "[");
    const struct json *entry = field(given, below ? "bounds" : "widths", LIST)->first;
    for (; entry != NULL; entry = entry->next) {
        if (below) stream_below(&stream, entry, value);
        else stream_bits(&stream, (int)entry_of(entry), value);
        give_decimal(value);
    }
    append_text(&reply, "]");
    if (!below) return;
    struct bytes next = stream_read(&stream, 8);
    give_bytes("next", next.data, next.length);
}

/* Parties, and the header of every message. */

struct party {
    unsigned role, index;
};

static struct party party_named(const struct json *name) {
    size_t prefix = strlen(ROLES[1]);
    integer index;
    if (json_is(name, ROLES[0])) return (struct party){0, 0};
    if (json_is(name, ROLES[2])) return (struct party){2, 0};
    int answering = name->length > prefix && memcmp(name->chars, ROLES[1], prefix) == 0 && name->chars[prefix] == '_';
    if (!answering || !read_integer(name->chars + prefix + 1, name->length - prefix - 1, &index)) {
        say("errored", "a name is no party's");
    }
    return (struct party){1, (unsigned)index};
}

static struct bytes header(int type, const struct bytes *tag, integer query, integer layer, struct party from,
                           struct party to) {
    struct bytes data = {0};
    append(&data, &(unsigned char){(unsigned char)type}, 1);
    append(&data, tag->data, tag->length);
    for (int shift = 0; shift < 32; shift += 8) append(&data, &(unsigned char){query >> shift & 255}, 1);
    append(&data, &(unsigned char){layer & 255}, 1);
    struct party both[] = {from, to};
    for (int i = 0; i < 2; i++) {
        unsigned char place[] = {both[i].role & 255, both[i].index & 255, both[i].index >> 8 & 255};
        append(&data, place, 3);
    }
    return data;
}

/* Refuses the first field that differs, in their order. */
static void check_header(const struct bytes *message, const struct bytes *wanted, struct party from) {
    static const struct {
        size_t end;
        const char *code;
    } fields[] = {{1, "wrong_message_type"}, {33, "foreign_session"}, {37, "wrong_query"},
                  {38, "wrong_layer"},       {41, "wrong_sender"},    {44, "wrong_receiver"}};
    if (message->length < HEADER_BYTES) refuse("malformed_length", ROLES[from.role], from.index);
    for (size_t i = 0, start = 0; i < 6; start = fields[i++].end) {
        if (memcmp(message->data + start, wanted->data + start, fields[i].end - start) != 0) {
            refuse(fields[i].code, ROLES[from.role], from.index);
        }
    }
}

static void envelope(const char *op, const struct json *given) {
    struct bytes tag = bytes_of(given, "session_tag");
    struct party from = party_named(field(given, "sender", TEXT)), to = party_named(field(given, "receiver", TEXT));
    int type = (int)number(given, "type");
    struct bytes wanted = header(type, &tag, number(given, "query"), number(given, "layer"), from, to);
    if (strcmp(op, "message_seal") == 0) {
        struct bytes payload = bytes_of(given, "payload");
        append(&wanted, payload.data, payload.length);
        give_bytes("message", wanted.data, wanted.length);
        return;
    }
    struct bytes message = bytes_of(given, "message");
    check_header(&message, &wanted, from);
    if ((integer)message.length - HEADER_BYTES != number(given, "length")) {
        refuse("malformed_length", ROLES[from.role], from.index);
    }
    give_bytes("payload", message.data + HEADER_BYTES, message.length - HEADER_BYTES);
}

/* Parameters and sessions: sections 03 and 07. */

struct rational {
    int there;
    integer above, below;
};

static struct rational rational(const struct json *document, const char *name) {
    const struct json *found = json_get(document, name);
    if (found == NULL || found->kind == NOTHING) return (struct rational){0, 0, 1};
    parameter_error(found->kind != TEXT);
    const char *slash = memchr(found->chars, '/', found->length);
    size_t length = slash ? (size_t)(slash - found->chars) : found->length;
    struct rational read = {1, 0, 1};
    int fits = read_integer(found->chars, length, &read.above);
    parameter_error(!fits || (slash && !read_integer(slash + 1, found->length - length - 1, &read.below)));
    return read;
}

static void check_policy(const struct json *document) {
    struct rational sigma = rational(document, "sigma"), threshold = rational(document, "threshold");
    struct rational own = rational(document, "threshold_sigma"), epsilon = rational(document, "epsilon");
    struct rational delta = rational(document, "delta"), order = rational(document, "renyi_order");
    struct rational joint = rational(document, "joint_cost"), cost = rational(document, "argmax_cost");
    int counted = json_get(document, "argmax_queries") != NULL;
    int single = json_is(json_get(document, "threshold_mode"), "single_draw");
    int worst_case = json_is(json_get(document, "charge"), "worst_case");
    const struct json *mechanism = json_get(document, "mechanism");
    parameter_error(sigma.above <= 0 || epsilon.above <= 0);
    parameter_error(delta.above <= 0 || delta.above >= delta.below);
    parameter_error(threshold.there ? threshold.above < 0 : single);
    parameter_error(((threshold.above << number(document, "grid_bits")) % threshold.below) != 0);
    parameter_error(own.there != (threshold.there && !single));
    parameter_error(own.there ? own.above <= 0 : !worst_case);
    parameter_error(!order.there && !counted && (joint.there || json_is(mechanism, "skellam")));
    parameter_error(order.there && (order.above <= order.below || order.above > order.below << 20));
    parameter_error(joint.there && (joint.above <= 0 || !own.there || !worst_case));
    parameter_error(joint.there && !json_is(mechanism, "rounded_gaussian"));
    parameter_error(cost.there && (cost.above <= 0 || !order.there || counted));
    parameter_error(counted && (order.there || number(document, "argmax_queries") < 1));
    parameter_error(counted && number(document, "argmax_queries") >> 32 > 0);
    parameter_error((cost.there || counted) && (joint.there || own.there || !worst_case));
}

static void check_parameters(const struct json *document) {
    integer guard = number(document, "guard_bits"), logit = number(document, "logit_bits");
    const struct {
        const char *name;
        integer least, most;
    } ranges[] = {{"guard_bits", 1, 16},          {"logit_bits", 3, 59 - guard}, {"vote_bits", 2, 64},
                  {"grid_bits", 0, 16},           {"fraction_bits", 0, logit - 2}, {"num_classes", 2, 1024},
                  {"num_features", 1, 1 << 20}};
    parameter_error(!json_is(json_get(document, "spec_version"), SPEC_VERSION));
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        integer value = number(document, ranges[i].name);
        parameter_error(value < ranges[i].least || value > ranges[i].most);
    }
    const struct json *prime = field(document, "he_coefficient_bits", LIST)->first;
    parameter_error(prime == NULL || prime->next == NULL);
    for (; prime != NULL; prime = prime->next) parameter_error(entry_of(prime) < 2 || entry_of(prime) > 60);
    check_policy(document);
}

/* The smallest integer whose square is at least above / below. */
static integer ceil_sqrt(integer above, integer below) {
    integer low = 0, high = (integer)1 << 60;
    while (low < high) {
        integer middle = (low + high) / 2;
        if (middle > 0 && middle > above / below / middle + 1) high = middle;
        else if (middle * middle * below >= above) high = middle;
        else low = middle + 1;
    }
    return low;
}

static integer bit_length(integer number) {
    integer bits = 0;
    while (number >> bits > 0) bits++;
    return bits;
}

/* f of section 03: more where labels are charged, as wraps cost privacy then. */
static integer failure_bits(const struct json *parameters) {
    if (!json_get(parameters, "argmax_cost") && !json_get(parameters, "argmax_queries")) return 40;
    struct rational epsilon = rational(parameters, "epsilon"), delta = rational(parameters, "delta");
    parameter_error(epsilon.above >> 40 > 0 || epsilon.below >> 40 > 0);
    integer unit = epsilon.below * 10000, of_epsilon = (epsilon.above * 14427 + unit - 1) / unit;
    integer bits = 53 + of_epsilon + bit_length((delta.below + delta.above - 1) / delta.above);
    return bits > 40 ? bits : 40;
}

/* t(s) of section 03, in units of the grid. */
static integer noise_bound(const struct json *parameters, struct rational sigma, int draws) {
    integer outcomes = 4 * number(parameters, "num_classes") * (1 + draws), square, wide;
    integer nats = (failure_bits(parameters) + bit_length(outcomes)) * 6932; /* in units of 1 / 10000 */
    integer scaled = sigma.above << number(parameters, "grid_bits");
    parameter_error(scaled >> 40 > 0 || sigma.below >> 20 > 0);
    parameter_error(__builtin_mul_overflow(scaled * scaled, 2 * nats, &square));
    integer below = sigma.below * sigma.below * 10000;
    if (!json_is(json_get(parameters, "mechanism"), "skellam")) return 1 + ceil_sqrt(square, below);
    parameter_error(__builtin_mul_overflow(square, (integer)90000, &wide));
    wide += nats * nats * sigma.below * sigma.below;
    return ceil_sqrt(wide, below * 90000) + (nats + 29999) / 30000;
}

/* CAPC-PARAM-031 to 033: votes and noise fit the ring, and the threshold is not above the votes. */
static void check_votes(const struct json *parameters, integer votes) {
    struct rational threshold = rational(parameters, "threshold"), own = rational(parameters, "threshold_sigma");
    int draws = !own.there ? 0 : json_is(json_get(parameters, "charge"), "realised") ? 2 : 1;
    parameter_error(threshold.there && threshold.above > votes * threshold.below);
    integer noise = noise_bound(parameters, rational(parameters, "sigma"), draws);
    integer checks = own.there ? draws * noise_bound(parameters, own, draws) : 0;
    integer reached = (votes << number(parameters, "grid_bits")) + (noise > checks ? noise : checks);
    parameter_error(reached >= (integer)1 << (number(parameters, "vote_bits") - 1));
}

/* Refuses stages that do not lead, densely, from the features to a logit for each class. */
static void check_chain(const struct json *stages, const struct json *parameters) {
    integer lengths[257] = {number(parameters, "num_features")};
    int count = 0;
    for (const struct json *stage = stages->first; stage != NULL; stage = stage->next) {
        const struct json *operator= field(stage, "operator", OBJECT);
        if (!json_is(json_get(operator, "kind"), "dense")) say("skipped", "only dense layers are there yet");
        integer source = number(stage, "source");
        parameter_error(source < 0 || source > count || count == 256);
        parameter_error(lengths[source] != number(operator, "inputs"));
        lengths[++count] = number(operator, "outputs");
    }
    parameter_error(count == 0 || lengths[count] != number(parameters, "num_classes"));
}

static void check_session(const struct json *session) {
    const struct json *parameters = field(session, "parameters", OBJECT);
    const struct json *first = field(session, "participants", LIST)->first;
    check_parameters(parameters);
    parameter_error(bytes_of(session, "session_id").length != 32);
    unsigned place = 0, count = 0;
    for (const struct json *each = first; each != NULL; each = each->next) count++;
    parameter_error(count < 3 || count > 4098);
    for (const struct json *each = first; each != NULL; each = each->next, place++) {
        unsigned role = place == 0 ? 0 : place == count - 1 ? 2 : 1;
        struct party party = party_named(field(each, "party", TEXT));
        parameter_error(party.role != role || party.index != (role == 1 ? place : 0));
        const struct json *identity = field(each, "identity", TEXT), *stages = json_get(each, "architecture");
        parameter_error(identity->length != 64 || stages == NULL);
        for (const struct json *other = first; other != each; other = other->next) {
            parameter_error(json_equal(json_get(other, "identity"), identity));
        }
        parameter_error((stages->kind == LIST) != (role == 1));
        if (role == 1) check_chain(stages, parameters);
    }
    check_votes(parameters, count - 2);
}

static void digest_of(const char *tag, const unsigned char *bound, const struct json *document, unsigned char out[32]) {
    struct bytes data = {0};
    append_text(&data, tag);
    if (bound != NULL) append(&data, bound, 32);
    json_write(&data, document);
    sha256(&data, out);
}

static void documents(const char *op, const struct json *given) {
    int session = strcmp(op, "session_tag") == 0;
    const struct json *document = field(given, session ? "session" : "parameters", OBJECT);
    const struct json *parameters = session ? field(document, "parameters", OBJECT) : document;
    unsigned char digest[32], tag[32];
    if (session) check_session(document);
    else check_parameters(document);
    digest_of(TAG_PARAMETERS, NULL, parameters, digest);
    if (session) {
        digest_of(TAG_SESSION, digest, document, tag);
        give_bytes("tag", tag, sizeof tag);
        return;
    }
    struct bytes canonical = {0};
    json_write(&canonical, document);
    give_bytes("canonical", canonical.data, canonical.length);
    give_bytes("digest", digest, sizeof digest);
}

static void hello(const char *op, const struct json *request, const struct json *given) {
    const struct json *session = field(field(request, "params", OBJECT), "session", OBJECT);
    check_session(session);
    struct party me = {0, (unsigned)number(request, "party_index")};
    while (!json_is(json_get(request, "role"), ROLES[me.role])) {
        if (++me.role == 3) say("errored", "a role is unknown");
    }
    int sends = strcmp(op, "hello") == 0;
    struct party other = party_named(field(given, sends ? "receiver" : "sender", TEXT));
    struct bytes own = {0}, tag = {0};
    json_write(&own, session);
    for (int i = 0; i < 32; i++) append(&tag, "", 1);
    struct bytes wanted = header(HELLO, &tag, 0, 0, sends ? me : other, sends ? other : me);
    if (sends) {
        append(&wanted, own.data, own.length);
        give_bytes("message", wanted.data, wanted.length);
        return;
    }
    struct bytes message = bytes_of(given, "message");
    check_header(&message, &wanted, other);
    size_t length = message.length - HEADER_BYTES;
    if (length > own.length + HELLO_SLACK) refuse("malformed_length", ROLES[other.role], other.index);
    const char *payload = (const char *)message.data + HEADER_BYTES;
    if (length == own.length && memcmp(payload, own.data, length) == 0) return;
    int ascii = 1;
    for (size_t i = 0; i < length; i++) ascii &= message.data[HEADER_BYTES + i] < 0x80;
    const struct json *theirs = ascii ? json_parse(payload, length) : NULL;
    int differs = theirs != NULL && !json_equal(theirs, session);
    refuse(differs ? "parameter_mismatch" : "non_canonical", ROLES[other.role], other.index);
}

static void perform(const struct json *request) {
    static const struct {
        const char *op;
        void (*run)(const char *op, const struct json *given);
    } operations[] = {{"ring_add", ring},          {"ring_subtract", ring},          {"ring_scale", ring},
                      {"ring_signed", ring},       {"mask_and_open", ring},          {"elements_to_bytes", elements},
                      {"xof_read", xof},           {"elements_from_bytes", elements}, {"xof_bits", xof},
                      {"xof_below", xof},          {"message_seal", envelope},       {"message_open", envelope},
                      {"session_tag", documents},  {"parameters_digest", documents}};
    const struct json *op = field(request, "op", TEXT), *given = field(request, "in", OBJECT);
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        if (json_is(op, operations[i].op)) {
            operations[i].run(operations[i].op, given);
            return;
        }
    }
    if (json_is(op, "quantise")) quantise(given);
    else if (json_is(op, "hello") || json_is(op, "check_hello")) hello(op->chars, request, given);
    else say("skipped", "this operation is not there yet");
}

static void answer(const struct json *request) {
    const struct json *kind = field(request, "request", TEXT);
    reply = (struct bytes){0};
    if (setjmp(refused) != 0) return;
    append_text(&reply, "\"out\":{");
    size_t start = reply.length;
    if (json_is(kind, "start")) {
        append_text(&reply, ",\"codes\":{},\"language\":\"C\",\"name\":\"starter\",\"snapshots\":false");
        append_text(&reply, ",\"spec_version\":\"" SPEC_VERSION "\",\"version\":\"0.1\"");
    } else if (json_is(kind, "run")) {
        perform(request);
    } else if (!json_is(kind, "reset") && !json_is(kind, "stop")) {
        say("errored", "a request is unknown");
    }
    /* The first field needs no comma before it. */
    if (reply.length > start) reply.data[start] = ' ';
    append_text(&reply, "}");
}

int main(void) {
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    while ((length = getline(&line, &room, stdin)) > 0) {
        const struct json *request = json_parse(line, (size_t)length);
        if (request == NULL || json_get(request, "id") == NULL || json_get(request, "request") == NULL) return 1;
        struct bytes out = {0};
        append_text(&out, "{\"id\":");
        json_write(&out, json_get(request, "id"));
        append_text(&out, ",");
        answer(request);
        append(&out, reply.data, reply.length);
        append_text(&out, "}\n");
        fwrite(out.data, 1, out.length, stdout);
        fflush(stdout);
        int stops = json_is(json_get(request, "request"), "stop");
        release();
        if (stops) break;
    }
    free(line);
    return 0;
}
