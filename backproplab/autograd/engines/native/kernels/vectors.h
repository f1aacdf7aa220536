// Vectors of one type (BYTES: 4 or 8) for one instruction set (LEVEL: 3 is AVX2, 4 is AVX-512).
//
// Included anew for each of them. A mask chooses the first entries of a vector; the others are
// neither read nor written.
#undef TYPE
#undef FUSED
#undef SUM_OF
#undef V
#undef OF
#undef ON
#undef WIDTH
#undef MASK
#undef FIRST
#undef LOAD_SOME
#undef STORE_SOME

#define JOIN_(name, bytes, level) name##_##bytes##_v##level
#define JOIN(name, bytes, level) JOIN_(name, bytes, level)
#define NAME(name) JOIN(name, BYTES, LEVEL)

#if BYTES == 4
#define TYPE float
#define FUSED "vfmadd231ps"
#define SUM_OF "vaddps"
#else
#define TYPE double
#define FUSED "vfmadd231pd"
#define SUM_OF "vaddpd"
#endif

#if LEVEL == 4
#define ON __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,fma")))
#define WIDTH (64 / BYTES)
#define MASK unsigned
#define FIRST(n) ((n) >= WIDTH ? (1u << WIDTH) - 1 : (1u << (n)) - 1)
#define LOAD_SOME(x, mask) OF(maskz_loadu)(mask, x)
#define STORE_SOME(x, mask, y) OF(mask_storeu)(x, mask, y)
#if BYTES == 4
#define V __m512
#define OF(name) _mm512_##name##_ps
#else
#define V __m512d
#define OF(name) _mm512_##name##_pd
#endif
#else
#define ON __attribute__((target("avx2,fma")))
#define WIDTH (32 / BYTES)
#define MASK __m256i
#define LOAD_SOME(x, mask) OF(maskload)(x, mask)
#define STORE_SOME(x, mask, y) OF(maskstore)(x, mask, y)
#if BYTES == 4
#define V __m256
#define OF(name) _mm256_##name##_ps
#define FIRST(n)                                                                                   \
    _mm256_cmpgt_epi32(_mm256_set1_epi32((n) < WIDTH ? (int)(n) : WIDTH),                          \
                       _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))
#else
#define V __m256d
#define OF(name) _mm256_##name##_pd
#define FIRST(n)                                                                                   \
    _mm256_cmpgt_epi64(_mm256_set1_epi64x((n) < WIDTH ? (n) : WIDTH),                              \
                       _mm256_setr_epi64x(0, 1, 2, 3))
#endif
#endif
