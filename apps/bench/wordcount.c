// wordcount: how often each word occurs, and the ten most frequent ones.
//
//   wordcount             counts standard input
//   wordcount MEBIBYTES   counts that much generated text
//
// Without an argument and with nothing on standard input it counts 192 MiB of generated text.
// Work of bytes, hashing, a table of scattered entries, and growing memory.
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEBIBYTES = 192, CHUNK = 1 << 16, WORD_MAX = 64, TOP = 10, FIRST_SLOTS = 1024, VOCABULARY = 20000 };

typedef struct {
    char *text; // NULL: free slot
    uint32_t hash;
    uint64_t times;
} Entry;

typedef struct {
    Entry *slots; // open addressing, never more than half full
    size_t slot_count, used;
    uint64_t words;
} Table;

static void *must(void *memory) {
    if (memory) return memory;
    fputs("wordcount: no memory\n", stderr);
    exit(1);
}

static Entry *find(const Table *table, const char *word, uint32_t hash) {
    size_t at = hash & (table->slot_count - 1);
    while (table->slots[at].text && (table->slots[at].hash != hash || strcmp(table->slots[at].text, word) != 0)) {
        at = (at + 1) & (table->slot_count - 1);
    }
    return &table->slots[at];
}

static void grow(Table *table) {
    Table larger = {NULL, table->slot_count ? table->slot_count * 2 : FIRST_SLOTS, table->used, table->words};
    larger.slots = must(calloc(larger.slot_count, sizeof *larger.slots));
    for (size_t i = 0; i < table->slot_count; i++) {
        Entry *entry = &table->slots[i];
        if (entry->text) *find(&larger, entry->text, entry->hash) = *entry;
    }
    free(table->slots);
    *table = larger;
}

static void count_word(Table *table, const char *word, uint32_t hash) {
    if (table->used * 2 >= table->slot_count) grow(table);
    Entry *entry = find(table, word, hash);
    if (!entry->text) {
        *entry = (Entry){must(strdup(word)), hash, 0};
        table->used++;
    }
    entry->times++;
    table->words++;
}

// The word being read; longer words are cut, not split.
typedef struct {
    char text[WORD_MAX + 1];
    size_t length;
    uint32_t hash;
} Word;

static void count_bytes(Table *table, Word *word, const char *bytes, size_t length) {
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (isalnum(c)) {
            if (word->length == WORD_MAX) continue;
            c = (unsigned char)tolower(c);
            word->hash = ((word->length ? word->hash : 2166136261u) ^ c) * 16777619u;
            word->text[word->length++] = (char)c;
        } else if (word->length) {
            word->text[word->length] = '\0';
            count_word(table, word->text, word->hash);
            word->length = 0;
        }
    }
}

static uint64_t count_stdin(Table *table, Word *word) {
    static char chunk[CHUNK];
    uint64_t total = 0;
    for (size_t got; (got = fread(chunk, 1, sizeof chunk, stdin)) > 0; total += got) {
        count_bytes(table, word, chunk, got);
    }
    return total;
}

// Syllables by number, so that small numbers (frequent words) are short.
static size_t make_word(char *to, uint32_t number) {
    static const char syllables[16][3] = {"ka", "le", "mi", "no", "pu", "ra", "se", "ti",
                                          "vo", "ba", "de", "fi", "go", "hu", "ja", "ze"};
    size_t length = 0;
    do {
        memcpy(to + length, syllables[number % 16], 2);
        length += 2;
        number /= 16;
    } while (number);
    to[length++] = ' ';
    return length;
}

static uint64_t count_generated(Table *table, Word *word, uint64_t bytes) {
    static char chunk[CHUNK];
    uint64_t state = 88172645463325252u, total = 0; // xorshift64 (Marsaglia, 2003)
    while (total < bytes) {
        size_t length = 0;
        while (length + WORD_MAX < sizeof chunk) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            // The product of two evenly spread numbers favours small ones, as texts favour few words.
            uint32_t a = (uint32_t)state % VOCABULARY, b = (uint32_t)(state >> 32) % VOCABULARY;
            length += make_word(chunk + length, (uint32_t)((uint64_t)a * b / VOCABULARY));
        }
        count_bytes(table, word, chunk, length);
        total += length;
    }
    return total;
}

static int by_times(const void *a, const void *b) {
    const Entry *x = a, *y = b;
    if (x->times != y->times) return x->times < y->times ? 1 : -1;
    return strcmp(x->text, y->text);
}

static void report(Table *table, uint64_t bytes) {
    size_t used = 0;
    for (size_t i = 0; i < table->slot_count; i++) {
        if (table->slots[i].text) table->slots[used++] = table->slots[i];
    }
    if (used) qsort(table->slots, used, sizeof *table->slots, by_times);
    printf("%llu bytes, %llu words, %zu different\n", (unsigned long long)bytes, (unsigned long long)table->words, used);
    for (size_t i = 0; i < used && i < TOP; i++) {
        printf("%8llu %s\n", (unsigned long long)table->slots[i].times, table->slots[i].text);
    }
}

int main(int argc, char **argv) {
    Table table = {0};
    Word word = {0};
    uint64_t bytes = argc > 1 ? 0 : count_stdin(&table, &word);
    if (bytes == 0) {
        uint64_t mebibytes = argc > 1 ? strtoul(argv[1], NULL, 10) : MEBIBYTES;
        bytes = count_generated(&table, &word, mebibytes << 20);
    }
    count_bytes(&table, &word, " ", 1); // ends a last word
    report(&table, bytes);
    return 0;
}
