// What all loops of the player have in common.
#pragma once
#include <stdint.h>

// WIDE: for several instruction sets, of which the loader chooses; a build for a single one, as in
// tests, defines it as nothing.
#ifndef WIDE
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define WIDE __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define WIDE
#endif
#endif

typedef intptr_t I;
typedef int (*Loop)(void *context, char *const *data, const I *lengths, const I *strides, void *aux);
