/* PageRank by sparse rows: 24000 nodes, 48000 links, most of them to few nodes. Prints the highest rank. */
#include <stdio.h>
#include <stdlib.h>

enum { NODES = 24000, LINKS = 48000, ROUNDS = 8 };
static unsigned state = 1;

static double drawn(void) { return (state = state * 1103515245u + 12345u) / 4294967296.0; }

int main(void) {
    int *first = calloc(NODES + 1, sizeof *first), *from = malloc(sizeof *from * LINKS);
    int *degree = calloc(NODES, sizeof *degree);
    double *rank = malloc(sizeof *rank * NODES), *next = malloc(sizeof *next * NODES), best = 0;
    for (int link = 0; link < LINKS; link++) {
        double u = drawn();
        from[link] = (int)(u * u * u * NODES) * 7919ll % NODES;  /* skewed, and spread over the pages */
        degree[from[link]]++;
        first[(int)(drawn() * NODES) + 1]++;
    }
    for (int i = 0; i < NODES; i++) first[i + 1] += first[i], rank[i] = 1.0 / NODES;
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < NODES; i++) {
            double sum = 0;
            for (int link = first[i]; link < first[i + 1]; link++) sum += rank[from[link]] / degree[from[link]];
            next[i] = 0.15 / NODES + 0.85 * sum;
        }
        double *held = rank;
        rank = next, next = held;
    }
    for (int i = 0; i < NODES; i++) best = rank[i] > best ? rank[i] : best;
    printf("%g\n", best);
    return 0;
}
