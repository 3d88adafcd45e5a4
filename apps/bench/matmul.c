// matmul: the product of two square matrices of doubles.
//
//   matmul [SIDE]      default 1500
//
// Prints the sum of the product's entries and its trace. Work of float multiplications and streaming loads.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { SIDE = 1500 };

static double *matrix(size_t n) {
    double *m = calloc(n * n, sizeof *m);
    if (!m) exit(1);
    return m;
}

static void fill(double *m, size_t n, uint32_t seed) {
    for (size_t i = 0; i < n * n; i++) {
        seed = seed * 1664525u + 1013904223u;
        m[i] = (double)(seed >> 8) / 16777216.0 - 0.5;
    }
}

static void multiply(const double *a, const double *b, double *c, size_t n) {
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < n; k++) { // this order walks all three matrices along their rows
            double factor = a[i * n + k];
            for (size_t j = 0; j < n; j++) c[i * n + j] += factor * b[k * n + j];
        }
    }
}

int main(int argc, char **argv) {
    size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : SIDE;
    double *a = matrix(n), *b = matrix(n), *c = matrix(n);
    fill(a, n, 1);
    fill(b, n, 2);
    multiply(a, b, c, n);
    double sum = 0.0, trace = 0.0;
    for (size_t i = 0; i < n * n; i++) sum += c[i];
    for (size_t i = 0; i < n; i++) trace += c[i * n + i];
    printf("%.17g %.17g\n", sum, trace);
    return 0;
}
