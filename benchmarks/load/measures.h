/* What flood.c and visits.c share: a clock, a histogram of latencies, and numbers in texts. */
#ifndef MEASURES_H
#define MEASURES_H

#include <stdint.h>
#include <time.h>

#define SECOND 1000000000LL

/* Latencies in nanoseconds fall into buckets that are 1/64 wide of what they hold. */
#define FINENESS 6
#define BUCKETS ((64 - FINENESS) << FINENESS)

/* A message carries "~d" and fourteen digits in its text: four of the room, three of the lane, seven of the turn.
   Its acknowledgement carries the same after "~a". */
#define DIGITS 14
#define TURNS 10000000LL
#define LANES 1000LL

static inline int64_t nanoseconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * SECOND + now.tv_nsec;
}

static inline int bucket_of(int64_t latency) {
    uint64_t value = latency < 0 ? 0 : (uint64_t)latency;
    int exponent = 63 - __builtin_clzll(value | (1 << FINENESS));
    int shift = exponent - FINENESS;
    return (shift << FINENESS) + (int)(value >> shift);
}

static inline void write_number(char *digits, int64_t number) {
    for (int place = DIGITS - 1; place >= 0; place--, number /= 10) digits[place] = '0' + number % 10;
}

/* The number that stands there, or -1. */
static inline int64_t read_number(const char *digits) {
    int64_t number = 0;
    for (int place = 0; place < DIGITS; place++) {
        int digit = digits[place] - '0';
        if (digit < 0 || digit > 9) return -1;
        number = number * 10 + digit;
    }
    return number;
}

#endif
