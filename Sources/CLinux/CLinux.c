// The passes over a whole window of a body. They are calls, not inlined, so that each can choose the widest vectors of the
// machine it runs on.
#include "simd.h"

#include <string.h>

#include "linux.h"

#if defined(__x86_64__)
#include <immintrin.h>
__attribute__((target("avx2"))) static inline uint32_t class_mask32(
    const uint8_t *bytes, const struct weir_byte_class *set) {
    __m256i v = _mm256_loadu_si256((const __m256i *)bytes);
    __m256i in = _mm256_setzero_si256();
    for (int i = 0; i < set->count; i++) {
        __m256i shifted = _mm256_add_epi8(v, _mm256_set1_epi8((char)set->bias[i]));
        in = _mm256_or_si256(in, _mm256_cmpgt_epi8(_mm256_set1_epi8(set->limit[i]), shifted));
    }
    return (uint32_t)_mm256_movemask_epi8(in);
}

__attribute__((target("avx2"))) static void class_masks_avx2(
    const uint8_t *bytes, uintptr_t words, const struct weir_byte_class *set, uint64_t *masks) {
    struct weir_byte_class fixed = *set;
    // The number of ranges is a constant in each loop, so that the compiler keeps them in registers.
#define WEIR_MASKS(N)                                                                                                   \
    case N:                                                                                                             \
        fixed.count = N;                                                                                                \
        for (uintptr_t i = 0; i < words; i++)                                                                           \
            masks[i] = (uint64_t)class_mask32(bytes + 64 * i, &fixed) |                                                 \
                       (uint64_t)class_mask32(bytes + 64 * i + 32, &fixed) << 32;                                       \
        break;
    switch (set->count) {
        WEIR_MASKS(1)
        WEIR_MASKS(2)
        WEIR_MASKS(3)
        WEIR_MASKS(4)
        WEIR_MASKS(5)
        WEIR_MASKS(6)
    }
#undef WEIR_MASKS
}
#endif

static void class_masks(const uint8_t *bytes, uintptr_t words, const struct weir_byte_class *set, uint64_t *masks) {
    struct weir_byte_class fixed = *set;
#define WEIR_MASKS(N)                                                                                                   \
    case N:                                                                                                             \
        fixed.count = N;                                                                                                \
        for (uintptr_t i = 0; i < words; i++) masks[i] = weir_class_mask64(bytes + 64 * i, &fixed);                     \
        break;
    switch (set->count) {
        WEIR_MASKS(1)
        WEIR_MASKS(2)
        WEIR_MASKS(3)
        WEIR_MASKS(4)
        WEIR_MASKS(5)
        WEIR_MASKS(6)
    }
#undef WEIR_MASKS
}

void weir_class_masks(const uint8_t *bytes, uintptr_t words, const struct weir_byte_class *set, uint64_t *masks) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) return class_masks_avx2(bytes, words, set, masks);
#endif
    class_masks(bytes, words, set, masks);
}

// Compiled for each width by being inlined into a function for it. (`target_clones` would do the same, but its resolver
// runs before ThreadSanitizer is ready.)
static inline __attribute__((always_inline)) void runs_of(
    const uint64_t *restrict mask, uintptr_t words, uintptr_t length, uint64_t *restrict runs) {
    // AND of `length` neighbours, doubling what is known.
    for (uintptr_t i = 0; i < words; i++) runs[i] = mask[i] & (mask[i] >> 1 | mask[i + 1] << 63);
    runs[words] = mask[words];
    for (uintptr_t known = 2; known < length;) {
        uintptr_t step = known < length - known ? known : length - known;
        for (uintptr_t i = 0; i < words; i++) runs[i] &= runs[i] >> step | runs[i + 1] << (64 - step);
        known += step;
    }
}

static inline __attribute__((always_inline)) uint64_t keep(
    const uint64_t *restrict runs, uintptr_t words, uintptr_t offset, uint64_t *restrict starts) {
    uint64_t left = 0;
    if (offset == 0) {
        for (uintptr_t i = 0; i < words; i++) left |= starts[i] &= runs[i];
    } else {
        for (uintptr_t i = 0; i < words; i++) left |= starts[i] &= runs[i] >> offset | runs[i + 1] << (64 - offset);
    }
    return left;
}

static inline __attribute__((always_inline)) void drop_after(const uint64_t *mask, uintptr_t words, uint64_t *starts) {
    if (words == 0) return;
    starts[0] &= ~(mask[0] << 1);
    for (uintptr_t i = 1; i < words; i++) starts[i] &= ~(mask[i] << 1 | mask[i - 1] >> 63);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void runs_avx2(
    const uint64_t *mask, uintptr_t words, uintptr_t length, uint64_t *runs) {
    runs_of(mask, words, length, runs);
}

__attribute__((target("avx2"))) static uint64_t keep_avx2(
    const uint64_t *runs, uintptr_t words, uintptr_t offset, uint64_t *starts) {
    return keep(runs, words, offset, starts);
}

__attribute__((target("avx2"))) static void drop_after_avx2(const uint64_t *mask, uintptr_t words, uint64_t *starts) {
    drop_after(mask, words, starts);
}
#endif

void weir_runs(const uint64_t *mask, uintptr_t words, uintptr_t length, uint64_t *runs) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) return runs_avx2(mask, words, length, runs);
#endif
    runs_of(mask, words, length, runs);
}

uint64_t weir_keep(const uint64_t *runs, uintptr_t words, uintptr_t offset, uint64_t *starts) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) return keep_avx2(runs, words, offset, starts);
#endif
    return keep(runs, words, offset, starts);
}

void weir_drop_after(const uint64_t *mask, uintptr_t words, uint64_t *starts) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) return drop_after_avx2(mask, words, starts);
#endif
    drop_after(mask, words, starts);
}

uintptr_t weir_find_keys(
    const uint8_t *bytes, uintptr_t count, const uint64_t *known, uintptr_t *from, uint32_t *places, uintptr_t most) {
    uintptr_t found = 0, at = *from;
    // Four places at once are looked up without a branch, and most have none.
    for (; at + 7 <= count; at += 4) {
        if (found + 4 > most) break;
        uint32_t low, high;
        memcpy(&low, bytes + at, 4);
        memcpy(&high, bytes + at + 3, 4);
        uint32_t a = weir_key_hash(low & 0xffffff), b = weir_key_hash(low >> 8);
        uint32_t c = weir_key_hash((low >> 16 | high << 8) & 0xffffff), d = weir_key_hash(high & 0xffffff);
        uint64_t in = (known[a >> 6] >> (a & 63) & 1) | (known[b >> 6] >> (b & 63) & 1) << 1 |
                      (known[c >> 6] >> (c & 63) & 1) << 2 | (known[d >> 6] >> (d & 63) & 1) << 3;
        while (in != 0) {
            places[found++] = (uint32_t)at + (uint32_t)__builtin_ctzll(in);
            in &= in - 1;
        }
    }
    for (; at + 7 > count && at + 3 <= count && found < most; at++) {
        uint32_t hash = weir_key_hash(bytes[at] | (uint32_t)bytes[at + 1] << 8 | (uint32_t)bytes[at + 2] << 16);
        if (known[hash >> 6] >> (hash & 63) & 1) places[found++] = (uint32_t)at;
    }
    *from = at + 3 > count ? count : at;
    return found;
}
