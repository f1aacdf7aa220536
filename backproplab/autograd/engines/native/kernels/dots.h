// A row times a matrix whose columns lie side by side, as OpenBLAS 0.3's kernels for AVX2 add: four
// or eight sums side by side, an odd half vector first, and what is left over after them.
#include "vectors.h"

#undef FUSED
#undef HALF
#undef H
#if BYTES == 4
#define FUSED __builtin_fmaf
#define HALF(x) NAME(halves)(_mm256_extractf128_ps(x, 1), _mm256_castps256_ps128(x))
#define H __m128
ON INLINE H NAME(halves)(H first, H second) {
    H sum;
    __asm__(SUM_OF " %2, %1, %0" : "=v"(sum) : "v"(first), "v"(second));
    return sum;
}
ON INLINE void NAME(totals)(const V *x, TYPE *to) {
    __m128 pairs = _mm_hadd_ps(HALF(x[0]), HALF(x[1])), others = _mm_hadd_ps(HALF(x[2]), HALF(x[3]));
    _mm_storeu_ps(to, _mm_hadd_ps(pairs, others));
}
#else
#define FUSED __builtin_fma
#define HALF(x) NAME(halves)(_mm256_extractf128_pd(x, 1), _mm256_castpd256_pd128(x))
#define H __m128d
ON INLINE H NAME(halves)(H first, H second) {
    H sum;
    __asm__(SUM_OF " %2, %1, %0" : "=v"(sum) : "v"(first), "v"(second));
    return sum;
}
ON INLINE void NAME(totals)(const V *x, TYPE *to) {
    _mm_storeu_pd(to, _mm_hadd_pd(HALF(x[0]), HALF(x[1])));
    _mm_storeu_pd(to + 2, _mm_hadd_pd(HALF(x[2]), HALF(x[3])));
}
#endif

// The end of a column's sum: entries that fill no vector, added up before they join the others.
ON INLINE TYPE NAME(left_over)(const TYPE *a, const TYPE *b, I n, TYPE sum) {
    if (n == 1) return FUSED(a[0], b[0], sum);
    TYPE rest = FUSED(a[0], b[0], a[1] * b[1]);
    return sum + (n == 3 ? FUSED(a[2], b[2], rest) : rest);
}

// Four columns, or as many as there are.
ON INLINE void NAME(four)(const int columns, const TYPE *a, const TYPE *b, I column, TYPE *c, I K) {
    const I half = BYTES == 4 ? K & 4 : 0, whole = K - K % 4;
    V sum[4];
    UNROLL for (int j = 0; j < 4; j++) sum[j] = OF(setzero)();
    if (half)
        UNROLL for (int j = 0; j < columns; j++)
            sum[j] = OF(fmadd)(LOAD_SOME(a, FIRST(4)), LOAD_SOME(b + j * column, FIRST(4)), sum[j]);
    for (I k = half; k < whole; k += WIDTH) {
        V x = OF(loadu)(a + k);
        UNROLL for (int j = 0; j < columns; j++)
            sum[j] = OF(fmadd)(x, OF(loadu)(b + j * column + k), sum[j]);
    }
    TYPE total[4];
    NAME(totals)(sum, total);
    UNROLL for (int j = 0; j < columns; j++) {
        TYPE y = total[j] + 0;
        c[j] = whole < K ? NAME(left_over)(a + whole, b + j * column + whole, K - whole, y) : y;
    }
}

// As np.matmul's loop: lengths are 1, 1, K, N. data: a (1, K), b (K, N), c (1, N), where a, c and
// the columns of b have no gaps.
ON int NAME(dots)(void *context, char *const *data, const I *lengths, const I *strides, void *aux) {
    const TYPE *a = (const TYPE *)data[0], *b = (const TYPE *)data[1];
    const I K = lengths[2], N = lengths[3], column = strides[6] / BYTES;
    TYPE *c = (TYPE *)data[2];
    I j = 0;
    (void)context, (void)aux;
    for (; j + 4 <= N; j += 4) NAME(four)(4, a, b + j * column, column, c + j, K);
    for (; j < N; j++) NAME(four)(1, a, b + j * column, column, c + j, K);
    return 0;
}
