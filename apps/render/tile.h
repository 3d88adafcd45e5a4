// A run of a picture's pixels, row after row, and the file that carries it to the join.
//
// Tile file, integers little-endian:
//   "GIOTILE1"  width u32  height u32  first pixel u32  pixel count u32  3 bytes RGB per pixel
#ifndef TILE_H
#define TILE_H

#include <stdint.h>

typedef struct {
    uint32_t width, height; // of the whole picture
    uint32_t first, count;  // pixel = y * width + x
    uint8_t *rgb;
} Tile;

// The part of a picture that is tile `index` of `tiles`: equal parts, the first ones longer by one.
Tile tile_place(uint32_t width, uint32_t height, uint32_t index, uint32_t tiles);

// All of these return 0 on success and say on stderr what went wrong otherwise.
int tile_allocate(Tile *tile);
int tile_write(const char *path, const Tile *tile);
int tile_read(const char *path, Tile *tile);

#endif
