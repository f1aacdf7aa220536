// Rows of few entries, turned: entry j of row i is at j rows + i, so that rows are lanes of vectors.
#pragma once

#define IVDEP _Pragma("GCC ivdep")
#define FEW 15  // entries of a row: with more, and with few rows, turning takes longer than it saves
#define MANY 8  // rows

INLINE int are_turned(I rows, I n) { return n <= FEW && rows >= MANY; }

// A function that calls another, which is compiled for some lengths of rows: there it is vectors.
#define BY_LENGTH(name, call, from, to)                                                            \
    INLINE void name(from, to, I rows, I n) {                                                      \
        if (n == 2) call(x, e, rows, 2);                                                           \
        else if (n == 3) call(x, e, rows, 3);                                                      \
        else if (n == 4) call(x, e, rows, 4);                                                      \
        else call(x, e, rows, n);                                                                  \
    }

// x: rows side by side, e: the same turned, top, total: a number for each row.
#define TURNED(type, bytes)                                                                        \
    INLINE void turn_by_##bytes(const type *x, type *e, I rows, I n) {                             \
        for (I j = 0; j < n; j++)                                                                  \
            for (I i = 0; i < rows; i++) e[j * rows + i] = x[i * n + j];                           \
    }                                                                                              \
    INLINE void turn_back_by_##bytes(const type *e, type *x, I rows, I n) {                        \
        for (I i = 0; i < rows; i++)                                                               \
            for (I j = 0; j < n; j++) x[i * n + j] = e[j * rows + i];                              \
    }                                                                                              \
    BY_LENGTH(turn_##bytes, turn_by_##bytes, const type *x, type *e)                               \
    BY_LENGTH(turn_back_##bytes, turn_back_by_##bytes, const type *x, type *e)                     \
    INLINE void tops_##bytes(const type *e, type *top, I rows, I n) {                              \
        memcpy(top, e, rows * sizeof(type));                                                       \
        for (I j = 1; j < n; j++) {                                                                \
            e += rows;                                                                             \
            for (I i = 0; i < rows; i++) top[i] = top[i] >= e[i] || top[i] != top[i] ? top[i] : e[i]; \
        }                                                                                          \
    }                                                                                              \
    INLINE void less_each_##bytes(type *e, const type *top, I rows, I n) {                         \
        for (I j = 0; j < n; j++, e += rows)                                                       \
            IVDEP for (I i = 0; i < rows; i++) e[i] -= top[i];                                     \
    }                                                                                              \
    INLINE void over_each_##bytes(type *e, const type *total, I rows, I n) {                       \
        for (I j = 0; j < n; j++, e += rows)                                                       \
            IVDEP for (I i = 0; i < rows; i++) e[i] /= total[i];                                   \
    }                                                                                              \
    INLINE void sums_##bytes(const type *e, type *total, I rows, I n) {                            \
        if (n < 8)                                                                                 \
            memcpy(total, e, rows * sizeof(type));                                                 \
        else                                                                                       \
            IVDEP for (I i = 0; i < rows; i++) {                                                   \
                const type *x = e + i;                                                             \
                total[i] = ((x[0] + x[rows]) + (x[2 * rows] + x[3 * rows])) +                      \
                           ((x[4 * rows] + x[5 * rows]) + (x[6 * rows] + x[7 * rows]));            \
            }                                                                                      \
        for (I j = n < 8 ? 1 : 8; j < n; j++)                                                      \
            IVDEP for (I i = 0; i < rows; i++) total[i] += e[j * rows + i];                        \
    }
TURNED(float, 4)
TURNED(double, 8)
