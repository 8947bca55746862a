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
