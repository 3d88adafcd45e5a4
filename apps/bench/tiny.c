// tiny: as little as a unit can do and still show that it ran: the square of its argument.
//
//   tiny N    prints N * N
//
// At most 20 bytes in, at most 20 out, no library but the calls to WASI: what is left to measure is the market.
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

enum { DIGITS_MAX = 20 };

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    uint64_t n = strtoull(argv[1], NULL, 10), square = n * n;
    char text[DIGITS_MAX + 1];
    size_t at = sizeof text;
    text[--at] = '\n';
    do {
        text[--at] = (char)('0' + square % 10);
        square /= 10;
    } while (square > 0);
    return write(STDOUT_FILENO, text + at, sizeof text - at) < 0;
}
