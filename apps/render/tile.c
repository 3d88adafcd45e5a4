// Tiles: who computes which pixels, and how they travel.
#include "tile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scene.h"

enum { HEADER_LENGTH = 24 };
static const char MAGIC[8] = {'G', 'I', 'O', 'T', 'I', 'L', 'E', '1'};

Tile tile_place(uint32_t width, uint32_t height, uint32_t index, uint32_t tiles) {
    uint32_t pixels = width * height, part = pixels / tiles, longer = pixels % tiles;
    uint32_t first = index * part + (index < longer ? index : longer);
    return (Tile){width, height, first, part + (index < longer ? 1 : 0), NULL};
}

int tile_allocate(Tile *tile) {
    tile->rgb = malloc((size_t)tile->count * 3);
    if (tile->rgb) return 0;
    fprintf(stderr, "render: no memory for %u pixels\n", (unsigned)tile->count);
    return -1;
}

static int complain(const char *path, const char *what) {
    fprintf(stderr, "render: %s: %s\n", path, what);
    return -1;
}

static void put_u32(uint8_t *to, uint32_t value) {
    for (int i = 0; i < 4; i++) to[i] = (uint8_t)(value >> 8 * i);
}

static uint32_t get_u32(const uint8_t *from) {
    return from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

int tile_write(const char *path, const Tile *tile) {
    FILE *file = fopen(path, "wb");
    if (!file) return complain(path, strerror(errno));
    uint8_t header[HEADER_LENGTH];
    memcpy(header, MAGIC, sizeof MAGIC);
    put_u32(header + 8, tile->width);
    put_u32(header + 12, tile->height);
    put_u32(header + 16, tile->first);
    put_u32(header + 20, tile->count);
    fwrite(header, 1, sizeof header, file);
    fwrite(tile->rgb, 3, tile->count, file);
    int failed = ferror(file) | fclose(file);
    return failed ? complain(path, "cannot write") : 0;
}

static int check_header(const uint8_t *header, Tile *tile) {
    if (memcmp(header, MAGIC, sizeof MAGIC) != 0) return -1;
    *tile = (Tile){get_u32(header + 8), get_u32(header + 12), get_u32(header + 16), get_u32(header + 20), NULL};
    if (tile->width < 1 || tile->width > SIDE_MAX || tile->height < 1 || tile->height > SIDE_MAX) return -1;
    uint32_t pixels = tile->width * tile->height;
    return tile->first <= pixels && tile->count <= pixels - tile->first ? 0 : -1;
}

int tile_read(const char *path, Tile *tile) {
    FILE *file = fopen(path, "rb");
    if (!file) return complain(path, strerror(errno));
    uint8_t header[HEADER_LENGTH];
    int result = -1;
    if (fread(header, 1, sizeof header, file) != sizeof header || check_header(header, tile) != 0) {
        complain(path, "not a tile");
    } else if (tile_allocate(tile) == 0) {
        if (fread(tile->rgb, 3, tile->count, file) == tile->count && fgetc(file) == EOF) {
            result = 0;
        } else {
            free(tile->rgb);
            complain(path, "not as long as its header says");
        }
    }
    fclose(file);
    return result;
}
