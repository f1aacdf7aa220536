// Adam for float32 with AVX-512, whose divider is what a plain loop waits for: the quotient is left
// to it, and the root is made beside it, of multiplications.
#include "vectors.h"

// √s: an estimate, a step of Newton's method for it and for 1/(2√s), and a last one whose remainder
// is exact; roots.py says why that is the nearest number. Where something might underflow, and for
// 0, infinity and NaN, the divider makes the root.
ON INLINE V NAME(root)(V s) {
    const V half = OF(set1)(0.5f);
    const __m512i least = _mm512_set1_epi32(0x10000000), span = _mm512_set1_epi32(0x6a000000);
    V estimate = OF(rsqrt14)(s);  // 2^-95 and on, to 2^117
    V y = OF(mul)(s, estimate), h = OF(mul)(half, estimate), error = OF(fnmadd)(h, y, half);
    y = OF(fmadd)(y, error, y);
    h = OF(fmadd)(h, error, h);
    y = OF(fmadd)(OF(fnmadd)(y, y, s), h, y);
    __m512i above = _mm512_sub_epi32(_mm512_castps_si512(s), least);
    MASK plain = _mm512_cmp_epu32_mask(above, span, _MM_CMPINT_LT);
    return __builtin_expect(plain == FIRST(WIDTH), 1) ? y : OF(sqrt)(s);
}

// The roots alone, for their trial.  data: numbers, to: whole vectors.
ON int NAME(roots)(void *context, char *const *data, const I *lengths, const I *strides, void *aux) {
    (void)context, (void)strides, (void)aux;
    for (I j = 0; j < lengths[0]; j += WIDTH)
        OF(storeu)((TYPE *)data[1] + j, NAME(root)(OF(loadu)((TYPE *)data[0] + j)));
    return 0;
}

ON INLINE void NAME(adam_vector)(TYPE *w, TYPE *m, TYPE *s, const TYPE *g, V b1, V b2, V e, V r,
                                 MASK mask) {
    V gradient = LOAD_SOME(g, mask);
    V mean = OF(add)(OF(mul)(LOAD_SOME(m, mask), b1), gradient);
    V square = OF(add)(OF(mul)(LOAD_SOME(s, mask), b2), OF(mul)(gradient, gradient));
    STORE_SOME(m, mask, mean);
    STORE_SOME(s, mask, square);
    V step = OF(mul)(OF(div)(mean, OF(add)(NAME(root)(square), e)), r);
    STORE_SOME(w, mask, OF(sub)(LOAD_SOME(w, mask), step));
}

// data: weights, mean, squares, gradient, side by side; beta_1, beta_2, epsilon, rate.
ON int NAME(adam)(void *context, char *const *data, const I *lengths, const I *strides, void *aux) {
    TYPE *w = (TYPE *)data[0], *m = (TYPE *)data[1], *s = (TYPE *)data[2];
    const TYPE *g = (const TYPE *)data[3];
    const V b1 = OF(set1)(*(TYPE *)data[4]), b2 = OF(set1)(*(TYPE *)data[5]);
    const V e = OF(set1)(*(TYPE *)data[6]), r = OF(set1)(*(TYPE *)data[7]);
    const I n = lengths[0];
    I j = 0;
    (void)context, (void)strides, (void)aux;
    for (; j + WIDTH <= n; j += WIDTH)
        NAME(adam_vector)(w + j, m + j, s + j, g + j, b1, b2, e, r, FIRST(WIDTH));
    if (j < n) NAME(adam_vector)(w + j, m + j, s + j, g + j, b1, b2, e, r, FIRST(n - j));
    return 0;
}
