// The vectors of this machine against the plain way, over made plans and bodies, which lie between pages that nobody may read;
// and what looks for encodings against a few lines that say what it should find.
// Built for another processor than the one at hand, it runs under an emulator.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "simd.h"
#include "starts.h"
#include "views.h"

enum { STATES = 64, CLASSES = 8, SHIFT = 3, PATTERNS = 12, BODY = 400, STARTS = 60000 };

static uint64_t seed;

static uint32_t below(uint32_t bound) {
    seed += 0x9e3779b97f4a7c15;
    uint64_t z = seed;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (uint32_t)((z ^ z >> 31) >> 32) % bound;
}

static uint8_t some_bits(uint32_t chance) {
    uint8_t bits = 0;
    for (int i = 0; i < 8; i++) bits |= (below(100) < chance) << i;
    return bits;
}

static void make_set(struct weir_set *set, uint32_t chance) {
    for (int i = 0; i < 16; i++) (set->lower[i] = some_bits(chance), set->upper[i] = some_bits(chance));
}

static uint16_t table[STATES << SHIFT];
static uint32_t found[STATES + 1], findings[STATES * 3];

static void make_plan(struct weir_starts *plan) {
    memset(plan, 0, sizeof *plan);
    struct weir_automaton *automaton = &plan->automaton;
    *automaton = (struct weir_automaton){table, SHIFT, STATES / 2, CLASSES - 2, CLASSES - 1, found, findings, {0}};
    for (int i = 0; i < 256; i++) automaton->classes[i] = below(CLASSES - 2);
    for (int i = 0; i < STATES << SHIFT; i++) table[i] = below(3) == 0 ? 0 : below(STATES);
    uint32_t count = 0;
    for (int i = 0; i <= STATES / 2; i++) {
        found[i] = count;
        for (uint32_t n = 1 + below(3); n > 0; n--) findings[count++] = below(PATTERNS) | below(8) << 29;
    }
    plan->pattern_count = PATTERNS;
    make_set(&plan->edge, 40);
    plan->edge.lower[0] &= 0xfe;
    memset(plan->edge.upper, 0, sizeof plan->edge.upper);
    plan->keys.used = below(8) == 0 ? 0 : some_bits(60);
    plan->keys.edged = some_bits(50);
    for (int i = 0; i < WEIR_KEY; i++)
        for (int n = 0; n < 16; n++) {
            plan->keys.low[i][n] = some_bits(55) & plan->keys.used;
            plan->keys.high[i][n] = some_bits(70);
        }
    for (int i = 0; i < WEIR_BUCKETS; i++) {
        plan->keys.offset[i] = below(20);
        plan->keys.root[i] = 1 + below(STATES / 2 - 1);
        make_set(&plan->keys.probes[i].set, 80);
        plan->keys.probes[i].places = below(4) == 0 ? 0xffff : below(0x10000) & below(0x10000);
    }
    plan->stretch_count = below(WEIR_STRETCHES + 1);
    for (uint32_t i = 0; i < plan->stretch_count; i++) {
        struct weir_stretch *stretch = &plan->stretches[i];
        stretch->length = 1 + (below(3) == 0 ? below(64) : below(4));
        make_set(&stretch->set, stretch->length > 8 ? 97 : 60);
        stretch->root = 1 + below(STATES / 2 - 1);
        stretch->start = below(3);
    }
}

static int digits_agree(const uint8_t *bytes) {
    uint32_t mask = 0;
    for (int i = 0; i < 16; i++) mask |= (uint32_t)(bytes[i] >= '0' && bytes[i] <= '9') << i;
    return weir_digit_mask16(bytes) == mask;
}

static int is_digit(uint8_t byte, int is_hex) { return (is_hex ? weir_hex_values : weir_base64_values)[byte] != 255; }

static uint32_t digits_at(const uint8_t *bytes, uint32_t length, uint32_t at, int is_hex) {
    uint32_t count = 0;
    while (at + count < length && is_digit(bytes[at + count], is_hex)) count++;
    return count;
}

// No sign may be missing before the answer, and no escape in what was passed over.
static int survey_agrees(const uint8_t *bytes, uint32_t length, unsigned asked) {
    unsigned signs = 0, seen = 0;
    uint32_t end = (uint32_t)weir_survey(bytes, length, asked, &signs), zeros = 0;
    for (uint32_t at = 0; at < end; at++) {
        // What may be one by itself is passed over by nobody.
        unsigned alone = 0;
        if (weir_survey(bytes + at, length - at, asked, &alone) == 0) return 0;
        if (digits_at(bytes, end, at, 0) >= WEIR_RUN_LEAST) seen |= WEIR_SIGN_RUN;
        if (digits_at(bytes, end, at, 1) >= WEIR_RUN_LEAST) seen |= WEIR_SIGN_HEX;
        if (bytes[at] == 0) seen |= WEIR_SIGN_ZERO;
        zeros = 0;
        for (uint32_t place = at; place < end && bytes[place] == 0; place += 2) zeros++;
        if (zeros >= 7) seen |= WEIR_SIGN_WIDE;
    }
    return (seen & ~signs) == 0 && (end == length || weir_survey(bytes + end, length - end, asked, &signs) == 0);
}

static int run_agrees(const uint8_t *bytes, uint32_t length, uint32_t from, int is_hex) {
    const uint8_t *values = is_hex ? weir_hex_values : weir_base64_values;
    int begins = 0, expected = 0;
    uint32_t got = (uint32_t)weir_next_run(bytes, length, from, values, &begins), at = from;
    while (at < length) {
        uint32_t count = digits_at(bytes, length, at, is_hex);
        expected = count >= WEIR_RUN_SURE || (count >= WEIR_RUN_LEAST && weir_spells_text(bytes + at, values));
        if (expected || (count > 0 && at + count == length)) break;
        at += count + 1;
    }
    if (at > length) at = length;
    return got == at && begins == expected;
}

// As digit after digit.
static int quads_agree(const uint8_t *bytes, uint32_t length) {
    uint8_t output[BODY * 3 / 4 + 3];
    uint32_t quads = (uint32_t)weir_base64_quads(bytes, length, output);
    if (quads != digits_at(bytes, length, 0, 0) / 4) return 0;
    for (uint32_t bit = 0; bit < quads * 24; bit++) {
        int expected = weir_base64_values[bytes[bit / 6]] >> (5 - bit % 6) & 1;
        if ((output[bit / 8] >> (7 - bit % 8) & 1) != expected) return 0;
    }
    return 1;
}

static int views_agree(const uint8_t *bytes, uint32_t length, uint32_t from) {
    for (unsigned asked = 0; asked < 4; asked++) {
        unsigned signs = (asked & 1 ? WEIR_SIGN_ESCAPE : 0) | (asked & 2 ? WEIR_SIGN_PLUS : 0);
        if (!survey_agrees(bytes, length, signs)) return 0;
    }
    return run_agrees(bytes, length, from, 0) && run_agrees(bytes, length, from, 1) && quads_agree(bytes + from, length - from);
}

// Mostly digits, escapes or NULs, or some of each.
static void make_text(uint8_t *bytes, uint32_t length) {
    static const char *letters[] = {
        "0123456789abcdefABCDEF", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/-_", "%&\\=u23aF\r\n#;amp\"/nx+"};
    for (uint32_t at = 0; at < length;) {
        uint32_t kind = below(6), end = at + 1 + below(kind < 2 ? 90 : 12);
        for (; at < end && at < length; at++) {
            bytes[at] = kind < 3 ? (uint8_t)letters[kind][below((uint32_t)strlen(letters[kind]))]
                : kind == 3 ? (uint8_t)(at & 1 ? 0 : 'a') : (uint8_t)below(256);
        }
    }
}

int main(int count, char **words) {
    uint32_t rounds = count > 1 ? (uint32_t)atoi(words[1]) : 20000;
    long page = sysconf(_SC_PAGESIZE);
    uint8_t *pages = mmap(NULL, (size_t)page * 3, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED || mprotect(pages + page, (size_t)page, PROT_READ | PROT_WRITE) != 0) return 2;
    static struct weir_start plain[STARTS], wide[STARTS];
    static struct weir_starts plan;
    uint64_t compared = 0;
    for (uint32_t round = 0; round < rounds; round++) {
        seed = round;
        if (round % 8 == 0) make_plan(&plan);
        uint32_t length = below(BODY), from = below(length + 1), to = from + below(length - from + 1);
        // Against the page behind, or the page before.
        uint8_t *bytes = pages + page + (below(2) == 0 ? 0 : page - length);
        for (uint32_t i = 0; i < length; i++) bytes[i] = below(4) == 0 ? (uint8_t)below(256) : (uint8_t)"01 aZ-\xc3\n"[below(8)];
        int ended = below(2) == 0;
        for (uint32_t at = 0; at + 16 <= length; at += 16)
            if (!digits_agree(bytes + at)) return printf("round %u: digits at %u\n", round, at), 1;
        int64_t expected = weir_find_starts(&plan, WEIR_PLAIN, bytes, length, ended, from, to, plain, STARTS);
        for (int vectors = WEIR_16_BYTES; vectors <= (int)weir_vectors(); vectors++) {
            memset(wide, 0, sizeof *wide * (size_t)(expected > 0 ? expected : 1));
            int64_t got = weir_find_starts(&plan, vectors, bytes, length, ended, from, to, wide, STARTS);
            if (got != expected || (got > 0 && memcmp(plain, wide, (size_t)got * sizeof *wide) != 0))
                return printf("round %u: %ld starts, %ld with vectors %d\n", round, (long)expected, (long)got, vectors), 1;
            compared += got > 0 ? (uint64_t)got : 0;
        }
        make_text(bytes, length);
        if (!views_agree(bytes, length, from)) return printf("round %u: what looks for encodings differs\n", round), 1;
    }
    printf("%u rounds, vectors %d, %lu starts\n", rounds, weir_vectors(), (unsigned long)compared);
    return 0;
}
