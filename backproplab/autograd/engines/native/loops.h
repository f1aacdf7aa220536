// What all loops of the player have in common.
#pragma once
#include <stdint.h>

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define WIDE __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define WIDE
#endif

typedef intptr_t I;
typedef int (*Loop)(void *context, char *const *data, const I *lengths, const I *strides, void *aux);
