// Loops over windows, each in one pass; sliding.py has the calls that each of them replaces.
#include <string.h>

#include "../loops.h"

#define INLINE static inline __attribute__((always_inline))

// Rows copied. data: from, to.  lengths: rows, bytes of one.  strides: from row to row, of both.
int copy_rows(void *context, char *const *data, const I *lengths, const I *strides, void *aux) {
    const char *x = data[0];
    char *y = data[1];
    (void)context, (void)aux;
    for (I i = 0; i < lengths[0]; i++, x += strides[0], y += strides[1]) memcpy(y, x, lengths[1]);
    return 0;
}

// The largest of two, as np.maximum here: the second of two equal ones, NaN before any number.
// data: a, b, to.  lengths: (rows, columns) of rows with n entries side by side.
// strides: from row to row of each, from column to column of each.
#define LARGEST(name, type)                                                                        \
    WIDE static void name##_row(type *restrict y, const type *a, const type *b, I n) {             \
        for (I i = 0; i < n; i++) y[i] = a[i] > b[i] || a[i] != a[i] ? a[i] : b[i];                \
    }                                                                                              \
    WIDE int name(void *context, char *const *data, const I *lengths, const I *strides, void *aux) { \
        (void)context, (void)aux;                                                                  \
        for (I r = 0; r < lengths[0]; r++)                                                         \
            for (I c = 0; c < lengths[1]; c++)                                                     \
                name##_row((type *)(data[2] + r * strides[2] + c * strides[5]),                    \
                           (const type *)(data[0] + r * strides[0] + c * strides[3]),              \
                           (const type *)(data[1] + r * strides[1] + c * strides[4]), lengths[2]); \
        return 0;                                                                                  \
    }

// The gradient of the largest entry, given to the first one equal to it, the last if none is.
// data: gradient, entries, largest, to.  lengths: rows, columns, n side by side, places.
// strides: from row to row of each, from column to column of each, from place to place of entries
// and to.
#define AT_FIRST(name, type)                                                                       \
    WIDE static void name##_pair(const type *restrict g, const type *restrict x,                   \
                                 const type *restrict top, type *restrict y, type *restrict z, I n) { \
        for (I i = 0; i < n; i++) {                                                                \
            type waiting = top[i] != top[i] ? top[i] : 1;                                          \
            type mask = (x[i] == top[i] ? (type)1 : (type)0) * waiting;                            \
            y[i] = g[i] * mask;                                                                    \
            z[i] = g[i] * (waiting - mask);                                                        \
        }                                                                                          \
    }                                                                                              \
    static void name##_any(const type *g, const char *x, const type *top, char *y, I n, I places,  \
                           I over_x, I over_y) {                                                   \
        for (I i = 0; i < n; i++) {                                                                \
            type waiting = top[i] != top[i] ? top[i] : 1;                                          \
            for (I k = 0; k < places - 1; k++) {                                                   \
                type entry = ((const type *)(x + k * over_x))[i];                                  \
                type mask = (entry == top[i] ? (type)1 : (type)0) * waiting;                       \
                ((type *)(y + k * over_y))[i] = g[i] * mask;                                       \
                waiting -= mask;                                                                   \
            }                                                                                      \
            ((type *)(y + (places - 1) * over_y))[i] = g[i] * waiting;                             \
        }                                                                                          \
    }                                                                                              \
    int name(void *context, char *const *data, const I *lengths, const I *strides, void *aux) {    \
        (void)context, (void)aux;                                                                  \
        for (I r = 0; r < lengths[0]; r++)                                                         \
            for (I c = 0; c < lengths[1]; c++) {                                                   \
                const char *at[4];                                                                 \
                for (int k = 0; k < 4; k++) at[k] = data[k] + r * strides[k] + c * strides[4 + k]; \
                const type *g = (const type *)at[0], *top = (const type *)at[2];                   \
                char *y = (char *)at[3];                                                           \
                if (lengths[3] == 2)                                                               \
                    name##_pair(g, (const type *)at[1], top, (type *)y, (type *)(y + strides[9]),  \
                                lengths[2]);                                                       \
                else                                                                               \
                    name##_any(g, at[1], top, y, lengths[2], lengths[3], strides[8], strides[9]);  \
            }                                                                                      \
        return 0;                                                                                  \
    }

// Patches added at their places: each sum begins with 0 and takes the places in their order.
// data: patches (n, counts, sizes, channels), to (n, spatial, channels), both without gaps.
// lengths: n, and of the two axes spatial, counts, sizes, steps, dilations; channels. Windows of
// neighbors that begin side by side, with whole lanes of channels, need no look at each place.
#define LANES 16
#define FOLD(name, type)                                                                           \
    typedef type name##_lanes __attribute__((vector_size(LANES * sizeof(type)), aligned(4)));      \
    INLINE void name##_beside(type *y, const type *x, const I *n, I h) {                           \
        const I *over = n + 1, *counts = n + 3, *size = n + 5, channels = n[11];                   \
        const I line = size[1] * channels, window = size[0] * line;                                \
        const I first = h < counts[0] ? 0 : h - counts[0] + 1, last = h < size[0] ? h : size[0] - 1; \
        for (I w = 0; w < over[1]; w++, y += channels) {                                           \
            const I from = w < counts[1] ? 0 : w - counts[1] + 1;                                  \
            const I to = w < size[1] ? w : size[1] - 1;                                            \
            for (I c = 0; c < channels; c += LANES) {                                              \
                name##_lanes sum = {0};                                                            \
                for (I a = first; a <= last; a++) {                                                \
                    const type *at = x + ((h - a) * counts[1] + w) * window + a * line + c;        \
                    for (I b = from; b <= to; b++)                                                 \
                        sum += *(const name##_lanes *)(at + b * (channels - window));              \
                }                                                                                  \
                *(name##_lanes *)(y + c) = sum;                                                    \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    INLINE void name##_row(type *y, const type *x, const I *n, I h) {                              \
        const I *over = n + 1, *counts = n + 3, *size = n + 5, *step = n + 7, *apart = n + 9;      \
        const I channels = n[11], line = size[1] * channels;                                       \
        for (I w = 0; w < over[1]; w++, y += channels)                                             \
            for (I c = 0; c < channels; c += LANES) {                                              \
                I some = channels - c < LANES ? channels - c : LANES;                              \
                name##_lanes sum = {0};                                                            \
                for (I a = 0; a < size[0]; a++) {                                                  \
                    I i = h - a * apart[0];                                                        \
                    if (step[0] > 1) i = i % step[0] ? -1 : i / step[0];                           \
                    if (i < 0 || i >= counts[0]) continue;                                         \
                    const type *row = x + (i * counts[1] * size[0] + a) * line + c;                \
                    for (I b = 0; b < size[1]; b++) {                                              \
                        I j = w - b * apart[1];                                                    \
                        if (step[1] > 1) j = j % step[1] ? -1 : j / step[1];                       \
                        if (j < 0 || j >= counts[1]) continue;                                     \
                        const type *from = row + j * size[0] * line + b * channels;                \
                        if (some == LANES) {                                                       \
                            sum += *(const name##_lanes *)from;                                    \
                        } else {                                                                   \
                            name##_lanes own = {0};                                                \
                            memcpy(&own, from, some * sizeof(type));                               \
                            sum += own;                                                            \
                        }                                                                          \
                    }                                                                              \
                }                                                                                  \
                if (some == LANES)                                                                 \
                    *(name##_lanes *)(y + c) = sum;                                                \
                else                                                                               \
                    memcpy(y + c, &sum, some * sizeof(type));                                      \
            }                                                                                      \
    }                                                                                              \
    WIDE int name(void *context, char *const *data, const I *lengths, const I *strides, void *aux) { \
        const I *n = lengths, image = n[3] * n[4] * n[5] * n[6] * n[11], line = n[2] * n[11];      \
        const int beside = n[7] == 1 && n[8] == 1 && n[9] == 1 && n[10] == 1 && n[11] % LANES == 0; \
        const type *x = (const type *)data[0];                                                     \
        type *y = (type *)data[1];                                                                 \
        (void)context, (void)strides, (void)aux;                                                   \
        for (I i = 0; i < n[0]; i++)                                                               \
            for (I h = 0; h < n[1]; h++)                                                           \
                if (beside)                                                                        \
                    name##_beside(y + (i * n[1] + h) * line, x + i * image, n, h);                 \
                else                                                                               \
                    name##_row(y + (i * n[1] + h) * line, x + i * image, n, h);                    \
        return 0;                                                                                  \
    }

LARGEST(largest_4, float)
LARGEST(largest_8, double)
AT_FIRST(at_first_4, float)
AT_FIRST(at_first_8, double)
FOLD(fold_4, float)
FOLD(fold_8, double)
