#include "views.h"
#include <string.h>
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

enum { least = WEIR_RUN_LEAST, sure = WEIR_RUN_SURE };

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

uintptr_t weir_hex_pairs(const uint8_t *bytes, uintptr_t count, uint8_t *output) {
    uintptr_t pairs = 0;
    for (; (pairs + 1) * 2 <= count; pairs++) {
        uint8_t high = weir_hex_values[bytes[pairs * 2]], low = weir_hex_values[bytes[pairs * 2 + 1]];
        if ((high | low) & 0x80) break;
        output[pairs] = (uint8_t)(high << 4 | low);
    }
    return pairs;
}

static int is_hex(uint8_t byte) { return weir_hex_values[byte] != 255; }

// Whether these bytes, of which there is one at least, may be an escape or the beginning of one. `signs` asks for which.
static int may_escape(const uint8_t *bytes, uintptr_t count, unsigned signs) {
    uint8_t first = bytes[0];
    if (first == '+') return (signs & WEIR_SIGN_PLUS) != 0;
    if (!(signs & WEIR_SIGN_ESCAPE)) return 0;
    if (first == '%') return (count < 2 || is_hex(bytes[1])) && (count < 3 || is_hex(bytes[2]));
    if (first == '\\') return count < 2 || memchr("\"\\/bfnrtxu", bytes[1], 10) != 0;
    if (first == '&') {
        // `EscapeKind.names` begin so, and no name or number is longer.
        enum { most = 11 };
        if (count > 1 && bytes[1] != '#' && memchr("aceghlnpqst", bytes[1] | 0x20, 11) == 0) return 0;
        return count < most || memchr(bytes + 1, ';', most - 1) != 0;
    }
    if (first != '=') return 0;
    if (count < 2 || bytes[1] == '\r' || bytes[1] == '\n') return 1;
    return is_hex(bytes[1]) && (count < 3 || is_hex(bytes[2]));
}

// One byte after the other, from `at` on. `length`: digits right before, at most 16.
static uintptr_t plain_survey(
    const uint8_t *bytes, uintptr_t count, uintptr_t at, uintptr_t length, unsigned asked, unsigned *signs) {
    for (; at < count; at++) {
        uint8_t byte = bytes[at];
        if (may_escape(bytes + at, count - at, asked)) {
            *signs |= byte == '+' ? WEIR_SIGN_PLUS : WEIR_SIGN_ESCAPE;
            break;
        }
        length = weir_base64_values[byte] != 255 ? length + 1 : 0;
        if (length == least) *signs |= WEIR_SIGN_RUN | WEIR_SIGN_HEX;
        if (byte == 0) *signs |= at < 2 || bytes[at - 2] == 0 ? WEIR_SIGN_ZERO | WEIR_SIGN_WIDE : WEIR_SIGN_ZERO;
    }
    return at;
}

#if defined(__x86_64__)
// A byte is of a class where the tables of its halves share a bit: 1, 2, 4, 8 and 16 for digits of base64 that begin with 2,
// 3, 4 or 6, 5, and 7; 32 for % and &, 64 for the backslash, 128 for the equals sign.
#define LOW                                                                                                               \
    2 | 8 | 16, 2 | 4 | 8 | 16, 2 | 4 | 8 | 16, 2 | 4 | 8 | 16, 2 | 4 | 8 | 16, 2 | 4 | 8 | 16 | 32, 2 | 4 | 8 | 16 | 32,     \
        2 | 4 | 8 | 16, 2 | 4 | 8 | 16, 2 | 4 | 8 | 16, 4 | 8 | 16, 1 | 4, 4 | 64, 1 | 4 | (char)128, 4, 1 | 4 | 8
#define HIGH 0, 0, 1 | 32, 2 | (char)128, 4, 8 | 64, 4, 16, 0, 0, 0, 0, 0, 0, 0, 0
// What comes second in an escape. Behind % and =: 1 and 2 for hexadecimal digits that begin with 3, and 4 or 6, 4 for line
// breaks. Behind & and \: 8 for " / and #. Behind &: 16 and 32 for first letters of names that begin with 4 or 6, and 5 or 7.
// Behind \: 64 and 128 for letters that begin with 6, and 5 or 7.
#define SECOND_LOW                                                                                                        \
    1 | 32, 1 | 2 | 16 | 32, 1 | 2 | 8 | 64 | (char)128, 1 | 2 | 8 | 16 | 32, 1 | 2 | 32 | (char)128,                        \
        1 | 2 | 16 | (char)128, 1 | 2 | 64, 1 | 16, 1 | 16 | (char)128, 1, 4, 0, 16 | (char)128, 4, 16 | 64, 8
#define SECOND_HIGH 4, 0, 8, 1, 2 | 16, 32 | (char)128, 2 | 16 | 64, 32 | (char)128, 0, 0, 0, 0, 0, 0, 0, 0
enum { BEHIND_PERCENT = 7, BEHIND_AMPERSAND = 8 | 16 | 32, BEHIND_BACKSLASH = 8 | 64 | 128 };
// The same of hexadecimal digits: 1 for those that begin with 3, 2 for those with 4 or 6.
#define HEX_LOW 1, 1 | 2, 1 | 2, 1 | 2, 1 | 2, 1 | 2, 1 | 2, 1, 1, 1, 0, 0, 0, 0, 0, 0
#define HEX_HIGH 0, 0, 0, 1, 2, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0

#define WIDE __attribute__((target("avx2"))) static

// The class of each of 32 bytes.
WIDE inline __m256i classes(__m256i v, __m256i low, __m256i high) {
    __m256i half = _mm256_and_si256(_mm256_srli_epi16(v, 4), _mm256_set1_epi8(15));
    return _mm256_and_si256(_mm256_shuffle_epi8(low, v), _mm256_shuffle_epi8(high, half));
}

// Which of them have some of the bits.
WIDE inline uint32_t with(__m256i classes, int bits) {
    __m256i some = _mm256_and_si256(classes, _mm256_set1_epi8((char)bits));
    return ~(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(some, _mm256_setzero_si256()));
}

WIDE inline uint32_t equal(__m256i v, char byte) {
    return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(v, _mm256_set1_epi8(byte)));
}

// Which bits begin 16 together.
static inline uint64_t sixteen(uint64_t bits) {
    bits &= bits >> 1;
    bits &= bits >> 2;
    bits &= bits >> 4;
    return bits & bits >> 8;
}

// Which of 64 bytes are hexadecimal digits.
WIDE uint64_t hex_digits(const uint8_t *bytes) {
    const __m256i low = _mm256_setr_epi8(HEX_LOW, HEX_LOW), high = _mm256_setr_epi8(HEX_HIGH, HEX_HIGH);
    __m256i first = _mm256_loadu_si256((const __m256i *)bytes), second = _mm256_loadu_si256((const __m256i *)(bytes + 32));
    return with(classes(first, low, high), 3) | (uint64_t)with(classes(second, low, high), 3) << 32;
}

// Which of 32 bytes may be escapes by what stands behind them; behind the last of them anything may. Out of the way of the pass,
// which needs the registers.
WIDE __attribute__((noinline)) uint32_t escapes(const uint8_t *bytes) {
    __m256i v = _mm256_loadu_si256((const __m256i *)bytes);
    const __m256i low = _mm256_setr_epi8(SECOND_LOW, SECOND_LOW), high = _mm256_setr_epi8(SECOND_HIGH, SECOND_HIGH);
    const uint32_t last = 1u << 31;
    __m256i second = classes(v, low, high);
    return ((equal(v, '%') | equal(v, '=')) & (with(second, BEHIND_PERCENT) >> 1 | last)) |
        (equal(v, '&') & (with(second, BEHIND_AMPERSAND) >> 1 | last)) |
        (equal(v, '\\') & (with(second, BEHIND_BACKSLASH) >> 1 | last));
}

// Whether there are NULs as UTF-16 has them.
WIDE int has_wide(const uint8_t *bytes, uintptr_t count) {
    for (uintptr_t at = 0; at + 32 <= count; at += 32) {
        __m256i zeros = _mm256_cmpeq_epi8(_mm256_loadu_si256((const __m256i *)(bytes + at)), _mm256_setzero_si256());
        // Of seven four lie in one half.
        __m256i wide = _mm256_and_si256(zeros, _mm256_srli_si256(zeros, 2));
        wide = _mm256_and_si256(wide, _mm256_srli_si256(wide, 4));
        if (!_mm256_testz_si256(wide, wide)) return 1;
    }
    return 0;
}

// `asked` is known to the compiler, so that nobody pays for what is not.
__attribute__((target("avx2"), always_inline)) static inline uintptr_t wide_survey(
    const uint8_t *bytes, uintptr_t count, unsigned asked, unsigned *signs) {
    const __m256i low = _mm256_setr_epi8(LOW, LOW), high = _mm256_setr_epi8(HIGH, HIGH);
    const __m256i first = _mm256_set1_epi8((char)0xe0), plus = _mm256_set1_epi8('+');
    __m256i least_bytes = _mm256_set1_epi8(-1);
    uintptr_t at = 0;
    uint64_t digits = 0;
    for (; at + 32 <= count; at += 32) {
        __m256i v = _mm256_loadu_si256((const __m256i *)(bytes + at)), class = classes(v, low, high);
        least_bytes = _mm256_min_epu8(least_bytes, v);
        digits = digits >> 32 | (uint64_t)with(class, 31) << 32;
        if (sixteen(digits)) {
            *signs |= WEIR_SIGN_RUN | (at == 0 || sixteen(hex_digits(bytes + at - 32)) ? WEIR_SIGN_HEX : 0);
        }
        if (!asked) continue;
        __m256i pluses = _mm256_cmpeq_epi8(v, plus);
        const int has_plus = asked & WEIR_SIGN_PLUS && !_mm256_testz_si256(pluses, pluses);
        if (__builtin_expect(_mm256_testz_si256(class, first) && !has_plus, 1)) continue;
        uint32_t may = escapes(bytes + at);
        if (has_plus) may |= (uint32_t)_mm256_movemask_epi8(pluses);
        for (; may; may &= may - 1) {
            uintptr_t place = at + (uintptr_t)__builtin_ctz(may);
            if (may_escape(bytes + place, count - place, asked)) {
                at = place;
                goto found;
            }
        }
    }
found:
    least_bytes = _mm256_cmpeq_epi8(least_bytes, _mm256_setzero_si256());
    if (!_mm256_testz_si256(least_bytes, least_bytes)) {
        *signs |= has_wide(bytes, count) ? WEIR_SIGN_ZERO | WEIR_SIGN_WIDE : WEIR_SIGN_ZERO;
    }
    return at;
}

WIDE uintptr_t survey(const uint8_t *bytes, uintptr_t count, unsigned asked, unsigned *signs) {
    if (asked == WEIR_SIGN_ESCAPE) return wide_survey(bytes, count, WEIR_SIGN_ESCAPE, signs);
    return asked ? wide_survey(bytes, count, asked, signs) : wide_survey(bytes, count, 0, signs);
}
#endif

uintptr_t weir_survey(const uint8_t *bytes, uintptr_t count, unsigned asked, unsigned *signs) {
    uintptr_t at = 0, run = 0;
    *signs = 0;
#if defined(__x86_64__)
    if (count >= 32 && __builtin_cpu_supports("avx2")) at = survey(bytes, count, asked, signs);
#endif
    for (; run < at && run < least && weir_base64_values[bytes[at - run - 1]] != 255;) run++;
    // What comes may be of a run of the other kind.
    if (run == least && at < count) *signs |= WEIR_SIGN_RUN | WEIR_SIGN_HEX;
    return plain_survey(bytes, count, at, run, asked, signs);
}

#if defined(__x86_64__)
// Digits of base64 to bytes, 32 to 24 at once: answers how many quads. Writes eight bytes more than it answers for.
WIDE uintptr_t wide_base64_quads(const uint8_t *bytes, uintptr_t count, uint8_t *output) {
    const __m256i low = _mm256_setr_epi8(LOW, LOW), high = _mm256_setr_epi8(HIGH, HIGH);
#define SHIFTS 0, 0, 62 - '+', 52 - '0', -'A', -'A', 26 - 'a', 26 - 'a', 0, 0, 0, 0, 0, 0, 0, 0
    const __m256i shifts = _mm256_setr_epi8(SHIFTS, SHIFTS);
#define ORDER 2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1
    const __m256i order = _mm256_setr_epi8(ORDER, ORDER), lanes = _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 7, 7);
    uintptr_t at = 0;
    for (; count - at >= 32 + 12; at += 32, output += 24) {
        __m256i v = _mm256_loadu_si256((const __m256i *)(bytes + at));
        if (with(classes(v, low, high), 31) != ~0u) break;
        __m256i half = _mm256_and_si256(_mm256_srli_epi16(v, 4), _mm256_set1_epi8(15));
        __m256i value = _mm256_add_epi8(v, _mm256_shuffle_epi8(shifts, half));
        // The digits of their own, and those of the other alphabet.
        const __m256i slash = _mm256_cmpeq_epi8(v, _mm256_set1_epi8('/')), dash = _mm256_cmpeq_epi8(v, _mm256_set1_epi8('-'));
        const __m256i bar = _mm256_cmpeq_epi8(v, _mm256_set1_epi8('_'));
        value = _mm256_sub_epi8(value, _mm256_and_si256(slash, _mm256_set1_epi8(62 - '+' + '/' - 63)));
        value = _mm256_sub_epi8(value, _mm256_and_si256(dash, _mm256_set1_epi8('-' - '+')));
        value = _mm256_add_epi8(value, _mm256_and_si256(bar, _mm256_set1_epi8(63 - '_' + 'A')));
        __m256i pairs = _mm256_maddubs_epi16(value, _mm256_set1_epi32(0x01400140));
        __m256i units = _mm256_madd_epi16(pairs, _mm256_set1_epi32(0x00011000));
        __m256i packed = _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(units, order), lanes);
        _mm256_storeu_si256((__m256i *)output, packed);
    }
    return at / 4;
}
#endif

uintptr_t weir_base64_quads(const uint8_t *bytes, uintptr_t count, uint8_t *output) {
    uintptr_t quads = 0;
#if defined(__x86_64__)
    if (count >= 64 && __builtin_cpu_supports("avx2")) quads = wide_base64_quads(bytes, count, output);
#endif
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

// Whether so many bytes are of text; `others`: those that are not of ASCII.
static int is_text(const uint8_t *bytes, unsigned count, unsigned *others) {
    for (unsigned at = 0; at < count; at++) {
        uint8_t byte = bytes[at];
        if (byte >= 0x80) ++*others;
        if ((byte < 0x20 && byte != 0 && (uint8_t)(byte - 9) > 4) || byte == 0x7f) return 0;
    }
    return 1;
}

int weir_spells_text(const uint8_t *digits, const uint8_t *values) {
    const int is_hex = values == weir_hex_values;
    const unsigned unit = is_hex ? 2 : 3, most = (is_hex ? least / 2 : least * 3 / 4) / 3;
    unsigned others = 0;
    for (unsigned at = 0; at < least; at += 4) {
        uint8_t bytes[3];
        if (is_hex) weir_hex_pairs(digits + at, 4, bytes);
        else weir_base64_quads(digits + at, 4, bytes);
        if (!is_text(bytes, unit, &others) || others > most) return 0;
    }
    return 1;
}

#if defined(__x86_64__)
// As `weir_next_run`, but that it may answer with a place up to which no run begins.
WIDE uintptr_t wide_next_run(const uint8_t *bytes, uintptr_t count, uintptr_t from, const uint8_t *values, int *begins) {
    const int is_hex = values == weir_hex_values;
    const __m256i low = is_hex ? _mm256_setr_epi8(HEX_LOW, HEX_LOW) : _mm256_setr_epi8(LOW, LOW);
    const __m256i high = is_hex ? _mm256_setr_epi8(HEX_HIGH, HEX_HIGH) : _mm256_setr_epi8(HIGH, HIGH);
    uint64_t digits = 0;
    uintptr_t at = from;
    while (at + 32 <= count) {
        __m256i v = _mm256_loadu_si256((const __m256i *)(bytes + at));
        digits = digits >> 32 | (uint64_t)with(classes(v, low, high), 31) << 32;
        at += 32;
        uint64_t runs = sixteen(digits);
        if (!runs) continue;
        // The masks are of the last two blocks; of the first there is only one.
        uintptr_t start = at - 64 + (uintptr_t)__builtin_ctzll(runs);
        if (start + sure > count) return start;
        __m256i first = _mm256_loadu_si256((const __m256i *)(bytes + start));
        __m256i second = _mm256_loadu_si256((const __m256i *)(bytes + start + 32));
        uint64_t others = ~(with(classes(first, low, high), 31) | (uint64_t)with(classes(second, low, high), 31) << 32);
        if (!others || weir_spells_text(bytes + start, values)) {
            *begins = 1;
            return start;
        }
        at = start + (uintptr_t)__builtin_ctzll(others);
        digits = 0;
    }
    // What the last blocks end with may be the beginning.
    return at - (digits == 0 ? 0 : ~digits == 0 ? 64 : (uintptr_t)__builtin_clzll(~digits));
}
#endif

uintptr_t weir_next_run(
    const uint8_t *bytes, uintptr_t count, uintptr_t from, const uint8_t *values, int *begins) {
    *begins = 0;
#if defined(__x86_64__)
    if (count - from >= sure && __builtin_cpu_supports("avx2")) {
        from = wide_next_run(bytes, count, from, values, begins);
        if (*begins) return from;
    }
#endif
    while (1) {
        // From the end of 16 bytes on, as most have one that is no digit.
        int last = least;
        while (count - from >= least && (last = last_without(bytes + from, values)) >= 0) from += (uintptr_t)last + 1;
        uintptr_t at = from, end;
        if (count - from < least)
            for (at = count; at > from && values[bytes[at - 1]] != 255;) at--;
        const uintptr_t most = count - at < sure ? count : at + sure;
        for (end = at; end < most && values[bytes[end]] != 255;) end++;
        *begins = end - at >= least && (end - at == sure || weir_spells_text(bytes + at, values));
        if (*begins || end == count) return at;
        from = end;
    }
}
