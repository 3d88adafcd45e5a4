// wordcount: how often each word of a text occurs, in parts that are added up afterwards.
//
//   wordcount TEXT -o COUNTS          the words of a text, one `word,times` a line, in the order of the alphabet
//   wordcount --merge DIR -o TOTALS   DIR/0/counts.csv, DIR/1/counts.csv, ... until one is missing, added up,
//                                     the most frequent word first; the ten first go to standard output as well
//
// A word is a run of letters, with apostrophes inside; bytes beyond ASCII count as letters, capitals as small ones.
// What is wrong is said on standard error and ends with exit code 2.
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORD_MAX = 256, TOP = 10, SLOTS_FIRST = 1024, PATH_LENGTH = 512 };

typedef struct {
    char *text; // NULL: free slot
    uint64_t times;
} Entry;

typedef struct {
    Entry *slots; // open addressing, never more than half full
    size_t slot_count, used;
} Table;

static void fail(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("wordcount: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(2);
}

static void *must(void *memory) {
    if (!memory) fail("no memory");
    return memory;
}

static uint32_t hash_of(const char *word) {
    uint32_t hash = 2166136261u; // FNV-1a
    for (; *word; word++) hash = (hash ^ (uint8_t)*word) * 16777619u;
    return hash;
}

static Entry *find(const Table *table, const char *word) {
    size_t at = hash_of(word) & (table->slot_count - 1);
    while (table->slots[at].text && strcmp(table->slots[at].text, word) != 0) {
        at = (at + 1) & (table->slot_count - 1);
    }
    return &table->slots[at];
}

static void grow(Table *table) {
    Table larger = {NULL, table->slot_count ? table->slot_count * 2 : SLOTS_FIRST, table->used};
    larger.slots = must(calloc(larger.slot_count, sizeof *larger.slots));
    for (size_t i = 0; i < table->slot_count; i++) {
        if (table->slots[i].text) *find(&larger, table->slots[i].text) = table->slots[i];
    }
    free(table->slots);
    *table = larger;
}

static void add(Table *table, const char *word, uint64_t times) {
    if (table->used * 2 >= table->slot_count) grow(table);
    Entry *entry = find(table, word);
    if (!entry->text) {
        entry->text = must(strdup(word));
        table->used++;
    }
    entry->times += times;
}

static int is_letter(int byte) { return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte >= 0x80; }

// Words longer than WORD_MAX are cut: such a text is not one.
static void count_text(Table *table, FILE *text) {
    char word[WORD_MAX + 1];
    size_t length = 0;
    for (int byte = getc(text);; byte = getc(text)) {
        int belongs = byte != EOF && (is_letter(byte) || (byte == '\'' && length > 0));
        if (belongs && length < WORD_MAX) word[length++] = (char)(byte >= 'A' && byte <= 'Z' ? byte + 32 : byte);
        if (!belongs) {
            while (length > 0 && word[length - 1] == '\'') length--;
            word[length] = 0;
            if (length > 0) add(table, word, 1);
            length = 0;
        }
        if (byte == EOF) return;
    }
}

static void read_counts(Table *table, FILE *counts, const char *path) {
    char line[WORD_MAX + 32];
    for (int number = 1; fgets(line, sizeof line, counts); number++) {
        char *comma = strrchr(line, ',');
        uint64_t times = comma ? strtoull(comma + 1, NULL, 10) : 0;
        if (times == 0) fail("%s line %d is not `word,times`", path, number);
        *comma = 0;
        add(table, line, times);
    }
}

static int by_word(const void *a, const void *b) { return strcmp(((const Entry *)a)->text, ((const Entry *)b)->text); }

static int by_times(const void *a, const void *b) {
    const Entry *x = a, *y = b;
    if (x->times != y->times) return x->times < y->times ? 1 : -1;
    return by_word(a, b);
}

static Entry *sorted(const Table *table, int (*order)(const void *, const void *)) {
    Entry *entries = must(calloc(table->used + 1, sizeof *entries));
    size_t found = 0;
    for (size_t i = 0; i < table->slot_count; i++) {
        if (table->slots[i].text) entries[found++] = table->slots[i];
    }
    qsort(entries, found, sizeof *entries, order);
    return entries;
}

static void write_counts(const char *path, const Entry *entries, size_t count) {
    FILE *out = fopen(path, "wb");
    if (!out) fail("cannot write %s", path);
    for (size_t i = 0; i < count; i++) fprintf(out, "%s,%llu\n", entries[i].text, (unsigned long long)entries[i].times);
    if (fclose(out) != 0) fail("cannot write %s", path);
}

static void merge(Table *table, const char *folder) {
    for (int unit = 0;; unit++) {
        char path[PATH_LENGTH];
        snprintf(path, sizeof path, "%s/%d/counts.csv", folder, unit);
        FILE *counts = fopen(path, "rb");
        if (!counts && unit == 0) fail("there is no %s", path);
        if (!counts) return;
        read_counts(table, counts, path);
        fclose(counts);
    }
}

int main(int argc, char **argv) {
    int is_merge = argc == 5 && strcmp(argv[1], "--merge") == 0;
    if (!(is_merge || argc == 4) || strcmp(argv[argc - 2], "-o") != 0) {
        fail("usage: wordcount TEXT -o COUNTS, or wordcount --merge DIR -o TOTALS");
    }
    Table table = {NULL, 0, 0};
    grow(&table);
    if (is_merge) {
        merge(&table, argv[2]);
    } else {
        FILE *text = fopen(argv[1], "rb");
        if (!text) fail("cannot read %s", argv[1]);
        count_text(&table, text);
    }
    Entry *entries = sorted(&table, is_merge ? by_times : by_word);
    write_counts(argv[argc - 1], entries, table.used);
    for (size_t i = 0; is_merge && i < TOP && i < table.used; i++) {
        printf("%7llu  %s\n", (unsigned long long)entries[i].times, entries[i].text);
    }
    return 0;
}
