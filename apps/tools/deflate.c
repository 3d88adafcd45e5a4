/* deflate: compresses standard input to a raw DEFLATE stream (RFC 1951), or with -d expands one.
 *
 * Matches are found through hash chains, as zlib does it; the codes are DEFLATE's fixed ones. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOW = 32768, MIN_MATCH = 3, MAX_MATCH = 258, CHAIN = 64, HASHES = 1 << 14, END = 256 };

static const uint16_t LENGTHS[] = {3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                   31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
static const uint8_t LENGTH_BITS[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                      2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
static const uint16_t DISTANCES[] = {1,   2,   3,   4,   5,   7,    9,    13,   17,   25,
                                     33,  49,  65,  97,  129, 193,  257,  385,  513,  769,
                                     1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};

static uint8_t *bytes;
static size_t length, room;

static void append(int byte) {
    if (length == room) {
        room = room ? room * 2 : 65536;
        bytes = realloc(bytes, room);
        if (!bytes) {
            fprintf(stderr, "deflate: out of memory\n");
            exit(2);
        }
    }
    bytes[length++] = (uint8_t)byte;
}

static void read_all(void) {
    int byte;
    while ((byte = getchar()) != EOF)
        append(byte);
}

/* Bits, the low ones of a byte first. */
static uint32_t held;
static int held_bits;

static void put(uint32_t value, int count) {
    held |= value << held_bits;
    for (held_bits += count; held_bits >= 8; held_bits -= 8, held >>= 8)
        putchar((int)(held & 255));
}

/* Codes are sent from their highest bit on. */
static void put_code(uint32_t code, int count) {
    while (count--)
        put(code >> count & 1, 1);
}

static void put_symbol(int symbol) {
    if (symbol < 144)
        put_code((uint32_t)(0x30 + symbol), 8);
    else if (symbol < 256)
        put_code((uint32_t)(0x190 + symbol - 144), 9);
    else if (symbol < 280)
        put_code((uint32_t)(symbol - 256), 7);
    else
        put_code((uint32_t)(0xc0 + symbol - 280), 8);
}

static void put_match(int size, int distance) {
    int code = 28;
    while (LENGTHS[code] > size)
        code--;
    put_symbol(257 + code);
    put((uint32_t)(size - LENGTHS[code]), LENGTH_BITS[code]);
    code = 29;
    while (DISTANCES[code] > distance)
        code--;
    put_code((uint32_t)code, 5);
    put((uint32_t)(distance - DISTANCES[code]), code < 4 ? 0 : code / 2 - 1);
}

static int32_t head[HASHES], previous[WINDOW];

static uint32_t hash(const uint8_t *at) {
    return ((uint32_t)at[0] << 16 | (uint32_t)at[1] << 8 | at[2]) * 2654435761u >> 18;
}

static void remember(size_t at) {
    if (at + MIN_MATCH <= length) {
        uint32_t slot = hash(bytes + at);
        previous[at % WINDOW] = head[slot];
        head[slot] = (int32_t)at;
    }
}

static int longest(size_t at, int *distance) {
    int best = 0, chain = CHAIN;
    size_t most = length - at < MAX_MATCH ? length - at : MAX_MATCH;
    if (most < MIN_MATCH)
        return 0;
    for (int32_t from = head[hash(bytes + at)]; from >= 0 && at - (size_t)from < WINDOW && chain--;
         from = previous[from % WINDOW]) {
        size_t size = 0;
        while (size < most && bytes[(size_t)from + size] == bytes[at + size])
            size++;
        if ((int)size > best) {
            best = (int)size;
            *distance = (int)(at - (size_t)from);
        }
    }
    return best;
}

static void compress(void) {
    memset(head, -1, sizeof head);
    put(3, 3); /* the last block, with fixed codes */
    for (size_t at = 0; at < length;) {
        int distance = 0, size = longest(at, &distance);
        if (size < MIN_MATCH) {
            put_symbol(bytes[at]);
            size = 1;
        } else {
            put_match(size, distance);
        }
        while (size--)
            remember(at++);
    }
    put_symbol(END);
    put(0, 7);
}

static void fail(void) {
    fprintf(stderr, "deflate: the stream is damaged or uses codes that this program does not make\n");
    exit(1);
}

static uint32_t get(int count) {
    uint32_t value = 0;
    for (int i = 0; i < count; i++) {
        if (!held_bits) {
            int byte = getchar();
            if (byte == EOF)
                fail();
            held = (uint32_t)byte;
            held_bits = 8;
        }
        value |= (held & 1) << i;
        held >>= 1;
        held_bits--;
    }
    return value;
}

static uint32_t get_code(int count) {
    uint32_t code = 0;
    while (count--)
        code = code << 1 | get(1);
    return code;
}

static int get_symbol(void) {
    uint32_t code = get_code(7);
    if (code < 24)
        return 256 + (int)code;
    code = code << 1 | get(1);
    if (code < 0xc0)
        return (int)code - 0x30;
    if (code < 0xc8)
        return 280 + (int)code - 0xc0;
    return 144 + (int)(code << 1 | get(1)) - 0x190;
}

static void expand(void) {
    if (get(3) != 3)
        fail();
    for (int symbol; (symbol = get_symbol()) != END;) {
        if (symbol < END) {
            append(symbol);
            continue;
        }
        if (symbol > 285)
            fail();
        int size = LENGTHS[symbol - 257] + (int)get(LENGTH_BITS[symbol - 257]);
        uint32_t code = get_code(5);
        if (code > 29)
            fail();
        size_t distance = DISTANCES[code] + get(code < 4 ? 0 : (int)code / 2 - 1);
        if (distance > length)
            fail();
        while (size--)
            append(bytes[length - distance]);
    }
    fwrite(bytes, 1, length, stdout);
}

int main(int argc, char **argv) {
    if (argc > 1 && !strcmp(argv[1], "-d")) {
        expand();
        return 0;
    }
    read_all();
    compress();
    return 0;
}
