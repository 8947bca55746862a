// Passes over bytes that look for what is encoded in them, and undo it.
#pragma once
#include <stdint.h>

// What 256 bytes stand for: the value of a digit of base64 (either alphabet) or of hexadecimal, or 255.
extern const uint8_t weir_base64_values[256];
extern const uint8_t weir_hex_values[256];
static inline const uint8_t *weir_base64_digits(void) { return weir_base64_values; }
static inline const uint8_t *weir_hex_digits(void) { return weir_hex_values; }

// Signs of an encoding: 16 digits of base64 together, which may be hexadecimal; what may be an escape, or `+`; a NUL, and seven
// of them two bytes apart as eight characters of UTF-16 have them. Where a bit is not set there is none.
enum {
    WEIR_SIGN_RUN = 1,
    WEIR_SIGN_HEX = 2,
    WEIR_SIGN_ESCAPE = 4,
    WEIR_SIGN_PLUS = 8,
    WEIR_SIGN_ZERO = 16,
    WEIR_SIGN_WIDE = 32
};

// Looks for signs up to the first of `asked` (ESCAPE, PLUS or none): answers where that is, or `count`.
uintptr_t weir_survey(const uint8_t *bytes, uintptr_t count, unsigned asked, unsigned *signs);

// No run of digits has fewer. Names, paths and words have as many, too: what does not spell text is a run if it is longer.
enum { WEIR_RUN_LEAST = 16, WEIR_RUN_SURE = 64 };

// Whether the first digits of a run spell mostly ASCII.
int weir_spells_text(const uint8_t *digits, const uint8_t *values);

// Where from `from` on a run begins (then `*begins`), or else where digits begin that the end cuts off before that can be said.
// `count` where there is neither.
uintptr_t weir_next_run(
    const uint8_t *bytes, uintptr_t count, uintptr_t from, const uint8_t *values, int *begins);

// Decodes whole quads of base64 up to the first byte that has no value: answers how many, three bytes each.
uintptr_t weir_base64_quads(const uint8_t *bytes, uintptr_t count, uint8_t *output);

// The same of pairs of hexadecimal digits, one byte each.
uintptr_t weir_hex_pairs(const uint8_t *bytes, uintptr_t count, uint8_t *output);
