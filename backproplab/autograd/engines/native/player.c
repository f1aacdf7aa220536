// The player: a flat list of array calls, made without Python.
//
// A record is one call of an inner loop on addresses, lengths and strides. The loops are NumPy's
// own (their addresses come from its door for compilers), those of this file, which copy and
// check, or a call back into Python. All have one signature; a result other than 0 ends the
// playing. No Python.h, no NumPy headers: ctypes calls it with the GIL released.
#include "records.h"
#include <math.h>
#include <string.h>
#include <time.h>

typedef struct {  // an operand that moves from one round to the next
    char **address;
    I bytes;
} Mover;

typedef struct {
    I rounds;  // whole ones
    I record;  // that ended the playing, or -1
} Ending;

const char *source(void) { return SOURCE; }  // digest of this file, checked when it is loaded

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

static void move(const Mover *movers, I moving, I rounds) {
    for (I k = 0; k < moving; k++) *movers[k].address += movers[k].bytes * rounds;
}

// Play the records `rounds` times, or fewer: until a record ends it, or `seconds` are over.
// After each whole round the movers move; at the end they are back.
void play(const Record *records, I count, I rounds, const Mover *movers, I moving, double seconds,
          Ending *ending) {
    double end = rounds > 1 ? now() + seconds : 0;
    ending->record = -1;
    for (ending->rounds = 0; ending->rounds < rounds;) {
        for (const Record *r = records; r < records + count; r++) {
            int stop = make(r);
            if (stop) {
                ending->record = r - records;
                move(movers, moving, -ending->rounds);
                return;
            }
        }
        move(movers, moving, 1);
        if (++ending->rounds < rounds && now() >= end) break;
    }
    move(movers, moving, -ending->rounds);
}

// Copies. data: from, to, and of a masked one the mask.

#define COPY(name, from, to)                                                                       \
    int name(void *context, char *const *data, const I *lengths, const I *strides, void *aux) {    \
        char *x = data[0], *y = data[1];                                                           \
        (void)context, (void)aux;                                                                  \
        if (strides[0] == sizeof(from) && strides[1] == sizeof(to))                                \
            for (I i = 0; i < lengths[0]; i++) ((to *)y)[i] = (to)((const from *)x)[i];            \
        else                                                                                       \
            for (I i = 0; i < lengths[0]; i++, x += strides[0], y += strides[1])                   \
                *(to *)y = (to) * (const from *)x;                                                 \
        return 0;                                                                                  \
    }
#define COPY_MASKED(name, type)                                                                    \
    int name(void *context, char *const *data, const I *lengths, const I *strides, void *aux) {    \
        char *x = data[0], *y = data[1], *mask = data[2];                                          \
        (void)context, (void)aux;                                                                  \
        for (I i = 0; i < lengths[0]; i++, x += strides[0], y += strides[1], mask += strides[2])   \
            if (*mask) *(type *)y = *(const type *)x;                                              \
        return 0;                                                                                  \
    }

COPY(copy_1, uint8_t, uint8_t)
COPY(copy_4, uint32_t, uint32_t)
COPY(copy_8, uint64_t, uint64_t)
COPY(copy_bool_float32, uint8_t, float)
COPY(copy_bool_float64, uint8_t, double)
COPY(copy_float32_float64, float, double)
COPY(copy_float64_float32, double, float)
COPY(copy_int64_float32, int64_t, float)
COPY(copy_int64_float64, int64_t, double)
COPY_MASKED(copy_masked_1, uint8_t)
COPY_MASKED(copy_masked_4, uint32_t)
COPY_MASKED(copy_masked_8, uint64_t)

// Rows by index. data: indices, to; the context says from where. An index outside wraps around.
typedef struct {
    char *rows;
    I count, bytes;
} Rows;

#define TAKE(name, move)                                                                           \
    int name(void *context, char *const *data, const I *lengths, const I *strides, void *aux) {    \
        const Rows *from = context;                                                                \
        char *at = data[0], *y = data[1];                                                          \
        (void)aux;                                                                                 \
        for (I i = 0; i < lengths[0]; i++, at += strides[0], y += strides[1]) {                    \
            I row = *(const I *)at;                                                                \
            if (row < 0 || row >= from->count) {                                                   \
                row %= from->count;                                                                \
                if (row < 0) row += from->count;                                                   \
            }                                                                                      \
            const char *x = from->rows + row * from->bytes;                                        \
            move;                                                                                  \
        }                                                                                          \
        return 0;                                                                                  \
    }
TAKE(take_4, *(uint32_t *)y = *(const uint32_t *)x)
TAKE(take_8, *(uint64_t *)y = *(const uint64_t *)x)
TAKE(take_rows, memcpy(y, x, from->bytes))

// A column times a row, for which BLAS takes ten times as long; it adds to a zero. As np.matmul's
// loop: lengths are 1, rows, 1, columns. data: column, row, to; the last two lie side by side.
#define OUTER(name, type)                                                                          \
    WIDE int name(void *context, char *const *data, const I *lengths, const I *strides, void *aux) {    \
        const type *restrict b = (const type *)data[1];                                            \
        (void)context, (void)aux;                                                                  \
        for (I i = 0; i < lengths[1]; i++) {                                                       \
            type a = *(const type *)(data[0] + i * strides[3]);                                    \
            type *restrict y = (type *)(data[2] + i * strides[7]);                                 \
            for (I j = 0; j < lengths[3]; j++) y[j] = a * b[j] + 0;                                \
        }                                                                                          \
        return 0;                                                                                  \
    }
OUTER(outer_4, float)
OUTER(outer_8, double)

// Fused chains; fused.py has the NumPy calls that each of them replaces.

// data: weights, mean, squares, gradient, side by side; beta_1, beta_2, epsilon, rate.
#define ADAM(name, type, root)                                                                     \
    WIDE static void name##_row(type *restrict w, type *restrict m, type *restrict s,              \
                                const type *restrict g, type b1, type b2, type e, type r, I n) {   \
        for (I i = 0; i < n; i++) {                                                                \
            type mean = m[i] * b1 + g[i], square = s[i] * b2 + g[i] * g[i];                        \
            m[i] = mean;                                                                           \
            s[i] = square;                                                                         \
            w[i] -= mean / (root(square) + e) * r;                                                 \
        }                                                                                          \
    }                                                                                              \
    int name(void *context, char *const *data, const I *lengths, const I *strides, void *aux) {    \
        (void)context, (void)strides, (void)aux;                                                   \
        name##_row((type *)data[0], (type *)data[1], (type *)data[2], (const type *)data[3],       \
                   *(type *)data[4], *(type *)data[5], *(type *)data[6], *(type *)data[7],         \
                   lengths[0]);                                                                    \
        return 0;                                                                                  \
    }
ADAM(adam_4, float, sqrtf)
ADAM(adam_8, double, sqrt)

// data: weights, velocity, gradient, side by side; momentum, rate.
#define MOMENTUM(name, type)                                                                       \
    WIDE static void name##_row(type *restrict w, type *restrict v, const type *restrict g,        \
                                type b, type r, I n) {                                             \
        for (I i = 0; i < n; i++) {                                                                \
            type velocity = v[i] * b - g[i] * r;                                                   \
            v[i] = velocity;                                                                       \
            w[i] += velocity;                                                                      \
        }                                                                                          \
    }                                                                                              \
    int name(void *context, char *const *data, const I *lengths, const I *strides, void *aux) {    \
        (void)context, (void)strides, (void)aux;                                                   \
        name##_row((type *)data[0], (type *)data[1], (const type *)data[2], *(type *)data[3],      \
                   *(type *)data[4], lengths[0]);                                                  \
        return 0;                                                                                  \
    }
MOMENTUM(momentum_4, float)
MOMENTUM(momentum_8, double)

// data: weights, gradient, side by side; rate.
#define SGD(name, type)                                                                            \
    WIDE static void name##_row(type *restrict w, const type *restrict g, type r, I n) {           \
        for (I i = 0; i < n; i++) w[i] -= g[i] * r;                                                \
    }                                                                                              \
    int name(void *context, char *const *data, const I *lengths, const I *strides, void *aux) {    \
        (void)context, (void)strides, (void)aux;                                                   \
        name##_row((type *)data[0], (const type *)data[1], *(type *)data[2], lengths[0]);          \
        return 0;                                                                                  \
    }
SGD(sgd_4, float)
SGD(sgd_8, double)

// Checks: 1 if it fails.

// data: labels (int64); the context is the number of classes.
int check_range(void *context, char *const *data, const I *lengths, const I *strides, void *aux) {
    int64_t classes = (I)context;
    char *x = data[0];
    (void)aux;
    for (I i = 0; i < lengths[0]; i++, x += strides[0])
        if (*(int64_t *)x < 0 || *(int64_t *)x >= classes) return 1;
    return 0;
}

// data: bools; the context is how many of them are to be true.
int check_count(void *context, char *const *data, const I *lengths, const I *strides, void *aux) {
    const uint8_t *x = (const uint8_t *)data[0];
    I found = 0;
    (void)strides, (void)aux;
    for (I i = 0; i < lengths[0]; i++) found += x[i];
    return found != (I)context;
}

// data: numbers, side by side. The bits of infinity and NaN, without the sign, are the largest.
#define FINITE(name, bits, infinity)                                                               \
    WIDE int name(void *context, char *const *data, const I *lengths, const I *strides, void *aux) { \
        const bits *x = (const bits *)data[0];                                                     \
        bits largest = 0;                                                                          \
        (void)context, (void)strides, (void)aux;                                                   \
        for (I i = 0; i < lengths[0]; i++) {                                                       \
            bits own = x[i] & ~((bits)1 << (8 * sizeof(bits) - 1));                                \
            largest = own > largest ? own : largest;                                               \
        }                                                                                          \
        return largest >= infinity;                                                                \
    }
FINITE(check_finite_4, uint32_t, UINT32_C(0x7f800000))
FINITE(check_finite_8, uint64_t, UINT64_C(0x7ff0000000000000))
