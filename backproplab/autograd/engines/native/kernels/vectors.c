// Loops of our own with vectors: products small enough to need no packing, and sums of rows.
//
// Compiled without contraction: only what is written as a fused operation is one. Each instruction
// set has loops of its own; `level` says which of them this machine can run.
#include "../loops.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")

enum { TURNED = 1024 };  // most entries of a factor that is turned in a kernel
enum { ADDS = 1, ADDS_ZERO = 2 };  // a sum is added to what is there, or to 0: -0 becomes +0
enum { ANY = 0, LEFT = 4, RIGHT = 8 };  // the factor whose NaN a sum becomes, if both have one

#define LEVEL 4
#define BYTES 4
#include "products.h"
#include "narrow.h"
#include "sums.h"
#include "finite.h"
#include "adam.h"
#undef BYTES
#define BYTES 8
#include "products.h"
#include "narrow.h"
#include "sums.h"
#include "finite.h"
#undef BYTES
#undef LEVEL
#define LEVEL 3
#define BYTES 4
#include "products.h"
#include "narrow.h"
#include "sums.h"
#include "finite.h"
#include "dots.h"
#undef BYTES
#define BYTES 8
#include "products.h"
#include "narrow.h"
#include "sums.h"
#include "finite.h"
#include "dots.h"

#ifndef LEVELS
#define LEVELS 4  // the highest that is used
#endif

int level(void) {
    __builtin_cpu_init();
    if (LEVELS >= 4 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        return 4;
    return LEVELS >= 3 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? 3 : 0;
}
#else
int level(void) { return 0; }
#endif
