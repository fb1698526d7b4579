/* Two workers fill and sum their own tables in rounds and meet at a barrier after each; one table is shared. */
#include <pthread.h>
#include <stdio.h>

enum { WORKERS = 2, ROUNDS = 12, OWN = 24 * 4096, SHARED = 8 * 4096 };
static unsigned char own[WORKERS][OWN], shared[SHARED];
static pthread_barrier_t meet;
static unsigned long sums[WORKERS];

static void *work(void *given) {
    long me = (long)given;
    unsigned state = 17 * me + 1;
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < 1000 * (1 + (round + me) % 3); i++) {
            state = state * 1664525u + 1013904223u;
            own[me][(state >> 8) % OWN] += state >> 24;
            if (i % 16 == 0) sums[me] += shared[(state >> 12) % SHARED]++;
        }
        for (int i = 0; i < OWN; i += 64) sums[me] += own[me][i];
        pthread_barrier_wait(&meet);
    }
    return 0;
}

int main(void) {
    pthread_t worker[WORKERS];
    pthread_barrier_init(&meet, 0, WORKERS);
    for (long i = 0; i < WORKERS; i++) pthread_create(worker + i, 0, work, (void *)i);
    for (int i = 0; i < WORKERS; i++) pthread_join(worker[i], 0);
    printf("%lu\n", sums[0] + sums[1]);
    return 0;
}
