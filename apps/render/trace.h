// Turns a pixel of a scene into a colour by following light paths backwards from the camera.
#ifndef TRACE_H
#define TRACE_H

#include <stdint.h>

#include "scene.h"

// What every pixel needs of the camera, computed once.
typedef struct {
    Vec eye, right, up, corner; // corner: the picture's upper left, relative to the eye
    Vec lens_x, lens_y;
    double focus;
} View;

View view_of(const Scene *scene);

// The pixel's colour as 8-bit sRGB.
// It depends on the scene and on the pixel's place only, so any tiling gives the same picture.
void render_pixel(const Scene *scene, const View *view, uint32_t x, uint32_t y, uint8_t rgb[3]);

#endif
