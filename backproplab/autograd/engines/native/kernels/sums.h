// Sums of rows for one type and one instruction set.
#include "vectors.h"

// Some vectors of columns, row after row; a mask chooses columns of a single vector.
ON INLINE void NAME(columns)(const int vectors, char *const *data, I rows, I step, I j, MASK mask) {
    TYPE *to = (TYPE *)data[2] + j;
    const char *x = data[1] + j * BYTES;
    V sum[4];
    UNROLL for (int k = 0; k < vectors; k++)
        sum[k] = vectors > 1 ? OF(loadu)(to + k * WIDTH) : LOAD_SOME(to, mask);
    for (I r = 0; r < rows; r++, x += step)
        UNROLL for (int k = 0; k < vectors; k++) {
            const TYPE *own = (const TYPE *)x + k * WIDTH;
            sum[k] = OF(add)(sum[k], vectors > 1 ? OF(loadu)(own) : LOAD_SOME(own, mask));
        }
    UNROLL for (int k = 0; k < vectors; k++)
        if (vectors > 1) OF(storeu)(to + k * WIDTH, sum[k]);
        else STORE_SOME(to, mask, sum[k]);
}

// Rows added up, one after the other, to what is there.  data: to, rows, to, as a reduction of
// NumPy's.  lengths: rows, entries of one.  strides: from row to row.
ON int NAME(sum_rows)(void *context, char *const *data, const I *lengths, const I *strides,
                      void *aux) {
    const I n = lengths[1];
    I j = 0;
    (void)context, (void)aux;
    for (; j + 4 * WIDTH <= n; j += 4 * WIDTH)
        NAME(columns)(4, data, lengths[0], strides[1], j, FIRST(WIDTH));
    for (; j < n; j += WIDTH) NAME(columns)(1, data, lengths[0], strides[1], j, FIRST(n - j));
    return 0;
}
