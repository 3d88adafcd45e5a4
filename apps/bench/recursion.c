// recursion: Fibonacci numbers the slow way, which is calls and nothing else.
//
//   recursion [N]         default 38: the Nth number, by 2.6 times as many calls as its value says
//
// What a call costs here and not under a plain engine, metering and the counted depth, shows in no other program so
// much.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { DEFAULT = 38, MOST = 50 };

// A compiler makes a loop of one of the two calls; what is behind the barrier keeps it from that.
static __attribute__((noinline)) uint64_t number(uint32_t n) {
    if (n < 2) return n;
    uint64_t first = number(n - 1);
    __asm__ volatile("" ::: "memory");
    return first + number(n - 2);
}

int main(int argc, char **argv) {
    long n = argc > 1 ? strtol(argv[1], NULL, 10) : DEFAULT;
    if (n < 0 || n > MOST) return 2;
    printf("%llu\n", (unsigned long long)number((uint32_t)n));
    return 0;
}
