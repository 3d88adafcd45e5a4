// The numbers that stand for chance, two at a time.
// The samples of one pixel share one even pattern per choice (the R2 sequence), each in its own
// shuffled order and shifted by its own random amount, which gives far less noise than independent
// numbers. All of it follows from the pixel's place and the sample's index.
#ifndef SAMPLE_H
#define SAMPLE_H

#include <math.h>
#include <stdint.h>

typedef struct {
    double a, b; // both in [0, 1)
} Pair;

typedef struct {
    uint32_t pixel, choice, index, count;
} Sampler;

// A good mixing of 32 bits (Wellons' "lowbias32").
static inline uint32_t hash32(uint32_t x) {
    x = (x ^ (x >> 16)) * 0x7feb352du;
    x = (x ^ (x >> 15)) * 0x846ca68bu;
    return x ^ (x >> 16);
}

static inline Sampler sampler_at(uint32_t x, uint32_t y, uint32_t index, uint32_t count) {
    return (Sampler){hash32(x ^ hash32(y ^ 0x51ed270bu)), 0, index, count};
}

// Where `i` goes in a random order of 0..count (Kensler, "Correlated Multi-Jittered Sampling").
static inline uint32_t shuffled(uint32_t i, uint32_t count, uint32_t seed) {
    uint32_t w = count - 1;
    w |= w >> 1, w |= w >> 2, w |= w >> 4, w |= w >> 8, w |= w >> 16;
    do {
        i = (i ^ seed) * 0xe170893du;
        i ^= seed >> 16;
        i ^= (i & w) >> 4;
        i = (i ^ seed >> 8) * 0x0929eb3fu;
        i ^= seed >> 23;
        i = (i ^ (i & w) >> 1) * (1 | seed >> 27) * 0x6935fa69u;
        i = (i ^ (i & w) >> 11) * 0x74dcb303u;
        i = (i ^ (i & w) >> 2) * 0x9e501cc3u;
        i = (i ^ (i & w) >> 2) * 0xc860a3dfu;
        i &= w;
        i ^= i >> 5;
    } while (i >= count);
    return (i + seed) % count;
}

static inline Pair next_pair(Sampler *s) {
    uint32_t seed = hash32(s->pixel + 0x9e3779b9u * ++s->choice);
    uint32_t turn = hash32(seed ^ 0x68bc21ebu);
    uint32_t place = shuffled(s->index, s->count, seed);
    const double unit_32 = 1.0 / 4294967296.0;
    return (Pair){(seed + place * 3242174889u) * unit_32, (turn + place * 2447445414u) * unit_32};
}

// Cosine and sine of a full turn times `turn`; polynomials are three times faster than libm here
// and the seventh digit of a random direction is nothing one could see.
static inline void circle(double turn, double *cosine, double *sine) {
    double quarter = floor(turn * 4.0 + 0.5);
    double x = (turn * 4.0 - quarter) * 1.57079632679489661923, x2 = x * x;
    double s = x * (1.0 - x2 * (1.0 / 6 - x2 * (1.0 / 120 - x2 * (1.0 / 5040))));
    double c = 1.0 - x2 * (0.5 - x2 * (1.0 / 24 - x2 * (1.0 / 720 - x2 * (1.0 / 40320))));
    switch ((int)quarter & 3) {
    case 0: *cosine = c, *sine = s; break;
    case 1: *cosine = -s, *sine = c; break;
    case 2: *cosine = -c, *sine = -s; break;
    default: *cosine = s, *sine = -c; break;
    }
}

#endif
