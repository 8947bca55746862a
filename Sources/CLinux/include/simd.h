// Byte masks that Swift's SIMD types cannot give: which of 16 bytes are digits, and so on. Inlined into the caller.
#pragma once
#include <stdint.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

// Bit i is set where bytes[i] is '0'...'9'. Reads 16 bytes.
static inline uint32_t weir_digit_mask16(const uint8_t *bytes) {
#if defined(__SSE2__)
    __m128i v = _mm_loadu_si128((const __m128i *)bytes);
    __m128i shifted = _mm_add_epi8(v, _mm_set1_epi8((char)(0x80 - '0')));
    return (uint32_t)_mm_movemask_epi8(_mm_cmplt_epi8(shifted, _mm_set1_epi8((char)(0x80 + 10))));
#else
    uint32_t mask = 0;
    for (int i = 0; i < 16; i++) mask |= (uint32_t)((uint8_t)(bytes[i] - '0') < 10) << i;
    return mask;
#endif
}

// A set of bytes as at most six ranges: byte b is in range i when (int8_t)(b + bias[i]) < limit[i].
struct weir_byte_class {
    uint8_t count;
    uint8_t bias[6];
    int8_t limit[6];
};

// Adds first...last, which must not be all bytes.
static inline void weir_byte_class_add(struct weir_byte_class *set, uint8_t first, uint8_t last) {
    if (set->count == 6) return;
    set->bias[set->count] = (uint8_t)(0x80 - first);
    set->limit[set->count] = (int8_t)(uint8_t)(0x80 + (last - first) + 1);
    set->count++;
}

// Bit i is set where bytes[i] is in the set. Reads 16 bytes.
static inline uint32_t weir_class_mask16(const uint8_t *bytes, const struct weir_byte_class *set) {
#if defined(__SSE2__)
    __m128i v = _mm_loadu_si128((const __m128i *)bytes);
    __m128i in = _mm_setzero_si128();
    for (int i = 0; i < set->count; i++) {
        __m128i shifted = _mm_add_epi8(v, _mm_set1_epi8((char)set->bias[i]));
        in = _mm_or_si128(in, _mm_cmplt_epi8(shifted, _mm_set1_epi8(set->limit[i])));
    }
    return (uint32_t)_mm_movemask_epi8(in);
#else
    uint32_t mask = 0;
    for (int at = 0; at < 16; at++)
        for (int i = 0; i < set->count; i++)
            mask |= (uint32_t)((int8_t)(uint8_t)(bytes[at] + set->bias[i]) < set->limit[i]) << at;
    return mask;
#endif
}

static inline uint64_t weir_class_mask64(const uint8_t *bytes, const struct weir_byte_class *set) {
    return (uint64_t)weir_class_mask16(bytes, set) | (uint64_t)weir_class_mask16(bytes + 16, set) << 16
        | (uint64_t)weir_class_mask16(bytes + 32, set) << 32 | (uint64_t)weir_class_mask16(bytes + 48, set) << 48;
}

// One word for every 64 bytes, for `words` of them.
void weir_class_masks(const uint8_t *bytes, uintptr_t words, const struct weir_byte_class *set, uint64_t *masks);

// Where `length` bytes, at least two, are all in the set of `mask`. Both have one word more than `words`, which says what is
// known of the bytes after them: all ones or all zeros.
void weir_runs(const uint64_t *mask, uintptr_t words, uintptr_t length, uint64_t *runs);

// Keeps in `starts` the positions that have a bit in `runs` `offset` further on, less than 64. Zero where none are left.
uint64_t weir_keep(const uint64_t *runs, uintptr_t words, uintptr_t offset, uint64_t *starts);

// Takes from `starts` the positions behind a byte of the set of `mask`.
void weir_drop_after(const uint64_t *mask, uintptr_t words, uint64_t *starts);

// Where three bytes stand whose hash has its bit in `known`, 65536 bits: the places from `*from` on, at most `most` of them.
// Answers how many; `*from` becomes the place to go on at, and `count` when all was read.
static inline uint32_t weir_key_hash(uint32_t three) { return (three * 0x9E3779B1u) >> 16; }
uintptr_t weir_find_keys(
    const uint8_t *bytes, uintptr_t count, const uint64_t *known, uintptr_t *from, uint32_t *places, uintptr_t most);
