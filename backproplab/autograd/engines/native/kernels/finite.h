// Whether all numbers are finite, for one type and one instruction set: 0 x is 0, or NaN.
#include "vectors.h"

// data: numbers, side by side.
ON int NAME(check_finite)(void *context, char *const *data, const I *lengths, const I *strides,
                          void *aux) {
    const TYPE *x = (const TYPE *)data[0];
    const V zero = OF(setzero)();
    const I n = lengths[0];
    V sum[8];
    TYPE total[WIDTH];
    I j = 0;
    int found = 0;
    (void)context, (void)strides, (void)aux;
    UNROLL for (int k = 0; k < 8; k++) sum[k] = zero;
    for (; j + 8 * WIDTH <= n; j += 8 * WIDTH)
        UNROLL for (int k = 0; k < 8; k++)
            sum[k] = OF(fmadd)(OF(loadu)(x + j + k * WIDTH), zero, sum[k]);
    UNROLL for (int k = 0; k < 8; k++, j += WIDTH)
        if (j < n) sum[k] = OF(fmadd)(LOAD_SOME(x + j, FIRST(n - j)), zero, sum[k]);
    UNROLL for (int half = 4; half; half /= 2)
        UNROLL for (int k = 0; k < half; k++) sum[k] = OF(add)(sum[k], sum[k + half]);
    OF(storeu)(total, sum[0]);
    for (int k = 0; k < WIDTH; k++) found |= total[k] != total[k];
    return found;
}
