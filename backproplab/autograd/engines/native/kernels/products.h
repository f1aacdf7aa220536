// Products for one type and one instruction set.
//
// An entry of a product is a chain of fused multiplications and additions over k, from 0, as
// OpenBLAS computes it for most shapes; proof.py tries whether it does. It depends on its own row
// and column alone, so the size of tiles changes no bit.
#include "vectors.h"

// A tile of `rows` rows and `vectors` vectors of columns; a mask chooses columns of a single vector.
ON INLINE void NAME(tile)(const int rows, const int vectors, const TYPE *a, I a_row, I a_k,
                          const TYPE *b, I b_k, TYPE *c, I c_row, I K, int ends, MASK mask) {
    V sum[8][2], x[2];
    UNROLL for (int i = 0; i < rows; i++)
        UNROLL for (int j = 0; j < vectors; j++) sum[i][j] = OF(setzero)();
    for (I k = 0; k < K; k++) {
        UNROLL for (int j = 0; j < vectors; j++)
            x[j] = vectors == 2 ? OF(loadu)(b + k * b_k + j * WIDTH) : LOAD_SOME(b + k * b_k, mask);
        UNROLL for (int i = 0; i < rows; i++) {
            V y = OF(set1)(a[i * a_row + k * a_k]);
            UNROLL for (int j = 0; j < vectors; j++) sum[i][j] = OF(fmadd)(y, x[j], sum[i][j]);
        }
    }
    UNROLL for (int i = 0; i < rows; i++)
        UNROLL for (int j = 0; j < vectors; j++) {
            TYPE *to = c + i * c_row + j * WIDTH;
            V y = sum[i][j];
            if (ends & ADDS_ZERO) y = OF(add)(y, OF(setzero)());
            if (vectors == 2) OF(storeu)(to, ends & ADDS ? OF(add)(OF(loadu)(to), y) : y);
            else STORE_SOME(to, mask, ends & ADDS ? OF(add)(LOAD_SOME(to, mask), y) : y);
        }
}

// All columns of some rows.
ON INLINE void NAME(stripe)(const int rows, const TYPE *a, I a_row, I a_k, const TYPE *b, I b_k,
                            TYPE *c, I c_row, I K, I N, int ends) {
    I j = 0;
    for (; j + 2 * WIDTH <= N; j += 2 * WIDTH)
        NAME(tile)(rows, 2, a, a_row, a_k, b + j, b_k, c + j, c_row, K, ends, FIRST(WIDTH));
    for (; j < N; j += WIDTH)
        NAME(tile)(rows, 1, a, a_row, a_k, b + j, b_k, c + j, c_row, K, ends, FIRST(N - j));
}

// Sums along k are those of pieces of at most `most`, as OpenBLAS cuts them.
INLINE I NAME(piece)(I left, I most, I unit) {
    if (left <= most || left >= 2 * most) return left < most ? left : most;
    return (left / 2 + unit - 1) / unit * unit;
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
    UNROLL for (I k = 0; k < length; k++) {
        V y = OF(set1)(a[k * a_k]);
        UNROLL for (int j = 0; j < vectors; j++) {
            const TYPE *x = b + k * b_k + j * WIDTH;
            sum[j] = OF(fmadd)(y, vectors > 1 ? OF(loadu)(x) : LOAD_SOME(x, mask), sum[j]);
        }
    }
    UNROLL for (int j = 0; j < vectors; j++)
        if (ends & ADDS_ZERO) sum[j] = OF(add)(sum[j], OF(setzero)());
}

// A row times some vectors of columns. The sums stay in registers, and those of a piece do not wait
// for the pieces before.
ON INLINE void NAME(row)(const int vectors, const TYPE *a, I a_k, const TYPE *b, I b_k, TYPE *c,
                         I K, const I *cut, MASK mask) {
    V total[4], sum[4];
    for (I k = 0, length; k < K; k += length) {
        length = NAME(piece)(K - k, cut[0], cut[1]);
        if (length == 8) NAME(chain)(vectors, 8, a + k * a_k, a_k, b + k * b_k, b_k, (int)cut[2], mask, sum);
        else NAME(chain)(vectors, length, a + k * a_k, a_k, b + k * b_k, b_k, (int)cut[2], mask, sum);
        UNROLL for (int j = 0; j < vectors; j++)
            total[j] = k ? NAME(plus)(sum[j], total[j]) : sum[j];
    }
    UNROLL for (int j = 0; j < vectors; j++)
        if (vectors > 1) OF(storeu)(c + j * WIDTH, total[j]);
        else STORE_SOME(c, mask, total[j]);
}

// A column times some vectors of a row.
ON INLINE void NAME(column)(const int vectors, const TYPE *a, I a_row, const TYPE *b, TYPE *c,
                            I c_row, I M, int ends, MASK mask) {
    V x[4], zero = OF(setzero)();
    UNROLL for (int j = 0; j < vectors; j++)
        x[j] = vectors > 1 ? OF(loadu)(b + j * WIDTH) : LOAD_SOME(b, mask);
    for (I i = 0; i < M; i++, c += c_row) {
        V y = OF(set1)(a[i * a_row]);
        UNROLL for (int j = 0; j < vectors; j++) {
            V sum = OF(fmadd)(y, x[j], zero);
            if (ends & ADDS_ZERO) sum = OF(add)(sum, zero);
            if (vectors > 1) OF(storeu)(c + j * WIDTH, sum);
            else STORE_SOME(c, mask, sum);
        }
    }
}

// One row or one inner entry, with four vectors of columns at a time, or two, or one.
#define IN_COLUMNS(call)                                                                           \
    do {                                                                                           \
        I j = 0;                                                                                   \
        for (; j + 4 * WIDTH <= N; j += 4 * WIDTH) call(4, FIRST(WIDTH));                          \
        for (; j + 2 * WIDTH <= N; j += 2 * WIDTH) call(2, FIRST(WIDTH));                          \
        for (; j < N; j += WIDTH) call(1, FIRST(N - j));                                           \
    } while (0)

// As np.matmul's loop: lengths are 1, M, K, N. data: a (M, K), b (K, N), c (M, N), b and c with
// their columns side by side. context: most of k in a piece, the unit of pieces, and ADDS_ZERO or 0.
ON int NAME(product)(void *context, char *const *data, const I *lengths, const I *strides, void *aux) {
    const I *cut = context, K = lengths[2], N = lengths[3];
    const I a_row = strides[3] / BYTES, a_k = strides[4] / BYTES, b_k = strides[5] / BYTES;
    const I c_row = strides[7] / BYTES;
    (void)aux;
    const TYPE *left = (const TYPE *)data[0], *right = (const TYPE *)data[1];
    TYPE *to = (TYPE *)data[2];
#define ROW(vectors, mask) NAME(row)(vectors, left, a_k, right + j, b_k, to + j, K, cut, mask)
#define COLUMN(vectors, mask)                                                                      \
    NAME(column)(vectors, left, a_row, right + j, to + j, c_row, lengths[1], (int)cut[2], mask)
    if (lengths[1] == 1) {
        IN_COLUMNS(ROW);
        return 0;
    }
    if (K == 1) {
        IN_COLUMNS(COLUMN);
        return 0;
    }
    for (I k = 0, length; k < K; k += length) {
        const TYPE *a = left + k * a_k, *b = right + k * b_k;
        const int ends = (int)cut[2] | (k ? ADDS : 0);
        TYPE *c = to;
        I M = lengths[1];
        length = NAME(piece)(K - k, cut[0], cut[1]);
#define ROWS(rows)                                                                                 \
    for (; M >= rows; M -= rows, a += rows * a_row, c += rows * c_row)                             \
        NAME(stripe)(rows, a, a_row, a_k, b, b_k, c, c_row, length, N, ends);
        ROWS(8) ROWS(4) ROWS(2) ROWS(1)
#undef ROWS
    }
    return 0;
}
#undef COLUMN
#undef ROW
#undef IN_COLUMNS
