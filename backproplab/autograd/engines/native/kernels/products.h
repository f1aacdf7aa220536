// Products for one type and one instruction set.
//
// An entry of a product is a chain of fused multiplications and additions over k, from 0, as
// OpenBLAS computes it for most shapes; proof.py tries whether it does. It depends on its own row
// and column alone, so the size of tiles changes no bit.
#include "single.h"
#include "vectors.h"

// a b + sum. If two of them are NaN, a product's is the sum's, and of its factors that of `first`; with
// ANY it is the compiler's choice.
ON INLINE V NAME(fused)(const int first, V a, V b, V sum) {
    if (first == ANY) return OF(fmadd)(a, b, sum);
    if (first == LEFT) __asm__(FUSED " %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
    else __asm__(FUSED " %2, %1, %0" : "+v"(sum) : "v"(b), "v"(a));
    return sum;
}

// A tile of `rows` rows and `vectors` vectors of columns; a mask chooses columns of a single vector.
ON INLINE void NAME(tile)(const int first, const int rows, const int vectors, const TYPE *a,
                          I a_row, I a_k, const TYPE *b, I b_k, TYPE *c, I c_row, I K, int ends,
                          MASK mask) {
    V sum[8][2], x[2];
    UNROLL for (int i = 0; i < rows; i++)
        UNROLL for (int j = 0; j < vectors; j++) sum[i][j] = OF(setzero)();
    for (I k = 0; k < K; k++) {
        UNROLL for (int j = 0; j < vectors; j++)
            x[j] = vectors == 2 ? OF(loadu)(b + k * b_k + j * WIDTH) : LOAD_SOME(b + k * b_k, mask);
        UNROLL for (int i = 0; i < rows; i++) {
            V y = OF(set1)(a[i * a_row + k * a_k]);
            UNROLL for (int j = 0; j < vectors; j++) sum[i][j] = NAME(fused)(first, y, x[j], sum[i][j]);
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
ON INLINE void NAME(stripe)(const int first, const int rows, const TYPE *a, I a_row, I a_k, const TYPE *b, I b_k,
                            TYPE *c, I c_row, I K, I N, int ends) {
    I j = 0;
    for (; j + 2 * WIDTH <= N; j += 2 * WIDTH)
        NAME(tile)(first, rows, 2, a, a_row, a_k, b + j, b_k, c + j, c_row, K, ends, FIRST(WIDTH));
    for (; j < N; j += WIDTH)
        NAME(tile)(first, rows, 1, a, a_row, a_k, b + j, b_k, c + j, c_row, K, ends, FIRST(N - j));
}

// All rows, as many at a time as there are registers for.
ON INLINE void NAME(rows)(const TYPE *a, I a_row, I a_k, const TYPE *b, I b_k, TYPE *c, I c_row,
                          I M, I K, I N, int ends) {
#define ROWS(rows)                                                                                 \
    for (; M >= rows; M -= rows, a += rows * a_row, c += rows * c_row)                             \
        NAME(stripe)(ANY, rows, a, a_row, a_k, b, b_k, c, c_row, K, N, ends);
    ROWS(8) ROWS(4) ROWS(2) ROWS(1)
#undef ROWS
}

#if LEVEL == 4
#include "packed.h"
#endif

// As np.matmul's loop: lengths are 1, M, K, N. data: a (M, K), b (K, N), c (M, N), b and c with
// their columns side by side, or b its rows, if there is space. context: most of k in a piece, the
// unit of pieces, ADDS_ZERO or 0, and the address of space for copies of columns, and of rows, or 0.
ON int NAME(product)(void *context, char *const *data, const I *lengths, const I *strides, void *aux) {
    const I *cut = context, M = lengths[1], K = lengths[2], N = lengths[3];
    const I a_row = strides[3] / BYTES, a_k = strides[4] / BYTES, b_k = strides[5] / BYTES;
    const I c_row = strides[7] / BYTES;
    const TYPE *left = (const TYPE *)data[0], *right = (const TYPE *)data[1];
    TYPE *to = (TYPE *)data[2];
    (void)aux;
    if ((M == 1 && !cut[3]) || K == 1) {
        NAME(single)(left, a_row, a_k, right, b_k, to, c_row, M, K, N, cut);
        return 0;
    }
    for (I k = 0, length; k < K; k += length) {
        const TYPE *a = left + k * a_k, *b = right + k * b_k;
        const int ends = (int)cut[2] | (k ? ADDS : 0);
        length = NAME(piece)(K - k, cut[0], cut[1]);
#if LEVEL == 4
        if (cut[3]) {
            NAME(packed)(a, a_row, a_k, b, b_k, strides[6] / BYTES, to, c_row, M, length, N, ends,
                         (TYPE *)cut[3]);
            continue;
        }
#endif
        NAME(rows)(a, a_row, a_k, b, b_k, to, c_row, M, length, N, ends);
    }
    return 0;
}
