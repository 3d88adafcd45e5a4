// Writes a PNG: 8 bits per channel, RGB. The same pixels always give the same bytes.
#ifndef PNG_H
#define PNG_H

#include <stdint.h>

// Returns 0 on success and says on stderr what went wrong otherwise.
int png_write(const char *path, const uint8_t *rgb, uint32_t width, uint32_t height);

#endif
