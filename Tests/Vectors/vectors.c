// The vectors of this machine against the plain way, over made plans and bodies, which lie between pages that nobody may read.
// Built for another processor than the one at hand, it runs under an emulator.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "simd.h"
#include "starts.h"

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
    }
    printf("%u rounds, vectors %d, %lu starts\n", rounds, weir_vectors(), (unsigned long)compared);
    return 0;
}
