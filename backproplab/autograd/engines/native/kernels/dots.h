// A row times a matrix whose columns lie side by side, for one type with AVX2.
//
// A column's sum is made as OpenBLAS 0.3 makes it: of a vector of sums, which in float32 begins with
// four entries where there is an odd four of them; then come the entries that fill no four.
// proof.py tries whether this machine's BLAS does.
#include "vectors.h"

#undef HALF
#undef HALF_OF
#undef FUSED
#if BYTES == 4
#define HALF __m128
#define HALF_OF(name, ...) _mm256_##name##_ps(__VA_ARGS__)
#define FUSED __builtin_fmaf
#else
#define HALF __m128d
#define HALF_OF(name, ...) _mm256_##name##_pd(__VA_ARGS__)
#define FUSED __builtin_fma
#endif

// The upper half of a vector and the lower one; of two NaN it is the upper one's.
ON INLINE HALF NAME(halves)(V x) {
    HALF sum, upper = HALF_OF(extractf128, x, 1), lower = HALF_OF(extractf128, x, 0);
    __asm__(SUM_OF " %2, %1, %0" : "=v"(sum) : "v"(upper), "v"(lower));
    return sum;
}

// The sums of four vectors.
ON INLINE void NAME(totals)(const V *x, TYPE *to) {
#if BYTES == 4
    HALF first = _mm_hadd_ps(NAME(halves)(x[0]), NAME(halves)(x[1]));
    HALF second = _mm_hadd_ps(NAME(halves)(x[2]), NAME(halves)(x[3]));
    _mm_storeu_ps(to, _mm_hadd_ps(first, second));
#else
    _mm_storeu_pd(to, _mm_hadd_pd(NAME(halves)(x[0]), NAME(halves)(x[1])));
    _mm_storeu_pd(to + 2, _mm_hadd_pd(NAME(halves)(x[2]), NAME(halves)(x[3])));
#endif
}

// A sum, and one to three products that are left over.
ON INLINE TYPE NAME(left_over)(const TYPE *a, const TYPE *b, I n, TYPE sum) {
    if (n == 1) return FUSED(a[0], b[0], sum);
    TYPE rest = FUSED(a[0], b[0], a[1] * b[1]);
    return sum + (n == 3 ? FUSED(a[2], b[2], rest) : rest);
}

// Four columns, or one.
ON INLINE void NAME(dots_of)(const int columns, const TYPE *a, const TYPE *b, I column, TYPE *c, I K) {
    const I first = BYTES == 4 ? K & 4 : 0, whole = K - K % 4;
    V sum[4];
    TYPE total[4];
    UNROLL for (int j = 0; j < 4; j++) sum[j] = OF(setzero)();
    if (first)
        UNROLL for (int j = 0; j < columns; j++)
            sum[j] = OF(fmadd)(LOAD_SOME(a, FIRST(4)), LOAD_SOME(b + j * column, FIRST(4)), sum[j]);
    for (I k = first; k < whole; k += WIDTH) {
        V x = OF(loadu)(a + k);
        UNROLL for (int j = 0; j < columns; j++)
            sum[j] = OF(fmadd)(x, OF(loadu)(b + j * column + k), sum[j]);
    }
    NAME(totals)(sum, total);
    UNROLL for (int j = 0; j < columns; j++) {
        const TYPE y = total[j] + 0;  // BLAS adds to a zero
        c[j] = whole < K ? NAME(left_over)(a + whole, b + j * column + whole, K - whole, y) : y;
    }
}

// As np.matmul's loop: lengths are 1, 1, K, N. data: a (1, K), b (K, N), c (1, N), where entries of
// a, of c and of each column of b lie side by side.
ON int NAME(dots)(void *context, char *const *data, const I *lengths, const I *strides, void *aux) {
    const TYPE *a = (const TYPE *)data[0], *b = (const TYPE *)data[1];
    const I K = lengths[2], N = lengths[3], column = strides[6] / BYTES;
    TYPE *c = (TYPE *)data[2];
    I j = 0;
    (void)context, (void)aux;
    for (; j + 4 <= N; j += 4) NAME(dots_of)(4, a, b + j * column, column, c + j, K);
    for (; j < N; j++) NAME(dots_of)(1, a, b + j * column, column, c + j, K);
    return 0;
}
