/* Blocks pass from a reader through workers to a writer, over queues of four: stages WORKERS. With one worker per stage it
   is a pipeline (stages 0), else a pool whose writer puts blocks in order. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCKS = 40, BLOCK = 6 * 4096, TABLE = 4 * 4096, ROOM = 4, MOST = 4, LAST = -1 };
typedef struct {
    int item[ROOM], first, count;
    pthread_mutex_t lock;
    pthread_cond_t changed;
} Queue;
static unsigned char blocks[ROOM * 4][BLOCK], tables[MOST][TABLE];
static Queue queues[MOST + 1];
static int workers, in_row;
static unsigned long sum;

static void put(Queue *queue, int item) {
    pthread_mutex_lock(&queue->lock);
    while (queue->count == ROOM) pthread_cond_wait(&queue->changed, &queue->lock);
    queue->item[(queue->first + queue->count++) % ROOM] = item;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}

static int get(Queue *queue) {
    pthread_mutex_lock(&queue->lock);
    while (queue->count == 0) pthread_cond_wait(&queue->changed, &queue->lock);
    int item = queue->item[queue->first];
    if (item != LAST || in_row) queue->first = (queue->first + 1) % ROOM, queue->count--;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
    return item;
}

/* A worker takes from its own queue in a row, from the only one in a pool. */
static void *work(void *given) {
    long me = (long)given;
    Queue *from = queues + (in_row ? me : 0), *to = queues + (in_row ? me + 1 : 1);
    unsigned char *table = tables[me];
    for (int item; (item = get(from)) != LAST;) {
        unsigned char *block = blocks[item % (ROOM * 4)], last = 0;
        int length = BLOCK >> (item * 7 % 3);
        for (int i = 0; i < length; i += 3) {
            unsigned at = (last * 251u + block[i] * 13u) % TABLE;
            last = table[at] ^= block[i];
            block[i] = last + me;
        }
        put(to, item);
    }
    if (in_row) put(to, LAST);
    return 0;
}

static void *drain(void *unused) {
    for (int item, left = BLOCKS; left > 0; left--) {
        item = get(queues + (in_row ? workers : 1));
        for (int i = 0; i < BLOCK; i += 16) sum += blocks[item % (ROOM * 4)][i];
    }
    return unused;
}

int main(int count, char **words) {
    workers = count > 1 ? atoi(words[1]) : 0;
    in_row = workers == 0;
    if (in_row) workers = 3;
    pthread_t thread[MOST + 1];
    for (int i = 0; i <= MOST; i++) pthread_mutex_init(&queues[i].lock, 0), pthread_cond_init(&queues[i].changed, 0);
    for (long i = 0; i < workers; i++) pthread_create(thread + i, 0, work, (void *)i);
    pthread_create(thread + workers, 0, drain, 0);
    unsigned state = 1;
    for (int item = 0; item < BLOCKS; item++) {
        unsigned char *block = blocks[item % (ROOM * 4)];
        for (int i = 0; i < BLOCK; i += 4) block[i] = (state = state * 1664525u + 1013904223u) >> 24;
        put(queues, item);
    }
    put(queues, LAST);
    for (int i = 0; i <= workers; i++) pthread_join(thread[i], 0);
    printf("%lu\n", sum);
    return 0;
}
