#include "views.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define NONE8 255, 255, 255, 255, 255, 255, 255, 255
#define NONE32 NONE8, NONE8, NONE8, NONE8
#define NONE128 NONE32, NONE32, NONE32, NONE32

const uint8_t weir_base64_values[256] = {
    NONE32,
    NONE8, 255, 255, 255, 62, 255, 62, 255, 63, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 255, 255, 255, 255, 255, 255,
    255, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 255, 255, 255,
    255, 63, 255, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50,
    51, 255, 255, 255, 255, 255, NONE128,
};

const uint8_t weir_hex_values[256] = {
    NONE32,
    NONE8, NONE8, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 255, 255, 255, 255, 255, 255,
    255, 10, 11, 12, 13, 14, 15, 255, NONE8, NONE8, NONE8,
    255, 10, 11, 12, 13, 14, 15, 255, NONE8, NONE8, NONE8, NONE128,
};

enum { least = 16 };

// The last of 16 bytes that has no value, or -1.
static inline int last_without(const uint8_t *bytes, const uint8_t *values) {
    int at = least - 1;
#if defined(__x86_64__)
    // Bytes below '+' and above ASCII have none in either table: most windows are done with by one comparison.
    __m128i v = _mm_loadu_si128((const __m128i *)bytes);
    uint32_t without = (uint32_t)_mm_movemask_epi8(_mm_cmplt_epi8(v, _mm_set1_epi8('+')));
    int known = without == 0 ? -1 : 31 - __builtin_clz(without);
#else
    int known = -1;
#endif
    while (at > known && values[bytes[at]] != 255) at--;
    return at;
}

uintptr_t weir_base64_quads(const uint8_t *bytes, uintptr_t count, uint8_t *output) {
    uintptr_t quads = 0;
    for (; (quads + 1) * 4 <= count; quads++) {
        const uint8_t *in = bytes + quads * 4;
        uint8_t a = weir_base64_values[in[0]], b = weir_base64_values[in[1]];
        uint8_t c = weir_base64_values[in[2]], d = weir_base64_values[in[3]];
        if ((a | b | c | d) & 0x80) break;
        output[quads * 3] = (uint8_t)(a << 2 | b >> 4);
        output[quads * 3 + 1] = (uint8_t)(b << 4 | c >> 2);
        output[quads * 3 + 2] = (uint8_t)(c << 6 | d);
    }
    return quads;
}

uintptr_t weir_hex_pairs(const uint8_t *bytes, uintptr_t count, uint8_t *output) {
    uintptr_t pairs = 0;
    for (; (pairs + 1) * 2 <= count; pairs++) {
        uint8_t high = weir_hex_values[bytes[pairs * 2]], low = weir_hex_values[bytes[pairs * 2 + 1]];
        if ((high | low) & 0x80) break;
        output[pairs] = (uint8_t)(high << 4 | low);
    }
    return pairs;
}

static int is_escape(uint8_t byte) { return byte == '%' || byte == '\\' || byte == '&' || byte == '='; }

// One byte after the other. `run`: digits right before; answers how many there are at the end.
static unsigned plain_signs(const uint8_t *bytes, uintptr_t count, uintptr_t *run, unsigned signs) {
    uintptr_t length = *run;
    for (uintptr_t at = 0; at < count; at++) {
        uint8_t byte = bytes[at];
        length = weir_base64_values[byte] != 255 ? length + 1 : 0;
        if (length == least) signs |= WEIR_SIGN_RUN;
        if (is_escape(byte)) signs |= WEIR_SIGN_ESCAPE;
        if (byte == 0) signs |= WEIR_SIGN_ZERO;
    }
    *run = length;
    return signs;
}

#if defined(__x86_64__)
// A byte is of a class where the tables of its halves share a bit: 1, 2, 4, 8 and 16 for digits of base64 that begin with 2,
// 3, 4 or 6, 5, and 7; 32 for % and &, 64 for the backslash, 128 for the equals sign.
#define LOW                                                                                                               \
    2 | 8 | 16, 2 | 4 | 8 | 16, 2 | 4 | 8 | 16, 2 | 4 | 8 | 16, 2 | 4 | 8 | 16, 2 | 4 | 8 | 16 | 32, 2 | 4 | 8 | 16 | 32,     \
        2 | 4 | 8 | 16, 2 | 4 | 8 | 16, 2 | 4 | 8 | 16, 4 | 8 | 16, 1 | 4, 4 | 64, 1 | 4 | (char)128, 4, 1 | 4 | 8
#define HIGH 0, 0, 1 | 32, 2 | (char)128, 4, 8 | 64, 4, 16, 0, 0, 0, 0, 0, 0, 0, 0
// The same of hexadecimal digits: 1 for those that begin with 3, 2 for those with 4 or 6.
#define HEX_LOW 1, 1 | 2, 1 | 2, 1 | 2, 1 | 2, 1 | 2, 1 | 2, 1, 1, 1, 0, 0, 0, 0, 0, 0
#define HEX_HIGH 0, 0, 0, 1, 2, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0

__attribute__((target("avx2"))) static unsigned wide_signs(const uint8_t *bytes, uintptr_t count) {
    const __m256i low = _mm256_setr_epi8(LOW, LOW), high = _mm256_setr_epi8(HIGH, HIGH);
    const __m256i half = _mm256_set1_epi8(15), digit = _mm256_set1_epi8(31), zero = _mm256_setzero_si256();
    __m256i zeros = zero, classes = zero;
    uint64_t digits = 0;
    unsigned signs = 0;
    uintptr_t at = 0;
    for (; at + 32 <= count; at += 32) {
        __m256i v = _mm256_loadu_si256((const __m256i *)(bytes + at));
        __m256i class = _mm256_and_si256(
            _mm256_shuffle_epi8(low, v), _mm256_shuffle_epi8(high, _mm256_and_si256(_mm256_srli_epi16(v, 4), half)));
        classes = _mm256_or_si256(classes, class);
        zeros = _mm256_or_si256(zeros, _mm256_cmpeq_epi8(v, zero));
        uint32_t others = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_and_si256(class, digit), zero));
        digits = digits >> 32 | (uint64_t)~others << 32;
        uint64_t run = digits & digits >> 1;
        run &= run >> 2;
        run &= run >> 4;
        if (run & run >> 8) signs |= WEIR_SIGN_RUN;
    }
    if (_mm256_movemask_epi8(zeros)) signs |= WEIR_SIGN_ZERO;
    if (!_mm256_testz_si256(classes, _mm256_set1_epi8((char)0xe0))) signs |= WEIR_SIGN_ESCAPE;
    uintptr_t run = ~digits == 0 ? 64 : (uintptr_t)__builtin_clzll(~digits);
    return plain_signs(bytes + at, count - at, &run, run >= least ? signs | WEIR_SIGN_RUN : signs);
}
#endif

unsigned weir_view_signs(const uint8_t *bytes, uintptr_t count) {
#if defined(__x86_64__)
    if (count >= 32 && __builtin_cpu_supports("avx2")) return wide_signs(bytes, count);
#endif
    uintptr_t run = 0;
    return plain_signs(bytes, count, &run, 0);
}

#if defined(__x86_64__)
// 16 digits together: answers where, or a place up to which there are none.
__attribute__((target("avx2"))) static uintptr_t wide_find_run(
    const uint8_t *bytes, uintptr_t count, uintptr_t from, int is_hex, int *found) {
    const __m256i low = is_hex ? _mm256_setr_epi8(HEX_LOW, HEX_LOW) : _mm256_setr_epi8(LOW, LOW);
    const __m256i high = is_hex ? _mm256_setr_epi8(HEX_HIGH, HEX_HIGH) : _mm256_setr_epi8(HIGH, HIGH);
    const __m256i half = _mm256_set1_epi8(15), digit = _mm256_set1_epi8(31), zero = _mm256_setzero_si256();
    uint64_t digits = 0;
    uintptr_t at = from;
    for (; at + 32 <= count; at += 32) {
        __m256i v = _mm256_loadu_si256((const __m256i *)(bytes + at));
        __m256i class = _mm256_and_si256(
            _mm256_shuffle_epi8(low, v), _mm256_shuffle_epi8(high, _mm256_and_si256(_mm256_srli_epi16(v, 4), half)));
        uint32_t others = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_and_si256(class, digit), zero));
        digits = digits >> 32 | (uint64_t)~others << 32;
        uint64_t run = digits & digits >> 1;
        run &= run >> 2;
        run &= run >> 4;
        run &= run >> 8;
        if (run) {
            *found = 1;
            // The masks of the last two blocks; of the first there is only one.
            return at - 32 + (uintptr_t)__builtin_ctzll(run);
        }
    }
    // What the last blocks end with may be the beginning.
    return at - from >= 32 ? at - (uintptr_t)(~digits == 0 ? 64 : __builtin_clzll(~digits)) : from;
}
#endif

uintptr_t weir_find_run(const uint8_t *bytes, uintptr_t count, uintptr_t from, const uint8_t *values) {
#if defined(__x86_64__)
    if (count - from >= 64 && __builtin_cpu_supports("avx2")) {
        int found = 0;
        from = wide_find_run(bytes, count, from, values == weir_hex_values, &found);
        if (found) return from;
    }
#endif
    while (count - from >= least) {
        int last = last_without(bytes + from, values);
        if (last < 0) return from;
        from += (uintptr_t)last + 1;
    }
    uintptr_t at = count;
    while (at > from && values[bytes[at - 1]] != 255) at--;
    return at;
}
