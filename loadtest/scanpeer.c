// The peers of the scanning benchmark: Hyperscan, streaming with starts of match, and PCRE2's JIT, one pattern after
// another over the whole. Reads a file of expressions, a line each, and a corpus, and prints a line for each pass:
// megabytes per second of CPU time, and matches. See README.md beside this file.
#define PCRE2_CODE_UNIT_WIDTH 8
#include <errno.h>
#include <hs/hs.h>
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { EXPRESSIONS_MAX = 20000 };

static char *expressions[EXPRESSIONS_MAX];
static unsigned count;
static char *corpus;
static size_t size;

static void fail(const char *what) {
    fprintf(stderr, "scanpeer: %s\n", what);
    exit(2);
}

static char *read_whole(const char *path, size_t *length) {
    FILE *file = fopen(path, "rb");
    if (!file) fail(path);
    fseek(file, 0, SEEK_END);
    *length = (size_t)ftell(file);
    rewind(file);
    char *bytes = malloc(*length + 1);
    if (!bytes || fread(bytes, 1, *length, file) != *length) fail(path);
    bytes[*length] = 0;
    fclose(file);
    return bytes;
}

static void read_expressions(const char *path) {
    size_t length;
    for (char *line = strtok(read_whole(path, &length), "\n"); line; line = strtok(NULL, "\n")) {
        if (line[0] == '#') continue;
        if (count == EXPRESSIONS_MAX) fail("too many expressions");
        expressions[count++] = line;
    }
}

static double cpu_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void tell(double seconds, size_t matches) {
    printf("%.1f %zu\n", (double)size / seconds / 1e6, matches);
    fflush(stdout);
}

// --- Hyperscan -----------------------------------------------------------------------------------------------------------

static int counted(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *context) {
    (void)id, (void)from, (void)to, (void)flags;
    ++*(size_t *)context;
    return 0;
}

static hs_database_t *compile_hyperscan(void) {
    static unsigned flags[EXPRESSIONS_MAX], ids[EXPRESSIONS_MAX];
    for (unsigned i = 0; i < count; i++) (flags[i] = HS_FLAG_SOM_LEFTMOST, ids[i] = i);
    hs_database_t *database = NULL;
    hs_compile_error_t *error = NULL;
    // The farthest horizon is what the expressions with long repeats need.
    unsigned mode = HS_MODE_STREAM | HS_MODE_SOM_HORIZON_LARGE;
    if (hs_compile_multi((const char *const *)expressions, flags, ids, count, mode, NULL, &database, &error)) {
        fprintf(stderr, "scanpeer: %s: %s\n", error->expression < 0 ? "all" : expressions[error->expression],
                error->message);
        exit(2);
    }
    return database;
}

static void run_hyperscan(size_t chunk, double least) {
    hs_database_t *database = compile_hyperscan();
    hs_scratch_t *scratch = NULL;
    if (hs_alloc_scratch(database, &scratch)) fail("no scratch");
    double spent = 0;
    do {
        size_t matches = 0;
        double begun = cpu_seconds();
        hs_stream_t *stream = NULL;
        if (hs_open_stream(database, 0, &stream)) fail("no stream");
        for (size_t at = 0; at < size; at += chunk) {
            size_t length = size - at < chunk ? size - at : chunk;
            if (hs_scan_stream(stream, corpus + at, (unsigned)length, 0, scratch, counted, &matches)) fail("no scan");
        }
        hs_close_stream(stream, scratch, counted, &matches);
        double seconds = cpu_seconds() - begun;
        tell(seconds, matches);
        spent += seconds;
    } while (spent < least);
}

// --- PCRE2 ---------------------------------------------------------------------------------------------------------------

static void run_pcre2(double least) {
    static pcre2_code *codes[EXPRESSIONS_MAX];
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    for (unsigned i = 0; i < count; i++) {
        int error;
        size_t offset;
        codes[i] = pcre2_compile((PCRE2_SPTR)expressions[i], PCRE2_ZERO_TERMINATED, 0, &error, &offset, NULL);
        if (!codes[i] || pcre2_jit_compile(codes[i], PCRE2_JIT_COMPLETE)) fail(expressions[i]);
    }
    double spent = 0;
    do {
        size_t matches = 0;
        double begun = cpu_seconds();
        for (unsigned i = 0; i < count; i++) {
            size_t from = 0;
            while (pcre2_jit_match(codes[i], (PCRE2_SPTR)corpus, size, from, PCRE2_NOTEMPTY, data, NULL) >= 0) {
                matches++;
                from = pcre2_get_ovector_pointer(data)[1];
            }
        }
        double seconds = cpu_seconds() - begun;
        tell(seconds, matches);
        spent += seconds;
    } while (spent < least);
}

int main(int argc, char **argv) {
    if (argc != 6) fail("usage: scanpeer hyperscan|pcre2 EXPRESSIONS CORPUS CHUNK SECONDS");
    read_expressions(argv[2]);
    corpus = read_whole(argv[3], &size);
    size_t chunk = strtoull(argv[4], NULL, 10);
    double least = strtod(argv[5], NULL);
    if (strcmp(argv[1], "pcre2") == 0) run_pcre2(least);
    else run_hyperscan(chunk ? chunk : size, least);
    return 0;
}
