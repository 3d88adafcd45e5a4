/* statistics: reads numbers from standard input, sorts them, and prints what they say: extremes, quartiles, mean,
 * standard deviation, a histogram, and the numbers in every format that printf has for them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { BINS = 10, BAR = 40, SHOWN = 5 };

static double *values;
static size_t count, room;

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void read_values(void) {
    double value;
    while (scanf("%lf", &value) == 1) {
        if (count == room) {
            room = room ? 2 * room : 256;
            values = realloc(values, room * sizeof *values);
            if (!values) {
                fprintf(stderr, "statistics: out of memory\n");
                exit(2);
            }
        }
        values[count++] = value;
    }
}

static double quantile(double part) {
    double place = part * (double)(count - 1);
    size_t below = (size_t)floor(place);
    size_t above = below + 1 < count ? below + 1 : below;
    return values[below] + (place - (double)below) * (values[above] - values[below]);
}

static void histogram(double low, double high) {
    size_t bins[BINS] = {0}, most = 1;
    for (size_t i = 0; i < count; i++) {
        size_t bin = (size_t)((values[i] - low) / (high - low) * BINS);
        bins[bin < BINS ? bin : BINS - 1]++;
    }
    for (int bin = 0; bin < BINS; bin++)
        if (bins[bin] > most)
            most = bins[bin];
    for (int bin = 0; bin < BINS; bin++) {
        printf("%12.4f |", low + (high - low) * bin / BINS);
        for (size_t i = 0; i < bins[bin] * BAR / most; i++)
            putchar('#');
        printf(" %zu\n", bins[bin]);
    }
}

int main(void) {
    read_values();
    if (!count) {
        fprintf(stderr, "statistics: no numbers on standard input\n");
        return 1;
    }
    qsort(values, count, sizeof *values, compare);
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++)
        sum += values[i];
    double mean = sum / (double)count;
    for (size_t i = 0; i < count; i++)
        squares += (values[i] - mean) * (values[i] - mean);
    printf("count %zu\nmin %g\nmax %g\n", count, values[0], values[count - 1]);
    printf("quartiles %g %g %g\n", quantile(0.25), quantile(0.5), quantile(0.75));
    printf("mean %.17g\ndeviation %.17g\n", mean, sqrt(squares / (double)count));
    for (size_t i = 0; i < count && i < SHOWN; i++)
        printf("%g %e %a %+.3f %d %x\n", values[i], values[i], values[i], (float)values[i], (int)values[i],
               (unsigned)(int)values[i]);
    if (values[count - 1] > values[0])
        histogram(values[0], values[count - 1]);
    return 0;
}
