// A record, and how it is made.
#pragma once
#include <string.h>

#include "loops.h"

#define OPERANDS 8
#define AXES 32

typedef struct {
    Loop loop;
    void *context, *aux;
    char *data[OPERANDS];
    const I *lengths, *strides;  // of the loop
    I axes;                      // around the loop
    const I *shape;              // (axes,)
    const I *outer;              // (axes, OPERANDS): bytes from one to the next
} Record;

static int around(const Record *r) {
    char *data[OPERANDS];
    I at[AXES] = {0};
    memcpy(data, r->data, sizeof data);
    for (;;) {
        int end = r->loop(r->context, data, r->lengths, r->strides, r->aux);
        if (end) return end;
        I axis = r->axes - 1;
        for (; axis >= 0; axis--) {
            const I *step = r->outer + axis * OPERANDS;
            if (++at[axis] < r->shape[axis]) {
                for (int k = 0; k < OPERANDS; k++) data[k] += step[k];
                break;
            }
            for (int k = 0; k < OPERANDS; k++) data[k] -= (r->shape[axis] - 1) * step[k];
            at[axis] = 0;
        }
        if (axis < 0) return 0;
    }
}

static inline int make(const Record *r) {
    return r->axes ? around(r) : r->loop(r->context, r->data, r->lengths, r->strides, r->aux);
}
