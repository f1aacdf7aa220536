// Records played strip by strip, by one thread or by several.
#include <sched.h>
#include <stdatomic.h>

#include "../records.h"

#if defined(__x86_64__)
#define PAUSE __builtin_ia32_pause()
#else
#define PAUSE
#endif
#define PATIENCE 200  // looks at a number before another thread gets the core

typedef struct Strips Strips;

typedef struct {
    _Atomic(Strips *) now;  // what there is to do, or null
    atomic_intptr_t inside;  // helpers that may be at it
    atomic_intptr_t over;    // whether helpers go home
} Crew;

struct Strips {
    const Record *const *records;  // of each thread, for the first strip
    I count, strips;
    const I *steps;          // (count, OPERANDS): bytes from one strip to the next
    const I *last;           // (count, OPERANDS): lengths in the last strip, 0 if as in the others
    atomic_intptr_t *turns;  // (count,): of a record that takes its strips in turn, the next; else -1
    Crew *crew;              // or null
    atomic_intptr_t next;    // strip that nobody has taken
    atomic_int end;          // what ended a strip, or 0
};

static void rest(int *looks) {
    PAUSE;
    if (++*looks % PATIENCE == 0) sched_yield();
}

static void take(Strips *all, I thread) {
    for (I strip; (strip = atomic_fetch_add(&all->next, 1)) < all->strips;)
        for (I k = 0; k < all->count; k++) {
            Record own = all->records[thread][k];
            const I *steps = all->steps + k * OPERANDS, *last = all->last + k * OPERANDS;
            int in_turn = atomic_load_explicit(all->turns + k, memory_order_relaxed) >= 0, looks = 0;
            for (int j = 0; j < OPERANDS; j++) own.data[j] += strip * steps[j];
            if (*last && strip == all->strips - 1) own.lengths = last;
            while (in_turn && atomic_load_explicit(all->turns + k, memory_order_acquire) < strip)
                rest(&looks);
            int end = make(&own);
            if (end) atomic_store(&all->end, end);
            if (in_turn) atomic_store_explicit(all->turns + k, strip + 1, memory_order_release);
        }
}

// A loop without data; its context are the strips.
int strips(void *context, char *const *data, const I *lengths, const I *strides, void *aux) {
    Strips *all = context;
    Crew *crew = all->crew;
    int looks = 0;
    (void)data, (void)lengths, (void)strides, (void)aux;
    atomic_store(&all->next, 0);
    atomic_store(&all->end, 0);
    for (I k = 0; k < all->count; k++)
        if (atomic_load(all->turns + k) > 0) atomic_store(all->turns + k, 0);
    if (crew) atomic_store(&crew->now, all);
    take(all, 0);
    if (crew) {
        atomic_store(&crew->now, NULL);
        while (atomic_load(&crew->inside)) rest(&looks);
    }
    return atomic_load(&all->end);
}

// What another thread does while the tape is played.
void help(Crew *crew, I thread) {
    int looks = 0;
    while (!atomic_load(&crew->over)) {
        if (atomic_load(&crew->now)) {
            atomic_fetch_add(&crew->inside, 1);
            Strips *all = atomic_load(&crew->now);  // again: it may be over
            if (all) take(all, thread);
            atomic_fetch_sub(&crew->inside, 1);
        }
        rest(&looks);
    }
}
