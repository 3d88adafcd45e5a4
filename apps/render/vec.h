// Vectors of three doubles: points, directions and colours alike.
// Everything is inline so that the compiler keeps vectors in locals instead of memory.
#ifndef VEC_H
#define VEC_H

#include <math.h>

// fmin and fmax are library calls in WASM because of what they promise about NaN.
static inline double least(double a, double b) { return a < b ? a : b; }
static inline double most(double a, double b) { return a > b ? a : b; }

typedef struct {
    double x, y, z;
} Vec;

static inline Vec vec(double x, double y, double z) { return (Vec){x, y, z}; }
static inline Vec add(Vec a, Vec b) { return vec(a.x + b.x, a.y + b.y, a.z + b.z); }
static inline Vec sub(Vec a, Vec b) { return vec(a.x - b.x, a.y - b.y, a.z - b.z); }
static inline Vec mul(Vec a, Vec b) { return vec(a.x * b.x, a.y * b.y, a.z * b.z); }
static inline Vec scale(Vec a, double k) { return vec(a.x * k, a.y * k, a.z * k); }
static inline double dot(Vec a, Vec b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
static inline double largest(Vec a) { return most(a.x, most(a.y, a.z)); }

static inline Vec cross(Vec a, Vec b) {
    return vec(a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x);
}

static inline Vec unit(Vec a) { return scale(a, 1.0 / sqrt(dot(a, a))); }
static inline Vec mix(Vec a, Vec b, double t) { return add(scale(a, 1.0 - t), scale(b, t)); }

// Two directions that make an orthonormal basis with `n` (Duff et al., 2017).
static inline void basis(Vec n, Vec *s, Vec *t) {
    double sign = n.z < 0.0 ? -1.0 : 1.0;
    double a = -1.0 / (sign + n.z);
    double b = n.x * n.y * a;
    *s = vec(1.0 + sign * n.x * n.x * a, sign * b, -sign * n.x);
    *t = vec(b, sign + n.y * n.y * a, -n.y);
}

#endif
