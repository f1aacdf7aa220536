// Many short rows in one call, entry by entry, where NumPy's loop begins anew for each row.
#include "../loops.h"

#define TILE 512  // entries of copies of a row that all others are combined with

// data: a, b, to, which may be one of them.  lengths: rows, entries of one.
// strides: from row to row of a, b, to; from entry to entry of a and b, where 0 is one number for
// the whole row.
#define EACH(count, value) _Pragma("GCC ivdep") for (I j = 0; j < count; j++) y[j] = value
#define IN_ROWS(name, type, sign)                                                                  \
    WIDE int name(void *context, char *const *data, const I *lengths, const I *strides, void *aux) { \
        const I n = lengths[1], whole = n * sizeof(type), most = TILE / n;                         \
        (void)context, (void)aux;                                                                  \
        if (!strides[1] && strides[3] && strides[4] && strides[0] == whole && strides[2] == whole && \
            most > 1) {                                                                            \
            type tile[TILE];                                                                       \
            const type *a = (const type *)data[0], *b = (const type *)data[1];                     \
            type *y = (type *)data[2];                                                             \
            for (I i = 0; i < n * (lengths[0] < most ? lengths[0] : most); i++)                    \
                tile[i] = i < n ? b[i] : tile[i - n];                                              \
            for (I r = 0, rows; r < lengths[0]; r += rows, a += rows * n, y += rows * n) {         \
                rows = lengths[0] - r < most ? lengths[0] - r : most;                              \
                EACH(rows * n, a[j] sign tile[j]);                                                 \
            }                                                                                      \
            return 0;                                                                              \
        }                                                                                          \
        for (I r = 0; r < lengths[0]; r++) {                                                       \
            const type *a = (const type *)(data[0] + r * strides[0]);                              \
            const type *b = (const type *)(data[1] + r * strides[1]), first = *a, second = *b;     \
            type *y = (type *)(data[2] + r * strides[2]);                                          \
            if (!strides[3])                                                                       \
                EACH(n, first sign b[j]);                                                          \
            else if (!strides[4])                                                                  \
                EACH(n, a[j] sign second);                                                         \
            else                                                                                   \
                EACH(n, a[j] sign b[j]);                                                           \
        }                                                                                          \
        return 0;                                                                                  \
    }
IN_ROWS(add_rows_4, float, +)
IN_ROWS(add_rows_8, double, +)
IN_ROWS(subtract_rows_4, float, -)
IN_ROWS(subtract_rows_8, double, -)
IN_ROWS(multiply_rows_4, float, *)
IN_ROWS(multiply_rows_8, double, *)
IN_ROWS(divide_rows_4, float, /)
IN_ROWS(divide_rows_8, double, /)
