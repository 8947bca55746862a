// Passes over bytes that look for what is encoded in them, and undo it.
#pragma once
#include <stdint.h>

// What 256 bytes stand for: the value of a digit of base64 (either alphabet) or of hexadecimal, or 255.
extern const uint8_t weir_base64_values[256];
extern const uint8_t weir_hex_values[256];
static inline const uint8_t *weir_base64_digits(void) { return weir_base64_values; }
static inline const uint8_t *weir_hex_digits(void) { return weir_hex_values; }

// What of the signs of an encoding there is in these bytes: see the bits. None of them is there where its bit is not set.
enum { WEIR_SIGN_RUN = 1, WEIR_SIGN_ESCAPE = 2, WEIR_SIGN_ZERO = 4 };
unsigned weir_view_signs(const uint8_t *bytes, uintptr_t count);

// Where from `from` on the first run begins of at least 16 bytes that have a value, or one that the end cuts off.
// `count` where there is none.
uintptr_t weir_find_run(const uint8_t *bytes, uintptr_t count, uintptr_t from, const uint8_t *values);

// Decodes whole quads of base64 up to the first byte that has no value: answers how many, three bytes each.
uintptr_t weir_base64_quads(const uint8_t *bytes, uintptr_t count, uint8_t *output);

// The same of pairs of hexadecimal digits, one byte each.
uintptr_t weir_hex_pairs(const uint8_t *bytes, uintptr_t count, uint8_t *output);
