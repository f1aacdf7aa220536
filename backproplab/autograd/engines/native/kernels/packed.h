// Large products, whose factors are copied to where their entries lie side by side. AVX-512 only.
#undef UNROLL_16
#define UNROLL_16 _Pragma("GCC unroll 16")
#undef PANELS
#define PANELS 4  // pairs of vectors of columns that are copied together, so that long rows are read

// Rows that lie in columns, eight of them side by side.
ON INLINE void NAME(gather)(const TYPE *a, I a_k, I M, I K, TYPE *to) {
    const MASK some = FIRST(8);  // or all, of a vector of fewer
    for (I i = 0; i < M; i += 8, a += 8)
        for (I k = 0; k < K; k++, to += 8)
            UNROLL for (I j = 0; j < 8; j += WIDTH)
                STORE_SOME(to + j, some, LOAD_SOME(a + k * a_k + j, some));
}

// A square of entries is turned: vectors of its upper half are interleaved with those of the lower
// half, as often as halves can be halved.
ON INLINE void NAME(square)(V *x) {
#if BYTES == 4
    const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
#else
    const __m512i low = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
    const __m512i high = _mm512_add_epi64(low, _mm512_set1_epi64(4));
#endif
    V y[WIDTH];
    UNROLL for (int n = 1; n < WIDTH; n *= 2) {
        UNROLL_16 for (int i = 0; i < WIDTH; i++) y[i] = x[i];
        UNROLL_16 for (int i = 0; i < WIDTH / 2; i++) {
            x[2 * i] = OF(permutex2var)(y[i], low, y[i + WIDTH / 2]);
            x[2 * i + 1] = OF(permutex2var)(y[i], high, y[i + WIDTH / 2]);
        }
    }
}

// Columns, two vectors of them side by side for each k, and then the next two.
ON static void NAME(pack)(const TYPE *b, I b_k, I K, I N, TYPE *to) {
    for (I k = 0; k < K; k++, b += b_k, to += 2 * WIDTH)
        for (I j = 0; j < N; j += WIDTH)
            OF(storeu)(to + j / (2 * WIDTH) * 2 * WIDTH * K + j % (2 * WIDTH), LOAD_SOME(b + j, FIRST(N - j)));
}

// The same of columns whose entries lie side by side.
ON static void NAME(pack_turned)(const TYPE *b, I b_column, I K, I N, TYPE *to) {
    for (I j = 0; j < N; j += WIDTH)
        for (I k = 0; k < K; k += WIDTH) {
            V x[WIDTH];
            TYPE *own = to + j / (2 * WIDTH) * 2 * WIDTH * K + j % (2 * WIDTH) + k * 2 * WIDTH;
            UNROLL_16 for (I i = 0; i < WIDTH; i++)
                x[i] = LOAD_SOME(b + (j + i < N ? j + i : j) * b_column + k, FIRST(K - k));
            NAME(square)(x);
            UNROLL_16 for (I i = 0; i < WIDTH; i++)
                if (k + i < K) OF(storeu)(own + i * 2 * WIDTH, x[i]);
        }
}

// Some columns of both are copied, and stay in the L2 cache for all rows; rows that lie in columns
// are copied before.
ON INLINE void NAME(packed)(const TYPE *a, I a_row, I a_k, const TYPE *b, I b_k, I b_column, TYPE *c,
                            I c_row, I M, I K, I N, int ends, TYPE *space) {
    const I width = 2 * WIDTH, even = M - M % 8, turned = a_row == 1;
    const I next = turned ? 8 : a_k, step = turned ? K : a_row;
    const TYPE *own = turned ? space + K * width * PANELS : a;
    if (turned) NAME(gather)(a, a_k, even, K, space + K * width * PANELS);
    for (I some; N; N -= some, b += some * b_column, c += some) {
        some = N < width * PANELS ? N : width * PANELS;
        if (b_column == 1) NAME(pack)(b, b_k, K, some, space);
        else NAME(pack_turned)(b, b_column, K, some, space);
        I whole = some - some % width;
        for (I j = 0; j < whole; j += width)
            for (I i = 0; i < even; i += 8)
                NAME(tile)(ANY, 8, 2, own + i * step, a_row, next, space + j * K, width,
                           c + i * c_row + j, c_row, K, ends, FIRST(WIDTH));
        for (I j = 0; j < whole; j += width)
            NAME(rows)(a + even * a_row, a_row, a_k, space + j * K, width, c + even * c_row + j, c_row,
                       M - even, K, width, ends);
        NAME(rows)(a, a_row, a_k, space + whole * K, width, c + whole, c_row, M, K, some - whole, ends);
    }
}
