// What loops with vectors have in common, where there are such: products small enough to need no
// packing, sums of rows, searches. A file for each instruction set; `level` says which of them this
// machine can run. Compiled without contraction: only what is written as a fused operation is one.
#pragma once
#include "../loops.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define VECTORS
#include <immintrin.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")

enum { TURNED = 1024 };  // most entries of a factor that is turned in a kernel
enum { ADDS = 1, ADDS_ZERO = 2 };  // a sum is added to what is there, or to 0: -0 becomes +0
enum { ANY = 0, LEFT = 4, RIGHT = 8 };  // the factor whose NaN a sum becomes, if both have one
#endif
