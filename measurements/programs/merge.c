/* Sorted streams of 12 pages, 24 at a time, merged through a heap into one, three times. Prints the highest key. */
#include <stdio.h>
#include <stdlib.h>

enum { STREAMS = 24, LENGTH = 768, ROUNDS = 3 };
typedef struct {
    unsigned key;
    char text[60];
} Record;
static unsigned state = 1;

static unsigned drawn(void) { return (state = state * 1103515245u + 12345u) >> 12; }

static void sink(Record **heap, int at, int size) {
    for (int child; (child = 2 * at + 1) < size; at = child) {
        if (child + 1 < size && heap[child + 1]->key < heap[child]->key) child++;
        if (heap[at]->key <= heap[child]->key) return;
        Record *held = heap[at];
        heap[at] = heap[child], heap[child] = held;
    }
}

static void merge(Record *streams, Record *merged) {
    Record *heap[STREAMS];
    for (int i = 0; i < STREAMS; i++) heap[i] = streams + i * LENGTH;
    for (int i = STREAMS / 2; i >= 0; i--) sink(heap, i, STREAMS);
    for (int size = STREAMS; size; sink(heap, 0, size)) {
        *merged++ = *heap[0]++;
        if ((heap[0] - streams) % LENGTH == 0) heap[0] = heap[--size];
    }
}

int main(void) {
    Record *from = calloc(STREAMS * LENGTH, sizeof *from), *to = calloc(STREAMS * LENGTH, sizeof *to);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < STREAMS * LENGTH; i++) from[i].key = drawn() + (i % LENGTH ? from[i - 1].key : 0);
        merge(from, to);
        Record *held = from;
        from = to, to = held;
    }
    printf("%u\n", from[STREAMS * LENGTH - 1].key);
    return 0;
}
