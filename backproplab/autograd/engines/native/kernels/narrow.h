// Factors that are turned on the way, for one type and one instruction set: those of narrow products,
// in which the rows of a vector of rows are lanes, and small ones whose columns lie side by side.
#include "vectors.h"

#undef LANE
#undef PART
#undef PART_OF
#undef FIRST_OF_PART
#undef WHOLE_OF
#undef WITH_PART
#undef OF_HALVES
#undef FROM
#undef FIRST_PAIRS
#undef LAST_PAIRS

#define LANE (16 / BYTES)  // entries of 128 bits, within which vectors are turned by few instructions
#if BYTES == 4
#define PART __m128
#define PART_OF(name) _mm_##name##_ps
#define FIRST_OF_PART(n) _mm_cmpgt_epi32(_mm_set1_epi32((int)(n)), _mm_setr_epi32(0, 1, 2, 3))
#else
#define PART __m128d
#define PART_OF(name) _mm_##name##_pd
#define FIRST_OF_PART(n) _mm_cmpgt_epi64(_mm_set1_epi64x(n), _mm_set_epi64x(1, 0))
#endif
// Of two vectors, pairs of their first or last entries side by side
#if LEVEL == 4 && BYTES == 4
#define FROM(n)                                                                                    \
    _mm512_setr_epi32(n, n + 16, n + 1, n + 17, n + 2, n + 18, n + 3, n + 19, n + 4, n + 20,       \
                      n + 5, n + 21, n + 6, n + 22, n + 7, n + 23)
#elif LEVEL == 4
#define FROM(n) _mm512_setr_epi64(n, n + 8, n + 1, n + 9, n + 2, n + 10, n + 3, n + 11)
#endif
#if LEVEL == 4
#define FIRST_PAIRS(x, y) OF(permutex2var)(x, FROM(0), y)
#define LAST_PAIRS(x, y) OF(permutex2var)(x, FROM(WIDTH / 2), y)
#else
#define FIRST_PAIRS(x, y) OF_HALVES(OF(unpacklo)(x, y), OF(unpackhi)(x, y), 0x20)
#define LAST_PAIRS(x, y) OF_HALVES(OF(unpacklo)(x, y), OF(unpackhi)(x, y), 0x31)
#endif
#if LEVEL == 4 && BYTES == 4
#define WHOLE_OF(x) _mm512_castps128_ps512(x)
#define WITH_PART(x, part, at) _mm512_insertf32x4(x, part, at)
#elif LEVEL == 4
#define WHOLE_OF(x) _mm512_castpd128_pd512(x)
#define WITH_PART(x, part, at) _mm512_insertf64x2(x, part, at)
#elif BYTES == 4
#define WHOLE_OF(x) _mm256_castps128_ps256(x)
#define WITH_PART(x, part, at) _mm256_insertf128_ps(x, part, at)
#define OF_HALVES(x, y, which) _mm256_permute2f128_ps(x, y, which)
#else
#define WHOLE_OF(x) _mm256_castpd128_pd256(x)
#define WITH_PART(x, part, at) _mm256_insertf128_pd(x, part, at)
#define OF_HALVES(x, y, which) _mm256_permute2f128_pd(x, y, which)
#endif

// 128 bits, or their first entries and 0.
ON INLINE PART NAME(part)(const int whole, const TYPE *x, __m128i mask) {
    return whole ? PART_OF(loadu)(x) : PART_OF(maskload)(x, mask);
}

// In each 128 bits: entry i of vector j becomes entry j of vector i.
ON INLINE void NAME(turn_parts)(V *x) {
#if BYTES == 4
    V a = OF(unpacklo)(x[0], x[1]), b = OF(unpackhi)(x[0], x[1]);
    V c = OF(unpacklo)(x[2], x[3]), d = OF(unpackhi)(x[2], x[3]);
    x[0] = OF(shuffle)(a, c, 0x44);
    x[1] = OF(shuffle)(a, c, 0xEE);
    x[2] = OF(shuffle)(b, d, 0x44);
    x[3] = OF(shuffle)(b, d, 0xEE);
#else
    V a = OF(unpacklo)(x[0], x[1]), b = OF(unpackhi)(x[0], x[1]);
    x[0] = a;
    x[1] = b;
#endif
}

// LANE columns of WIDTH rows as vectors, or as many as there are and 0.
ON INLINE void NAME(columns_of)(const int whole, const TYPE *x, I row, __m128i mask, V *to) {
    const I next = LANE * row;
    UNROLL for (int j = 0; j < LANE; j++, x += row) {
        to[j] = WHOLE_OF(NAME(part)(whole, x, mask));
        to[j] = WITH_PART(to[j], NAME(part)(whole, x + next, mask), 1);
#if LEVEL == 4
        to[j] = WITH_PART(to[j], NAME(part)(whole, x + 2 * next, mask), 2);
        to[j] = WITH_PART(to[j], NAME(part)(whole, x + 3 * next, mask), 3);
#endif
    }
    NAME(turn_parts)(to);
}

ON INLINE void NAME(turn_columns)(const int whole, const TYPE *b, I column, TYPE *to, I K, I N) {
    V x[LANE];
    NAME(columns_of)(whole, b, column, FIRST_OF_PART(K), x);
    UNROLL for (int j = 0; j < LANE; j++)
        if (whole || j < K) OF(storeu)(to + j * N, x[j]);
}

// b (K, N), of which the entries along k lie side by side, turned.
ON INLINE void NAME(turn)(const TYPE *b, I column, TYPE *to, I K, I N) {
    I n = 0, k;
    for (; n + WIDTH <= N; n += WIDTH) {
        const TYPE *x = b + n * column;
        for (k = 0; k + LANE <= K; k += LANE) NAME(turn_columns)(1, x + k, column, to + k * N + n, K, N);
        if (k < K) NAME(turn_columns)(0, x + k, column, to + k * N + n, K - k, N);
    }
    for (; n < N; n++)
        for (k = 0; k < K; k++) to[k * N + n] = b[n * column + k];
}

// Adds some columns of rows a, as lanes, times rows of b.
ON INLINE void NAME(add_products)(const int first, const int N, const int columns, const V *a,
                                  const TYPE *b, I b_k, V *sum) {
    UNROLL for (int k = 0; k < columns; k++)
        UNROLL for (int n = 0; n < N; n++)
            sum[n] = NAME(fused)(first, a[k], OF(set1)(b[k * b_k + n]), sum[n]);
}

// Lanes as rows of 2 to 4 entries.
ON INLINE void NAME(store_rows)(const int N, V *x, TYPE *c, I c_row) {
    TYPE own[4][WIDTH];
    if (N == 2 && c_row == 2) {
        OF(storeu)(c, FIRST_PAIRS(x[0], x[1]));
        OF(storeu)(c + WIDTH, LAST_PAIRS(x[0], x[1]));
        return;
    }
    UNROLL for (int n = 0; n < 4; n += LANE) NAME(turn_parts)(x + n);
    UNROLL for (int n = 0; n < 4; n++) OF(storeu)(own[n], x[n]);
    UNROLL for (int i = 0; i < WIDTH; i++)
        UNROLL for (int n = 0; n < N; n += LANE)
            memcpy(c + i * c_row + n, own[n + i % LANE] + i / LANE * LANE,
                   (N - n < LANE ? N - n : LANE) * BYTES);
}

// WIDTH rows times 2 to 4 columns.
ON INLINE void NAME(narrow_rows)(const int first, const int N, const TYPE *a, I a_row, I a_k,
                                 const TYPE *b, I b_k, TYPE *c, I c_row, I K, int ends) {
    V sum[4], x[LANE];
    I k = 0;
    UNROLL for (int n = 0; n < 4; n++) sum[n] = OF(setzero)();
    for (; a_row == 1 && k < K; k++) {
        x[0] = OF(loadu)(a + k * a_k);
        NAME(add_products)(first, N, 1, x, b + k * b_k, b_k, sum);
    }
    for (; k + LANE <= K; k += LANE) {
        NAME(columns_of)(1, a + k, a_row, FIRST_OF_PART(LANE), x);
        NAME(add_products)(first, N, LANE, x, b + k * b_k, b_k, sum);
    }
    if (k < K) NAME(columns_of)(0, a + k, a_row, FIRST_OF_PART(K - k), x);
    UNROLL for (int j = 0; j < LANE; j++)
        if (k + j < K) NAME(add_products)(first, N, 1, x + j, b + (k + j) * b_k, b_k, sum);
    UNROLL for (int n = 0; n < N; n++)
        if (ends & ADDS_ZERO) sum[n] = OF(add)(sum[n], OF(setzero)());
    NAME(store_rows)(N, sum, c, c_row);
}

// As many whole vectors of rows as there are; returns the number of their rows.
ON INLINE I NAME(narrow)(const int first, const TYPE *a, I a_row, I a_k, const TYPE *b, I b_k, TYPE *c,
                         I c_row, I M, I K, I N, int ends) {
    I i = 0;
#define COLUMNS(n)                                                                                 \
    for (; N == n && i + WIDTH <= M; i += WIDTH)                                                   \
        NAME(narrow_rows)(first, n, a + i * a_row, a_row, a_k, b, b_k, c + i * c_row, c_row, K, ends);
    COLUMNS(2) COLUMNS(3) COLUMNS(4)
#undef COLUMNS
    return i;
}

ON INLINE void NAME(thin)(const int first, const I *cut, const TYPE *left, I a_row, I a_k,
                          const TYPE *right, I b_k, TYPE *to, I c_row, I rows, I K, I N) {
    for (I k = 0, length; k < K; k += length) {
        const TYPE *a = left + k * a_k, *b = right + k * b_k;
        const int ends = ((int)cut[2] & ADDS_ZERO) | (k ? ADDS : 0);
        I done = 0;
        length = NAME(piece)(K - k, cut[0], cut[1]);
        if (length == K && (a_row == 1 || a_k == 1))
            done = NAME(narrow)(first, a, a_row, a_k, b, b_k, to, c_row, rows, K, N, ends);
        TYPE *c = to + done * c_row;
        I M = rows - done;
        a += done * a_row;
#define ROWS(rows)                                                                                 \
    for (; M >= rows; M -= rows, a += rows * a_row, c += rows * c_row)                             \
        NAME(stripe)(first, rows, a, a_row, a_k, b, b_k, c, c_row, length, N, ends);
        ROWS(8) ROWS(4) ROWS(2) ROWS(1)
#undef ROWS
    }
}

// A product whose rows are lanes if it is narrow and the rows or columns of a lie side by side, else
// tiles. As the product above, but b may have its rows side by side, if it has at most TURNED entries,
// and the context also says whose NaN a sum becomes: LEFT or RIGHT.
ON int NAME(thin_product)(void *context, char *const *data, const I *lengths, const I *strides, void *aux) {
    const I *cut = context, M = lengths[1], K = lengths[2], N = lengths[3];
    const I a_row = strides[3] / BYTES, a_k = strides[4] / BYTES, c_row = strides[7] / BYTES;
    const I column = strides[6] / BYTES, b_k = column == 1 ? strides[5] / BYTES : N;
    const TYPE *a = (const TYPE *)data[0], *b = (const TYPE *)data[1];
    TYPE *c = (TYPE *)data[2], turned[TURNED];
    (void)aux;
    if (column != 1) {
        NAME(turn)(b, column, turned, K, N);
        b = turned;
    }
    if (cut[2] & RIGHT) NAME(thin)(RIGHT, cut, a, a_row, a_k, b, b_k, c, c_row, M, K, N);
    else NAME(thin)(LEFT, cut, a, a_row, a_k, b, b_k, c, c_row, M, K, N);
    return 0;
}
