// Where patterns could begin: one pass of vector instructions for all of them, and an automaton that reads on from each place
// the pass has found.
#pragma once
#include <stdint.h>

// Reads the byte before a place and those from it on; each state says which patterns it has found.
struct weir_automaton {
    // Rows of 1 << shift states, by the class of a byte. State 0 leads nowhere.
    const uint16_t *table;
    uint32_t shift;
    // States from here on have findings: `found[state - first_finding]` is where theirs begin in `findings`.
    uint16_t first_finding;
    // Classes of no byte: the value has no byte there, and it may have one that has not come.
    uint16_t none, unknown;
    const uint32_t *found;
    const uint32_t *findings;
    uint8_t classes[256];
};

// Of a finding; the rest of it is the index of a pattern.
enum {
    // The match can end nowhere else: at the byte read last, or behind it. Of an open one: it does depend on what comes.
    WEIR_CERTAIN = 1u << 31,
    WEIR_BEHIND = 1u << 30,
    // Bytes that have not come could speak against it.
    WEIR_OPEN = 1u << 29,
};

enum { WEIR_BUCKETS = 8, WEIR_KEY = 3, WEIR_STRETCHES = 4 };

// Any set of bytes. Bit h of a low nibble's entry: with the high nibble h, or h + 8, the byte is in the set.
struct weir_set {
    uint8_t lower[16], upper[16];
};

// What every match of a bucket has at its first sixteen bytes: where `places` has a bit, one of `set`.
struct weir_probe {
    struct weir_set set;
    uint16_t places;
};

// Patterns by three neighbouring bytes of theirs. Bit b of a nibble's entry: the nibble occurs at this place of bucket b.
struct weir_keys {
    uint8_t low[WEIR_KEY][16], high[WEIR_KEY][16];
    // Where the key stands in a match, and the state to begin with.
    uint8_t offset[WEIR_BUCKETS];
    uint16_t root[WEIR_BUCKETS];
    // Buckets that are used, and those whose matches never begin after a byte of `edge`.
    uint8_t used, edged;
    struct weir_probe probes[WEIR_BUCKETS];
};

// Patterns that begin with `length` bytes of one set, at most 64.
struct weir_stretch {
    struct weir_set set;
    uint32_t length;
    uint16_t root;
    uint8_t start;
};
enum { WEIR_ANYWHERE, WEIR_BEHIND_NO_EDGE, WEIR_WHERE_EDGE_CHANGES };

struct weir_starts {
    struct weir_automaton automaton;
    struct weir_keys keys;
    // Only of bytes below 0x80, and not of 0.
    struct weir_set edge;
    struct weir_stretch stretches[WEIR_STRETCHES];
    uint32_t stretch_count;
    uint32_t pattern_count;
};

struct weir_start {
    uint32_t at, pattern;
    // Where the match ends, or one of these.
    uint32_t end;
    // For the caller, to link those of one pattern.
    int32_t next;
};
enum { WEIR_ASK = 0u, WEIR_ASK_OPEN = 0xffffffffu, WEIR_PENDING = 0xfffffffeu };

// What the machine can do, best last.
enum weir_vectors { WEIR_PLAIN, WEIR_16_BYTES, WEIR_32_BYTES };
enum weir_vectors weir_vectors(void);

// The places in `from ..< to` at which a pattern could begin, in order for each pattern. Answers how many there are, or -1
// where `most` have no room for them. `ended`: the value ends after `count` bytes.
int64_t weir_find_starts(
    const struct weir_starts *plan, enum weir_vectors vectors, const uint8_t *bytes, uint32_t count, int ended,
    uint32_t from, uint32_t to, struct weir_start *starts, uint32_t most);
