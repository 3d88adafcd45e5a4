// PNG (ISO/IEC 15948) around one zlib stream (RFC 1950) with one fixed-Huffman deflate block
// (RFC 1951): a few pages of code, and files about a third smaller than the plain pixels.
#include "png.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- Deflate ----

enum {
    MATCH_MIN = 3,
    MATCH_MAX = 258,
    WINDOW = 32768,
    HASH_BITS = 15,
    CHAIN_MAX = 32, // candidates looked at per place: longer searches gain less than a percent
    NOWHERE = -1,
};

// `bytes` is large enough for the worst case before writing starts, so nothing grows or checks.
typedef struct {
    uint8_t *bytes;
    size_t length;
    uint32_t bits;
    int bit_count;
} Output;

static void put_bits(Output *out, uint32_t value, int count) {
    out->bits |= value << out->bit_count;
    out->bit_count += count;
    while (out->bit_count >= 8) {
        out->bytes[out->length++] = (uint8_t)out->bits;
        out->bits >>= 8;
        out->bit_count -= 8;
    }
}

// Huffman codes go out from their highest bit.
static void put_code(Output *out, uint32_t code, int count) {
    uint32_t turned = 0;
    for (int i = 0; i < count; i++) turned |= (code >> i & 1) << (count - 1 - i);
    put_bits(out, turned, count);
}

static void put_symbol(Output *out, uint32_t symbol) {
    if (symbol < 144) {
        put_code(out, 0x30 + symbol, 8);
    } else if (symbol < 256) {
        put_code(out, 0x190 + symbol - 144, 9);
    } else if (symbol < 280) {
        put_code(out, symbol - 256, 7);
    } else {
        put_code(out, 0xc0 + symbol - 280, 8);
    }
}

static void put_match(Output *out, int length, int distance) {
    // Codes come in groups of `step` (4 lengths, 2 distances) whose ranges double from group to group.
    if (length == MATCH_MAX) {
        put_symbol(out, 285);
    } else {
        int extra = 0, rest = length - MATCH_MIN;
        while (rest >> extra >= 8) extra++;
        put_symbol(out, 257 + 4 * extra + (rest >> extra));
        put_bits(out, rest & ((1 << extra) - 1), extra);
    }
    int extra = 0, rest = distance - 1;
    while (rest >> extra >= 4) extra++;
    put_code(out, 2 * extra + (rest >> extra), 5);
    put_bits(out, rest & ((1 << extra) - 1), extra);
}

// Chains of earlier places that begin with the same three bytes.
typedef struct {
    int32_t head[1 << HASH_BITS];
    int32_t before[WINDOW];
} Chains;

static uint32_t hash_of(const uint8_t *at) {
    return (at[0] << 16 | at[1] << 8 | at[2]) * 0x9e3779b1u >> (32 - HASH_BITS);
}

static void remember(Chains *chains, const uint8_t *data, size_t length, size_t at) {
    if (at + MATCH_MIN > length) return;
    uint32_t hash = hash_of(data + at);
    chains->before[at % WINDOW] = chains->head[hash];
    chains->head[hash] = (int32_t)at;
}

static int longest_match(const Chains *chains, const uint8_t *data, size_t length, size_t at, int *distance) {
    int best = 0;
    if (at + MATCH_MIN > length) return 0;
    int limit = length - at < MATCH_MAX ? (int)(length - at) : MATCH_MAX;
    int32_t from = chains->head[hash_of(data + at)];
    for (int tries = 0; tries < CHAIN_MAX && from != NOWHERE && at - from < WINDOW; tries++) {
        int same = 0;
        while (same < limit && data[from + same] == data[at + same]) same++;
        if (same > best) best = same, *distance = (int)(at - from);
        from = chains->before[from % WINDOW];
    }
    return best >= MATCH_MIN ? best : 0;
}

static void deflate(Output *out, Chains *chains, const uint8_t *data, size_t length) {
    memset(chains, 0xff, sizeof *chains); // NOWHERE everywhere
    put_bits(out, 1, 1); // last block
    put_bits(out, 1, 2); // fixed codes
    for (size_t at = 0; at < length;) {
        int distance = 0, match = longest_match(chains, data, length, at, &distance);
        if (match) {
            put_match(out, match, distance);
        } else {
            put_symbol(out, data[at]);
            match = 1;
        }
        for (int i = 0; i < match; i++) remember(chains, data, length, at++);
    }
    put_symbol(out, 256);
    put_bits(out, 0, 7); // fills the last byte
}

// ---- zlib ----

static void put_u32(uint8_t *to, uint32_t value) {
    for (int i = 0; i < 4; i++) to[i] = (uint8_t)(value >> (24 - 8 * i));
}

static uint32_t adler32(const uint8_t *data, size_t length) {
    uint32_t a = 1, b = 0;
    for (size_t i = 0; i < length; i++) {
        a = (a + data[i]) % 65521;
        b = (b + a) % 65521;
    }
    return b << 16 | a;
}

static uint8_t *zlib_pack(const uint8_t *data, size_t length, size_t *packed_length) {
    // A literal takes at most 9 bits, a match less than its bytes; header, end and sum take the rest.
    Output out = {malloc(length + length / 8 + 64), 0, 0, 0};
    Chains *chains = malloc(sizeof *chains);
    if (out.bytes && chains) {
        out.bytes[out.length++] = 0x78; // deflate, 32 KiB window
        out.bytes[out.length++] = 0x01;
        deflate(&out, chains, data, length);
        put_u32(out.bytes + out.length, adler32(data, length));
        *packed_length = out.length + 4;
    } else {
        free(out.bytes);
        out.bytes = NULL;
    }
    free(chains);
    return out.bytes;
}

// ---- PNG ----

enum { FILTERS = 5, CHANNELS = 3 };

static int paeth(int left, int up, int corner) {
    int p = left + up - corner, a = abs(p - left), b = abs(p - up), c = abs(p - corner);
    return a <= b && a <= c ? left : b <= c ? up : corner;
}

// One row after one of PNG's filters; `above` is a row of zeros for the first.
static void filter_row(int filter, const uint8_t *row, const uint8_t *above, size_t bytes, uint8_t *to) {
    for (size_t i = 0; i < bytes; i++) {
        int left = i < CHANNELS ? 0 : row[i - CHANNELS], corner = i < CHANNELS ? 0 : above[i - CHANNELS];
        int guess[FILTERS] = {0, left, above[i], (left + above[i]) / 2, paeth(left, above[i], corner)};
        to[i] = (uint8_t)(row[i] - guess[filter]);
    }
}

// Smaller differences compress better: the usual choice by least sum of absolute values.
static uint64_t filter_cost(const uint8_t *filtered, size_t bytes) {
    uint64_t sum = 0;
    for (size_t i = 0; i < bytes; i++) sum += abs((int8_t)filtered[i]);
    return sum;
}

// Every row behind its filter's number. NULL when there is no memory.
static uint8_t *filter_rows(const uint8_t *rgb, size_t bytes, uint32_t height) {
    uint8_t *rows = malloc((bytes + 1) * height), *attempt = malloc(bytes), *zeros = calloc(1, bytes);
    for (uint32_t y = 0; rows && attempt && zeros && y < height; y++) {
        const uint8_t *row = rgb + y * bytes, *above = y ? row - bytes : zeros;
        uint8_t *to = rows + y * (bytes + 1);
        uint64_t least = UINT64_MAX;
        for (int filter = 0; filter < FILTERS; filter++) {
            filter_row(filter, row, above, bytes, attempt);
            uint64_t cost = filter_cost(attempt, bytes);
            if (cost >= least) continue;
            least = cost;
            to[0] = (uint8_t)filter;
            memcpy(to + 1, attempt, bytes);
        }
    }
    if (!attempt || !zeros) {
        free(rows);
        rows = NULL;
    }
    free(attempt);
    free(zeros);
    return rows;
}

static uint32_t crc32_of(uint32_t crc, const uint8_t *data, size_t length) {
    for (size_t i = 0; i < length; i++) {
        crc ^= data[i];
        for (int k = 0; k < 8; k++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return crc;
}

static void write_chunk(FILE *file, const char *type, const uint8_t *data, size_t length) {
    uint8_t head[8], tail[4];
    put_u32(head, (uint32_t)length);
    memcpy(head + 4, type, 4);
    uint32_t crc = crc32_of(0xffffffffu, head + 4, 4);
    put_u32(tail, ~crc32_of(crc, data, length));
    fwrite(head, 1, sizeof head, file);
    fwrite(data, 1, length, file);
    fwrite(tail, 1, sizeof tail, file);
}

static int write_file(const char *path, const uint8_t *header, const uint8_t *packed, size_t length) {
    static const uint8_t signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    FILE *file = fopen(path, "wb");
    if (!file) {
        fprintf(stderr, "render: %s: %s\n", path, strerror(errno));
        return -1;
    }
    fwrite(signature, 1, sizeof signature, file);
    write_chunk(file, "IHDR", header, 13);
    write_chunk(file, "IDAT", packed, length);
    write_chunk(file, "IEND", header, 0);
    int failed = ferror(file) | fclose(file);
    if (failed) fprintf(stderr, "render: %s: cannot write\n", path);
    return failed ? -1 : 0;
}

int png_write(const char *path, const uint8_t *rgb, uint32_t width, uint32_t height) {
    size_t bytes = (size_t)width * CHANNELS, packed_length = 0;
    uint8_t *rows = filter_rows(rgb, bytes, height);
    uint8_t *packed = rows ? zlib_pack(rows, (bytes + 1) * height, &packed_length) : NULL;
    free(rows);
    if (!packed) {
        fprintf(stderr, "render: no memory for a picture of %u x %u\n", (unsigned)width, (unsigned)height);
        return -1;
    }
    uint8_t header[13] = {[8] = 8, [9] = 2}; // 8 bits, RGB; no interlace
    put_u32(header, width);
    put_u32(header + 4, height);
    int result = write_file(path, header, packed, packed_length);
    free(packed);
    return result;
}
