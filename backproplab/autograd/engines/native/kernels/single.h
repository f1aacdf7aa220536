// Products with a single row, or a single entry along k, for one type and one instruction set.
#include "vectors.h"

// Sums along k are those of pieces of at most `most`, as OpenBLAS cuts them: halves in units, or
// with several threads, where the unit is 1, of which the first may be longer by one.
INLINE I NAME(piece)(I left, I most, I unit) {
    if (left <= most || left >= 2 * most) return left < most ? left : most;
    return ((left + (unit == 1)) / 2 + unit - 1) / unit * unit;
}

// A sum whose NaN, if both have one, is the first one's; compilers turn the operands around.
ON INLINE V NAME(plus)(V first, V second) {
    V sum;
    __asm__(SUM_OF " %2, %1, %0" : "=v"(sum) : "v"(first), "v"(second));
    return sum;
}

// The sums of one piece, for some vectors of columns; a mask chooses columns of a single vector.
ON INLINE void NAME(chain)(const int vectors, const I length, const TYPE *a, I a_k, const TYPE *b,
                           I b_k, int ends, MASK mask, V *sum) {
    UNROLL for (int j = 0; j < vectors; j++) sum[j] = OF(setzero)();
    UNROLL for (I k = 0; k < length; k++, a += a_k, b += b_k) {
        V y = OF(set1)(*a);
        UNROLL for (int j = 0; j < vectors; j++) {
            V x = vectors > 1 ? OF(loadu)(b + j * WIDTH) : LOAD_SOME(b, mask);
            sum[j] = OF(fmadd)(y, x, sum[j]);
        }
    }
    UNROLL for (int j = 0; j < vectors; j++)
        if (ends & ADDS_ZERO) sum[j] = OF(add)(sum[j], OF(setzero)());
}

ON INLINE void NAME(store)(const int vectors, TYPE *to, MASK mask, const V *x) {
    UNROLL for (int j = 0; j < vectors; j++)
        if (vectors > 1) OF(storeu)(to + j * WIDTH, x[j]);
        else STORE_SOME(to, mask, x[j]);
}

// A row times some vectors of columns. The sums stay in registers, and those of a piece do not wait
// for the pieces before; most pieces are of eight.
ON INLINE void NAME(row)(const int vectors, const TYPE *a, I a_k, const TYPE *b, I b_k, TYPE *c,
                         I K, const I *cut, MASK mask) {
    const int ends = (int)cut[2];
    V total[4], sum[4];
    UNROLL for (int j = 0; j < vectors; j++)
        total[j] = vectors > 1 ? OF(loadu)(c + j * WIDTH) : LOAD_SOME(c, mask);
    for (I k = 0, length; k < K; k += length, a += length * a_k, b += length * b_k) {
        length = NAME(piece)(K - k, cut[0], cut[1]);
        if (length == 8) NAME(chain)(vectors, 8, a, a_k, b, b_k, ends, mask, sum);
        else NAME(chain)(vectors, length, a, a_k, b, b_k, ends, mask, sum);
        UNROLL for (int j = 0; j < vectors; j++)
            total[j] = k || ends & ADDS ? NAME(plus)(sum[j], total[j]) : sum[j];
    }
    NAME(store)(vectors, c, mask, total);
}

// A column times some vectors of a row: one entry along k.
ON INLINE void NAME(column)(const int vectors, const TYPE *a, I a_row, const TYPE *b, TYPE *c,
                            I c_row, I M, int ends, MASK mask) {
    V x[4], sum[4], zero = OF(setzero)();
    UNROLL for (int j = 0; j < vectors; j++)
        x[j] = vectors > 1 ? OF(loadu)(b + j * WIDTH) : LOAD_SOME(b, mask);
    for (I i = 0; i < M; i++, a += a_row, c += c_row) {
        V y = OF(set1)(*a);
        UNROLL for (int j = 0; j < vectors; j++) {
            sum[j] = OF(fmadd)(y, x[j], zero);
            if (ends & ADDS_ZERO) sum[j] = OF(add)(sum[j], zero);
        }
        NAME(store)(vectors, c, mask, sum);
    }
}

// Four vectors of columns at a time, or two, or one.
ON INLINE void NAME(single)(const TYPE *a, I a_row, I a_k, const TYPE *b, I b_k, TYPE *c, I c_row,
                            I M, I K, I N, const I *cut) {
    I j = 0;
#define COLUMNS(vectors)                                                                           \
    for (; j < N && (vectors == 1 || j + vectors * WIDTH <= N); j += vectors * WIDTH) {            \
        MASK mask = FIRST(N - j);                                                                  \
        if (M == 1) NAME(row)(vectors, a, a_k, b + j, b_k, c + j, K, cut, mask);                   \
        else NAME(column)(vectors, a, a_row, b + j, c + j, c_row, M, (int)cut[2], mask);           \
    }
    COLUMNS(4) COLUMNS(2) COLUMNS(1)
#undef COLUMNS
}
