/* Heat in a plate by Jacobi's method: two grids of 256 x 512 doubles, read and written in turn. Prints the middle. */
#include <stdio.h>
#include <stdlib.h>

enum { ROWS = 256, COLUMNS = 512, SWEEPS = 400 };
typedef double Row[COLUMNS];

int main(void) {
    Row *now = calloc(ROWS, sizeof(Row)), *next = calloc(ROWS, sizeof(Row));
    for (int j = 0; j < COLUMNS; j++) now[0][j] = next[0][j] = 100;
    for (int sweep = 0; sweep < SWEEPS; sweep++) {
        for (int i = 1; i < ROWS - 1; i++)
            for (int j = 1; j < COLUMNS - 1; j++)
                next[i][j] = (now[i - 1][j] + now[i + 1][j] + now[i][j - 1] + now[i][j + 1]) / 4;
        Row *held = now;
        now = next, next = held;
    }
    printf("%g\n", now[ROWS / 2][COLUMNS / 2]);
    return 0;
}
