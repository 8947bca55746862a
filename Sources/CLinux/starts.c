#include "starts.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#define INLINE static inline __attribute__((always_inline))

// Steps of the automaton from one place: longer matches are left to the expression.
enum { STEPS_MAX = 48 };

struct search {
    const struct weir_starts *plan;
    const uint8_t *bytes;
    uint32_t count, from, to;
    int ended;
    struct weir_start *starts;
    uint32_t found, most;
    int full;
};

static __attribute__((noinline)) void tell(struct search *search, uint32_t state, uint32_t start, uint32_t at, int is_last) {
    const struct weir_automaton *automaton = &search->plan->automaton;
    uint32_t index = state - automaton->first_finding;
    if (search->most - search->found < search->plan->pattern_count) {
        search->full = 1;
        return;
    }
    for (uint32_t i = automaton->found[index]; i < automaton->found[index + 1]; i++) {
        uint32_t finding = automaton->findings[i], end = WEIR_ASK;
        if (finding & WEIR_CERTAIN) end = at + (finding & WEIR_BEHIND ? 1 : 0);
        if (finding & WEIR_OPEN) end = is_last ? WEIR_ASK : finding & WEIR_CERTAIN ? WEIR_PENDING : WEIR_ASK_OPEN;
        search->starts[search->found++] = (struct weir_start){start, finding & 0xffffff, end, -1};
    }
}

// Bounds: reads bytes[start - 1] where start is not 0, and from there on not beyond `count`.
static __attribute__((noinline)) void walk(struct search *search, uint32_t root, uint32_t start) {
    const struct weir_automaton *automaton = &search->plan->automaton;
    const uint16_t *table = automaton->table;
    const uint32_t shift = automaton->shift, first = automaton->first_finding;
    const uint8_t *bytes = search->bytes;
    uint32_t state = table[root << shift | (start > 0 ? automaton->classes[bytes[start - 1]] : automaton->none)];
    uint32_t most = search->count - start;
    uint32_t end = start + (most < STEPS_MAX ? most : STEPS_MAX), at = start;
    // One comparison for both: state 0 becomes the largest.
    if (state - 1 >= first - 1) {
        if (state == 0) return;
        tell(search, state, start, at, 0);
    }
    for (; at < end; at++) {
        state = table[state << shift | automaton->classes[bytes[at]]];
        if (state - 1 >= first - 1) {
            if (state == 0) return;
            tell(search, state, start, at, 0);
        }
    }
    int is_last = at < search->count;
    state = table[state << shift | (!is_last && search->ended ? automaton->none : automaton->unknown)];
    if (state >= first) tell(search, state, start, at, is_last);
}

INLINE int has(const struct weir_set *set, uint8_t byte) {
    return (byte < 0x80 ? set->lower : set->upper)[byte & 15] >> (byte >> 4 & 7) & 1;
}

// Buckets whose keys could stand at a place, by as many bytes as there are.
static uint32_t buckets_at(const struct search *search, uint32_t place) {
    const struct weir_keys *keys = &search->plan->keys;
    uint32_t buckets = keys->used;
    for (uint32_t i = 0; i < WEIR_KEY && place + i < search->count; i++) {
        uint8_t byte = search->bytes[place + i];
        buckets &= keys->low[i][byte & 15] & keys->high[i][byte >> 4];
    }
    if (place > 0 && has(&search->plan->edge, search->bytes[place - 1])) buckets &= ~keys->edged;
    return buckets;
}

// --- Vectors --------------------------------------------------------------------------------------------------------------
// Each width gives: buckets of as many places as a vector has, and which of them have any; and the bits of a set over 64 bytes.

#if defined(__x86_64__)
#define AVX2 __attribute__((target("avx2")))
#define SSSE3 __attribute__((target("ssse3")))

struct tables32 {
    __m256i low[WEIR_KEY], high[WEIR_KEY], edge, unedged;
};

AVX2 INLINE __m256i twice(const uint8_t *table) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)table));
}

// Bit h for the high nibble h, in both halves of the bytes.
static const uint8_t bits_of_nibbles[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};

AVX2 INLINE struct tables32 tables32(const struct weir_starts *plan) {
    struct tables32 tables;
    for (int i = 0; i < WEIR_KEY; i++)
        (tables.low[i] = twice(plan->keys.low[i]), tables.high[i] = twice(plan->keys.high[i]));
    tables.edge = twice(plan->edge.lower);
    tables.unedged = _mm256_set1_epi8((char)~plan->keys.edged);
    return tables;
}

// Bounds: reads 1 byte before and 34 from `bytes` on.
AVX2 INLINE uint32_t keys32(const struct tables32 *tables, const uint8_t *bytes, uint8_t buckets[32]) {
    const __m256i nibble = _mm256_set1_epi8(15);
    __m256i in = _mm256_set1_epi8(-1);
    for (int i = 0; i < WEIR_KEY; i++) {
        __m256i v = _mm256_loadu_si256((const __m256i *)(bytes + i));
        __m256i high = _mm256_and_si256(_mm256_srli_epi16(v, 4), nibble);
        in = _mm256_and_si256(in, _mm256_shuffle_epi8(tables->low[i], _mm256_and_si256(v, nibble)));
        in = _mm256_and_si256(in, _mm256_shuffle_epi8(tables->high[i], high));
    }
    __m256i before = _mm256_loadu_si256((const __m256i *)(bytes - 1));
    // An index with its highest bit set gives 0, so bytes from 0x80 on are no edge.
    __m256i edge = _mm256_and_si256(
        _mm256_shuffle_epi8(tables->edge, before),
        _mm256_shuffle_epi8(twice(bits_of_nibbles), _mm256_and_si256(_mm256_srli_epi16(before, 4), nibble)));
    __m256i clear = _mm256_cmpeq_epi8(edge, _mm256_setzero_si256());
    in = _mm256_and_si256(in, _mm256_or_si256(clear, tables->unedged));
    _mm256_storeu_si256((__m256i *)buckets, in);
    return ~(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(in, _mm256_setzero_si256()));
}

AVX2 INLINE uint32_t set32(const struct weir_set *set, const uint8_t *bytes) {
    const __m256i nibble = _mm256_set1_epi8(15);
    __m256i v = _mm256_loadu_si256((const __m256i *)bytes);
    __m256i flipped = _mm256_xor_si256(v, _mm256_set1_epi8((char)0x80));
    __m256i high = _mm256_and_si256(_mm256_srli_epi16(v, 4), nibble);
    __m256i row = _mm256_or_si256(
        _mm256_shuffle_epi8(twice(set->lower), v), _mm256_shuffle_epi8(twice(set->upper), flipped));
    __m256i in = _mm256_and_si256(row, _mm256_shuffle_epi8(twice(bits_of_nibbles), high));
    return ~(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(in, _mm256_setzero_si256()));
}

AVX2 INLINE uint64_t set64_avx2(const struct weir_set *set, const uint8_t *bytes) {
    return (uint64_t)set32(set, bytes) | (uint64_t)set32(set, bytes + 32) << 32;
}

SSSE3 INLINE uint32_t keys16(const struct weir_starts *plan, const uint8_t *bytes, uint8_t buckets[16]) {
    const __m128i nibble = _mm_set1_epi8(15);
    __m128i in = _mm_set1_epi8(-1);
    for (int i = 0; i < WEIR_KEY; i++) {
        __m128i v = _mm_loadu_si128((const __m128i *)(bytes + i));
        __m128i low = _mm_loadu_si128((const __m128i *)plan->keys.low[i]);
        __m128i high = _mm_loadu_si128((const __m128i *)plan->keys.high[i]);
        in = _mm_and_si128(in, _mm_shuffle_epi8(low, _mm_and_si128(v, nibble)));
        in = _mm_and_si128(in, _mm_shuffle_epi8(high, _mm_and_si128(_mm_srli_epi16(v, 4), nibble)));
    }
    __m128i before = _mm_loadu_si128((const __m128i *)(bytes - 1));
    __m128i bits = _mm_loadu_si128((const __m128i *)bits_of_nibbles);
    __m128i edge = _mm_and_si128(
        _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)plan->edge.lower), before),
        _mm_shuffle_epi8(bits, _mm_and_si128(_mm_srli_epi16(before, 4), nibble)));
    __m128i clear = _mm_cmpeq_epi8(edge, _mm_setzero_si128());
    in = _mm_and_si128(in, _mm_or_si128(clear, _mm_set1_epi8((char)~plan->keys.edged)));
    _mm_storeu_si128((__m128i *)buckets, in);
    return ~(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(in, _mm_setzero_si128())) & 0xffff;
}

SSSE3 INLINE uint32_t set16(const struct weir_set *set, const uint8_t *bytes) {
    const __m128i nibble = _mm_set1_epi8(15);
    __m128i v = _mm_loadu_si128((const __m128i *)bytes);
    __m128i row = _mm_or_si128(
        _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)set->lower), v),
        _mm_shuffle_epi8(
            _mm_loadu_si128((const __m128i *)set->upper), _mm_xor_si128(v, _mm_set1_epi8((char)0x80))));
    __m128i bits = _mm_loadu_si128((const __m128i *)bits_of_nibbles);
    __m128i in = _mm_and_si128(row, _mm_shuffle_epi8(bits, _mm_and_si128(_mm_srli_epi16(v, 4), nibble)));
    return ~(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(in, _mm_setzero_si128())) & 0xffff;
}

#elif defined(__ARM_NEON) && defined(__aarch64__)
static const uint8_t bits_of_nibbles[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
#define SSSE3

INLINE uint32_t mask16(uint8x16_t in) {
    static const uint8_t weights[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    uint8x16_t bits = vandq_u8(vtstq_u8(in, in), vld1q_u8(weights));
    return (uint32_t)vaddv_u8(vget_low_u8(bits)) | (uint32_t)vaddv_u8(vget_high_u8(bits)) << 8;
}

INLINE uint32_t keys16(const struct weir_starts *plan, const uint8_t *bytes, uint8_t buckets[16]) {
    uint8x16_t in = vdupq_n_u8(0xff);
    for (int i = 0; i < WEIR_KEY; i++) {
        uint8x16_t v = vld1q_u8(bytes + i);
        in = vandq_u8(in, vqtbl1q_u8(vld1q_u8(plan->keys.low[i]), vandq_u8(v, vdupq_n_u8(15))));
        in = vandq_u8(in, vqtbl1q_u8(vld1q_u8(plan->keys.high[i]), vshrq_n_u8(v, 4)));
    }
    uint8x16_t before = vld1q_u8(bytes - 1);
    uint8x16_t row = vqtbl1q_u8(vld1q_u8(plan->edge.lower), vandq_u8(before, vdupq_n_u8(0x8f)));
    uint8x16_t edge = vtstq_u8(row, vqtbl1q_u8(vld1q_u8(bits_of_nibbles), vshrq_n_u8(before, 4)));
    in = vandq_u8(in, vorrq_u8(vmvnq_u8(edge), vdupq_n_u8((uint8_t)~plan->keys.edged)));
    vst1q_u8(buckets, in);
    return mask16(in);
}

INLINE uint32_t set16(const struct weir_set *set, const uint8_t *bytes) {
    uint8x16_t v = vld1q_u8(bytes), low = vandq_u8(v, vdupq_n_u8(0x8f));
    uint8x16_t row = vorrq_u8(
        vqtbl1q_u8(vld1q_u8(set->lower), low), vqtbl1q_u8(vld1q_u8(set->upper), veorq_u8(low, vdupq_n_u8(0x80))));
    return mask16(vandq_u8(row, vqtbl1q_u8(vld1q_u8(bits_of_nibbles), vshrq_n_u8(v, 4))));
}
#endif

#if defined(SSSE3)
SSSE3 INLINE uint64_t set64_16(const struct weir_set *set, const uint8_t *bytes) {
    return (uint64_t)set16(set, bytes) | (uint64_t)set16(set, bytes + 16) << 16 |
           (uint64_t)set16(set, bytes + 32) << 32 | (uint64_t)set16(set, bytes + 48) << 48;
}
#endif

INLINE uint64_t set64_plain(const struct weir_set *set, const uint8_t *bytes) {
    uint64_t in = 0;
    for (int i = 0; i < 64; i++) in |= (uint64_t)has(set, bytes[i]) << i;
    return in;
}

// --- Keys -----------------------------------------------------------------------------------------------------------------

static int passes(const struct search *search, const struct weir_probe *probe, uint32_t start) {
    if (start + 16 > search->count) return 1;
    for (uint32_t i = 0; i < 16; i++)
        if (probe->places >> i & 1 && !has(&probe->set, search->bytes[start + i])) return 0;
    return 1;
}

static void walk_buckets(struct search *search, uint32_t place, uint32_t buckets) {
    const struct weir_keys *keys = &search->plan->keys;
    for (; buckets; buckets &= buckets - 1) {
        int bucket = __builtin_ctz(buckets);
        uint32_t offset = keys->offset[bucket];
        if (place < search->from + offset || place >= search->to + offset) continue;
        if (!passes(search, &keys->probes[bucket], place - offset)) continue;
        walk(search, keys->root[bucket], place - offset);
    }
}

#if defined(SSSE3)
// Most places are refused by their first sixteen bytes, before the automaton reads them one by one.
SSSE3 INLINE void walk_marked(struct search *search, uint32_t place, uint64_t marked, const uint8_t *all) {
    const struct weir_keys *keys = &search->plan->keys;
    for (; marked; marked &= marked - 1) {
        uint32_t at = place + (uint32_t)__builtin_ctzll(marked);
        for (uint32_t buckets = all[at - place]; buckets; buckets &= buckets - 1) {
            int bucket = __builtin_ctz(buckets);
            uint32_t offset = keys->offset[bucket];
            if (at < search->from + offset || at >= search->to + offset) continue;
            const struct weir_probe *probe = &keys->probes[bucket];
            if (at - offset + 16 <= search->count &&
                (probe->places & ~set16(&probe->set, search->bytes + at - offset)) != 0)
                continue;
            walk(search, keys->root[bucket], at - offset);
        }
    }
}
#endif

// The vectors as far as they can be read whole; the last may overlap the one before. Answers the place to go on at.
#define WEIR_FIND_KEYS_END(WIDTH, KEYS)                                                                                  \
    if (place < end && search->count > WIDTH + WEIR_KEY) {                                                               \
        uint32_t last = search->count - WIDTH - WEIR_KEY + 1;                                                            \
        if (last < place && place < last + WIDTH) {                                                                      \
            uint32_t marked = KEYS;                                                                                      \
            walk_marked(search, last, marked & (uint32_t)(~(uint64_t)0 << (place - last)), buckets);                     \
            place = last + WIDTH;                                                                                        \
        }                                                                                                                \
    }

#if defined(__x86_64__)
AVX2 static uint32_t find_keys_32(struct search *search, uint32_t place, uint32_t end) {
    struct tables32 tables = tables32(search->plan);
    uint8_t buckets[64];
    for (; place + 64 + WEIR_KEY <= search->count && place < end; place += 64) {
        uint32_t first = keys32(&tables, search->bytes + place, buckets);
        uint32_t second = keys32(&tables, search->bytes + place + 32, buckets + 32);
        if ((first | second) == 0) continue;
        walk_marked(search, place, first, buckets);
        walk_marked(search, place + 32, second, buckets + 32);
    }
    for (; place + 32 + WEIR_KEY <= search->count && place < end; place += 32)
        walk_marked(search, place, keys32(&tables, search->bytes + place, buckets), buckets);
    WEIR_FIND_KEYS_END(32, keys32(&tables, search->bytes + last, buckets))
    return place;
}
#endif
#if defined(SSSE3)
SSSE3 static uint32_t find_keys_16(struct search *search, uint32_t place, uint32_t end) {
    uint8_t buckets[16];
    for (; place + 16 + WEIR_KEY <= search->count && place < end; place += 16)
        walk_marked(search, place, keys16(search->plan, search->bytes + place, buckets), buckets);
    WEIR_FIND_KEYS_END(16, keys16(search->plan, search->bytes + last, buckets))
    return place;
}
#endif

static void find_keys(struct search *search, enum weir_vectors vectors) {
    const struct weir_keys *keys = &search->plan->keys;
    if (keys->used == 0) return;
    uint32_t offset = 0;
    for (int i = 0; i < WEIR_BUCKETS; i++)
        if (keys->used >> i & 1 && keys->offset[i] > offset) offset = keys->offset[i];
    uint32_t place = search->from, end = search->to + offset;
    if (end > search->count) end = search->count;
    // There is no byte before the first.
    if (place == 0 && end > 0) walk_buckets(search, place++, buckets_at(search, 0));
#if defined(__x86_64__)
    if (vectors >= WEIR_32_BYTES) place = find_keys_32(search, place, end);
#endif
#if defined(SSSE3)
    if (vectors >= WEIR_16_BYTES) place = find_keys_16(search, place, end);
#endif
    (void)vectors;
    for (; place < end; place++) {
        uint32_t buckets = buckets_at(search, place);
        if (buckets) walk_buckets(search, place, buckets);
    }
    if (search->ended) return;
    // Keys of which nothing has come.
    for (end = search->to + offset; place < end; place++) walk_buckets(search, place, keys->used);
}

// --- Stretches ------------------------------------------------------------------------------------------------------------


// Bit i: byte `place + i` is in the set, or `beyond` where there is none.
#define WEIR_SET_WORD(NAME, TARGET, SET64)                                                                               \
    TARGET INLINE uint64_t NAME(                                                                                         \
        const struct search *search, const struct weir_set *set, uint64_t place, uint64_t beyond) {                      \
        if (place >= search->count) return beyond;                                                                       \
        uint64_t left = search->count - place;                                                                           \
        if (left >= 64) return SET64(set, search->bytes + place);                                                        \
        uint8_t bytes[64] = {0};                                                                                         \
        memcpy(bytes, search->bytes + place, left);                                                                      \
        uint64_t inside = ((uint64_t)1 << left) - 1;                                                                     \
        return (SET64(set, bytes) & inside) | (beyond & ~inside);                                                        \
    }

// Bits where `length` of them follow each other, in a word and the one after it.
INLINE uint64_t runs(uint64_t low, uint64_t high, uint32_t length) {
    for (uint32_t known = 1; known < length;) {
        uint32_t step = known < length - known ? known : length - known;
        low &= low >> step | high << (64 - step);
        high &= high >> step;
        known += step;
    }
    return low;
}

#define WEIR_FIND_STRETCHES(NAME, WORD, TARGET, SET64)                                                                   \
    WEIR_SET_WORD(WORD, TARGET, SET64)                                                                                   \
    TARGET static void NAME(struct search *search, const struct weir_stretch *stretch) {                                 \
        const struct weir_set *set = &stretch->set, *edge = &search->plan->edge;                                         \
        uint64_t beyond = search->ended ? 0 : ~(uint64_t)0;                                                              \
        uint64_t word = WORD(search, set, search->from, beyond);                                                         \
        uint64_t last = search->from > 0 && has(edge, search->bytes[search->from - 1]);                                  \
        for (uint64_t place = search->from; place < search->to; place += 64) {                                           \
            uint64_t next = WORD(search, set, place + 64, beyond);                                                       \
            uint64_t starts = runs(word, next, stretch->length);                                                         \
            if (stretch->start != WEIR_ANYWHERE) {                                                                       \
                uint64_t edges = WORD(search, edge, place, 0), before = edges << 1 | last;                               \
                starts &= stretch->start == WEIR_BEHIND_NO_EDGE ? ~before : edges ^ before;                              \
                last = edges >> 63;                                                                                      \
            }                                                                                                            \
            if (search->to - place < 64) starts &= ((uint64_t)1 << (search->to - place)) - 1;                            \
            for (; starts; starts &= starts - 1)                                                                         \
                walk(search, stretch->root, (uint32_t)place + (uint32_t)__builtin_ctzll(starts));                        \
            word = next;                                                                                                 \
        }                                                                                                                \
    }

WEIR_FIND_STRETCHES(find_stretches_plain, word_plain, , set64_plain)
#if defined(__x86_64__)
WEIR_FIND_STRETCHES(find_stretches_32, word_32, AVX2, set64_avx2)
#endif
#if defined(SSSE3)
WEIR_FIND_STRETCHES(find_stretches_16, word_16, SSSE3, set64_16)
#endif

static void find_stretches(struct search *search, const struct weir_stretch *stretch, enum weir_vectors vectors) {
#if defined(__x86_64__)
    if (vectors >= WEIR_32_BYTES) return find_stretches_32(search, stretch);
#endif
#if defined(SSSE3)
    if (vectors >= WEIR_16_BYTES) return find_stretches_16(search, stretch);
#endif
    (void)vectors;
    find_stretches_plain(search, stretch);
}

// --------------------------------------------------------------------------------------------------------------------------

enum weir_vectors weir_vectors(void) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) return WEIR_32_BYTES;
    return __builtin_cpu_supports("ssse3") ? WEIR_16_BYTES : WEIR_PLAIN;
#elif defined(SSSE3)
    return WEIR_16_BYTES;
#else
    return WEIR_PLAIN;
#endif
}

int64_t weir_find_starts(
    const struct weir_starts *plan, enum weir_vectors vectors, const uint8_t *bytes, uint32_t count, int ended,
    uint32_t from, uint32_t to, struct weir_start *starts, uint32_t most) {
    struct search search = {plan, bytes, count, from, to, ended, starts, 0, most, 0};
    find_keys(&search, vectors);
    for (uint32_t i = 0; i < plan->stretch_count && !search.full; i++)
        find_stretches(&search, &plan->stretches[i], vectors);
    return search.full ? -1 : (int64_t)search.found;
}
