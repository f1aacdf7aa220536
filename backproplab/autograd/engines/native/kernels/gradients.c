// The gradients of tanh and the logistic function from their values, each in one pass; elementwise.py
// has the calls that each of them replaces.
#include "../loops.h"

// data: y, g, to, which may be one of them.
// lengths: (rows, columns) of rows with n entries side by side.
// strides: from row to row of each, from column to column of each.
#define GRADIENT(name, type, slope)                                                                \
    WIDE static void name##_row(const type *values, const type *g, type *to, I n) {                \
        _Pragma("GCC ivdep") for (I i = 0; i < n; i++) {                                           \
            const type y = values[i];                                                              \
            to[i] = g[i] * (slope);                                                                \
        }                                                                                          \
    }                                                                                              \
    int name(void *context, char *const *data, const I *lengths, const I *strides, void *aux) {    \
        (void)context, (void)aux;                                                                  \
        for (I r = 0; r < lengths[0]; r++)                                                         \
            for (I c = 0; c < lengths[1]; c++)                                                     \
                name##_row((const type *)(data[0] + r * strides[0] + c * strides[3]),              \
                           (const type *)(data[1] + r * strides[1] + c * strides[4]),              \
                           (type *)(data[2] + r * strides[2] + c * strides[5]), lengths[2]);       \
        return 0;                                                                                  \
    }
GRADIENT(tanh_gradient_4, float, 1 - y * y)
GRADIENT(tanh_gradient_8, double, 1 - y * y)
GRADIENT(sigmoid_gradient_4, float, y * (1 - y))
GRADIENT(sigmoid_gradient_8, double, y * (1 - y))
