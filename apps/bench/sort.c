// sort: the C library's qsort over generated integers and over generated words.
//
//   sort [THOUSANDS]      default 2400: that many thousand integers and a quarter as many words
//
// Prints a checksum of both orders. Work of indirect calls, unpredictable branches and moves.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THOUSANDS = 2400, WORD_BYTES = 16 };

static uint32_t state = 2463534242u; // xorshift32 (Marsaglia, 2003)

static uint32_t next_random(void) {
    state ^= state << 13;
    state ^= state >> 17;
    return state ^= state << 5;
}

static int by_value(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static int by_text(const void *a, const void *b) { return strcmp(a, b); }

static uint32_t mix(uint32_t sum, uint32_t value) { return (sum ^ value) * 16777619u; }

static uint32_t sort_integers(size_t count) {
    uint32_t *values = malloc(count * sizeof *values), sum = 2166136261u;
    if (!values) exit(1);
    for (size_t i = 0; i < count; i++) values[i] = next_random();
    qsort(values, count, sizeof *values, by_value);
    for (size_t i = 0; i < count; i++) sum = mix(sum, values[i]);
    free(values);
    return sum;
}

static uint32_t sort_words(size_t count) {
    char(*words)[WORD_BYTES] = calloc(count, sizeof *words);
    uint32_t sum = 2166136261u;
    if (!words) exit(1);
    for (size_t i = 0; i < count; i++) {
        int length = 3 + (int)(next_random() % (WORD_BYTES - 4));
        for (int k = 0; k < length; k++) words[i][k] = (char)('a' + next_random() % 4);
    }
    qsort(words, count, sizeof *words, by_text);
    for (size_t i = 0; i < count; i++) {
        for (int k = 0; k < WORD_BYTES; k++) sum = mix(sum, (uint8_t)words[i][k]);
    }
    free(words);
    return sum;
}

int main(int argc, char **argv) {
    size_t count = 1000 * (argc > 1 ? strtoul(argv[1], NULL, 10) : THOUSANDS);
    uint32_t integers = sort_integers(count), words = sort_words(count / 4);
    printf("%08x %08x\n", (unsigned)integers, (unsigned)words);
    return 0;
}
