/* Folding of a strand of RNA (Nussinov): the most pairs in every stretch, short stretches first; 400 bases. */
#include <stdio.h>

enum { N = 400 };
static long pairs[N][N];
static char base[N];

int main(void) {
    unsigned state = 1;
    for (int i = 0; i < N; i++) base[i] = (state = state * 1103515245u + 12345u) >> 30;
    for (int length = 2; length <= N; length++)
        for (int i = 0; i + length <= N; i++) {
            int j = i + length - 1;
            long most = pairs[i + 1][j - 1] + (base[i] + base[j] == 3);
            for (int k = i; k < j; k++)
                if (pairs[i][k] + pairs[k + 1][j] > most) most = pairs[i][k] + pairs[k + 1][j];
            pairs[i][j] = most;
        }
    printf("%ld\n", pairs[0][N - 1]);
    return 0;
}
