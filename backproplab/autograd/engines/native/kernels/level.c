// The instruction sets of this machine.
#include "instructions.h"

#ifndef LEVELS
#define LEVELS 4  // the highest that is used
#endif

int level(void) {
#ifdef VECTORS
    __builtin_cpu_init();
    if (LEVELS >= 4 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        return 4;
    if (LEVELS >= 3 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return 3;
#endif
    return 0;
}
