// Softmax, the losses on labels, relu and its gradient, each in one pass; logits.py and elementwise.py
// have the calls that each of them replaces.
#include <math.h>
#include <string.h>

#include "../loops.h"

typedef struct {  // NumPy's own loops
    Loop exp;
    void *exp_context, *exp_aux;
    Loop log;
    void *log_context, *log_aux;
} Functions;

#define INLINE static inline __attribute__((always_inline))
#define BLOCK 1024  // entries whose exponentials are taken in one call

#include "turned.h"

// The sum of a row in NumPy's order: one by one, eight sums side by side, or pairs of halves.
#define ROWS(type, bytes)                                                                          \
    INLINE type part_##bytes(const type *x, I n) {                                                 \
        type s[8], total = x[0];                                                                   \
        I j = 8;                                                                                   \
        if (n < 8) {                                                                               \
            for (j = 1; j < n; j++) total += x[j];                                                 \
            return total;                                                                          \
        }                                                                                          \
        for (int k = 0; k < 8; k++) s[k] = x[k];                                                   \
        for (; j < n - n % 8; j += 8)                                                              \
            for (int k = 0; k < 8; k++) s[k] += x[j + k];                                          \
        total = ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));                 \
        for (; j < n; j++) total += x[j];                                                          \
        return total;                                                                              \
    }                                                                                              \
    static type halves_##bytes(const type *x, I n) {                                               \
        if (n <= 128) return part_##bytes(x, n);                                                   \
        I half = n / 2 - n / 2 % 8;                                                                \
        return halves_##bytes(x, half) + halves_##bytes(x + half, n - half);                       \
    }                                                                                              \
    INLINE type sum_##bytes(const type *x, I n) {                                                  \
        return n <= 128 ? part_##bytes(x, n) : halves_##bytes(x, n);                               \
    }                                                                                              \
    INLINE type largest_##bytes(const type *x, I n) {                                              \
        type top = x[0];                                                                           \
        int nan = 0;                                                                               \
        for (I j = 0; j < n; j++) {                                                                \
            nan |= x[j] != x[j];                                                                   \
            top = x[j] > top ? x[j] : top;                                                         \
        }                                                                                          \
        for (I j = 0; nan && j < n; j++)                                                           \
            if (x[j] != x[j]) return x[j];                                                         \
        return top;                                                                                \
    }                                                                                              \
    INLINE void less_##bytes(const type *x, type top, type *y, I n) {                              \
        _Pragma("GCC ivdep") for (I j = 0; j < n; j++) y[j] = x[j] - top;                          \
    }                                                                                              \
    INLINE void shares_##bytes(type *y, I n) {                                                     \
        type total = sum_##bytes(y, n);                                                            \
        for (I j = 0; j < n; j++) y[j] /= total;                                                   \
    }                                                                                              \
    INLINE int each_##bytes(Loop loop, void *context, void *aux, type *x, I n) {                   \
        char *data[] = {(char *)x, (char *)x};                                                     \
        const I strides[] = {bytes, bytes};                                                        \
        return loop(context, data, &n, strides, aux);                                              \
    }
ROWS(float, 4)
ROWS(double, 8)

// data: x, to: rows side by side.  lengths: rows, entries of one.
#define SOFTMAX(type, bytes)                                                                       \
    INLINE int shares_of_turned_##bytes(const Functions *f, const type *x, type *y, I rows, I n) { \
        type e[BLOCK], some[BLOCK];                                                                \
        turn_##bytes(x, e, rows, n);                                                               \
        tops_##bytes(e, some, rows, n);                                                            \
        less_each_##bytes(e, some, rows, n);                                                       \
        if (each_##bytes(f->exp, f->exp_context, f->exp_aux, e, rows * n)) return 1;               \
        sums_##bytes(e, some, rows, n);                                                            \
        over_each_##bytes(e, some, rows, n);                                                       \
        turn_back_##bytes(e, y, rows, n);                                                          \
        return 0;                                                                                  \
    }                                                                                              \
    INLINE int shares_of_rows_##bytes(const Functions *f, const type *x, type *y, I rows, I n) {   \
        for (I i = 0; i < rows; i++)                                                               \
            less_##bytes(x + i * n, largest_##bytes(x + i * n, n), y + i * n, n);                  \
        if (each_##bytes(f->exp, f->exp_context, f->exp_aux, y, rows * n)) return 1;               \
        for (I i = 0; i < rows; i++) shares_##bytes(y + i * n, n);                                 \
        return 0;                                                                                  \
    }                                                                                              \
    WIDE int softmax_##bytes(void *context, char *const *data, const I *lengths, const I *strides, \
                             void *aux) {                                                          \
        const type *x = (const type *)data[0];                                                     \
        type *y = (type *)data[1];                                                                 \
        const I n = lengths[1], most = n < BLOCK ? BLOCK / n : 1;                                  \
        const int turns = are_turned(lengths[0], n);                                               \
        (void)strides, (void)aux;                                                                  \
        for (I r = 0, rows; r < lengths[0]; r += rows, x += rows * n, y += rows * n) {             \
            rows = lengths[0] - r < most ? lengths[0] - r : most;                                  \
            if (turns ? shares_of_turned_##bytes(context, x, y, rows, n)                           \
                      : shares_of_rows_##bytes(context, x, y, rows, n))                            \
                return 1;                                                                          \
        }                                                                                          \
        return 0;                                                                                  \
    }
SOFTMAX(float, 4)
SOFTMAX(double, 8)

// ln Σ exp(x - top) + (top - x[label]).  data: x, labels (int64), to, space for exponentials.
// lengths: rows, entries of one, labels, which begin anew after the last.
#define CROSS_ENTROPY(type, bytes)                                                                 \
    INLINE int labeled_##bytes(const type *x, const int64_t *labels, const type *top, type *y,     \
                               I rows, I n) {                                                      \
        int outside = 0;                                                                           \
        for (I i = 0; i < rows; i++) outside |= (uint64_t)labels[i] >= (uint64_t)n;                \
        if (outside) return 1;                                                                     \
        IVDEP for (I i = 0; i < rows; i++) y[i] += top[i] - x[i * n + labels[i]];                  \
        return 0;                                                                                  \
    }                                                                                              \
    WIDE int cross_entropy_##bytes(void *context, char *const *data, const I *lengths,             \
                              const I *strides, void *aux) {                                       \
        const Functions *f = context;                                                              \
        const type *x = (const type *)data[0];                                                     \
        const int64_t *labels = (const int64_t *)data[1];                                          \
        type *y = (type *)data[2], *e = (type *)data[3];                                           \
        const I n = lengths[1], most = n < BLOCK ? BLOCK / n : 1;                                  \
        const int turns = are_turned(lengths[0], n);                                               \
        type top[BLOCK];                                                                           \
        I at = 0;                                                                                  \
        (void)strides, (void)aux;                                                                  \
        for (I r = 0, rows; r < lengths[0]; r += rows, x += rows * n, y += rows) {                 \
            rows = lengths[0] - r < most ? lengths[0] - r : most;                                  \
            if (turns) {                                                                           \
                turn_##bytes(x, e, rows, n);                                                       \
                tops_##bytes(e, top, rows, n);                                                     \
                for (I i = 0; i < rows; i++) top[i] = isinf(top[i]) ? 0 : top[i];                  \
                less_each_##bytes(e, top, rows, n);                                                \
            }                                                                                      \
            for (I i = 0; !turns && i < rows; i++) {                                               \
                top[i] = largest_##bytes(x + i * n, n);                                            \
                if (isinf(top[i])) top[i] = 0;                                                     \
                less_##bytes(x + i * n, top[i], e + i * n, n);                                     \
            }                                                                                      \
            if (each_##bytes(f->exp, f->exp_context, f->exp_aux, e, rows * n)) return 1;           \
            if (turns) sums_##bytes(e, y, rows, n);                                                \
            for (I i = 0; !turns && i < rows; i++) y[i] = sum_##bytes(e + i * n, n);              \
            if (each_##bytes(f->log, f->log_context, f->log_aux, y, rows)) return 1;               \
            for (I i = 0, some; i < rows; i += some) {                                             \
                some = lengths[2] - at < rows - i ? lengths[2] - at : rows - i;                    \
                if (labeled_##bytes(x + i * n, labels + at, top + i, y + i, some, n)) return 1;    \
                at = at + some < lengths[2] ? at + some : 0;                                       \
            }                                                                                      \
        }                                                                                          \
        return 0;                                                                                  \
    }
CROSS_ENTROPY(float, 4)
CROSS_ENTROPY(double, 8)

// data: labels (int64), to: rows side by side.  lengths: rows, classes.
#define ONE_HOT(type, bytes)                                                                       \
    int one_hot_##bytes(void *context, char *const *data, const I *lengths, const I *strides,      \
                        void *aux) {                                                               \
        const int64_t *labels = (const int64_t *)data[0];                                          \
        type *y = (type *)data[1];                                                                 \
        (void)context, (void)strides, (void)aux;                                                   \
        memset(y, 0, lengths[0] * lengths[1] * sizeof(type));                                      \
        for (I r = 0; r < lengths[0]; r++, y += lengths[1]) {                                      \
            if (labels[r] < 0 || labels[r] >= lengths[1]) return 1;                                \
            y[labels[r]] = 1;                                                                      \
        }                                                                                          \
        return 0;                                                                                  \
    }
ONE_HOT(float, 4)
ONE_HOT(double, 8)

// max(x, 0), the second of two equal numbers, and x where it is NaN.  data: x, to, which may be x.
// lengths: (rows, columns) of rows with n entries side by side.
// strides: from row to row of each, from column to column of each.
#define RELU(type, bytes)                                                                          \
    WIDE static void relu_row_##bytes(const type *x, type *to, I n) {                              \
        _Pragma("GCC ivdep") for (I i = 0; i < n; i++) {                                           \
            type top = x[i] > 0 ? x[i] : 0;                                                        \
            to[i] = x[i] != x[i] ? x[i] : top;                                                     \
        }                                                                                          \
    }                                                                                              \
    int relu_##bytes(void *context, char *const *data, const I *lengths, const I *strides,         \
                     void *aux) {                                                                  \
        (void)context, (void)aux;                                                                  \
        for (I r = 0; r < lengths[0]; r++)                                                         \
            for (I c = 0; c < lengths[1]; c++)                                                     \
                relu_row_##bytes((const type *)(data[0] + r * strides[0] + c * strides[2]),        \
                                 (type *)(data[1] + r * strides[1] + c * strides[3]), lengths[2]); \
        return 0;                                                                                  \
    }
RELU(float, 4)
RELU(double, 8)

// ⌈min(y, 1)⌉ g.  data: y, g, to, which may be one of them.
// lengths: (rows, columns) of rows with n entries side by side.
// strides: from row to row of each, from column to column of each.
#define RELU_GRADIENT(type, bytes, ceiling)                                                        \
    WIDE static void relu_gradient_row_##bytes(const type *y, const type *g, type *to, I n) {      \
        IVDEP for (I i = 0; i < n; i++) {                                                          \
            type slope = y[i] >= 1 ? 1 : y[i];                                                     \
            to[i] = ceiling(slope) * g[i];                                                         \
        }                                                                                          \
    }                                                                                              \
    int relu_gradient_##bytes(void *context, char *const *data, const I *lengths,                  \
                              const I *strides, void *aux) {                                       \
        (void)context, (void)aux;                                                                  \
        for (I r = 0; r < lengths[0]; r++)                                                         \
            for (I c = 0; c < lengths[1]; c++)                                                     \
                relu_gradient_row_##bytes(                                                         \
                    (const type *)(data[0] + r * strides[0] + c * strides[3]),                     \
                    (const type *)(data[1] + r * strides[1] + c * strides[4]),                     \
                    (type *)(data[2] + r * strides[2] + c * strides[5]), lengths[2]);              \
        return 0;                                                                                  \
    }
RELU_GRADIENT(float, 4, ceilf)
RELU_GRADIENT(double, 8, ceil)
