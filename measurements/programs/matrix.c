/* LU factorisation with partial pivoting, then A * inverse(A): 104 x 104 doubles, row by row. Prints the largest error. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { N = 104 };

int main(void) {
    double (*a)[N] = malloc(sizeof(double[N][N])), (*lu)[N] = malloc(sizeof(double[N][N]));
    double (*inverse)[N] = malloc(sizeof(double[N][N])), worst = 0;
    int row_of[N];
    unsigned state = 1;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            lu[i][j] = a[i][j] = (state = state * 1103515245u + 12345u) / 4294967296.0;
    for (int i = 0; i < N; i++) row_of[i] = i;
    for (int k = 0; k < N; k++) {
        int pivot = k;
        for (int i = k + 1; i < N; i++)
            if (fabs(lu[row_of[i]][k]) > fabs(lu[row_of[pivot]][k])) pivot = i;
        int held = row_of[k];
        row_of[k] = row_of[pivot], row_of[pivot] = held;
        for (int i = k + 1; i < N; i++) {
            double factor = lu[row_of[i]][k] /= lu[row_of[k]][k];
            for (int j = k + 1; j < N; j++) lu[row_of[i]][j] -= factor * lu[row_of[k]][j];
        }
    }
    for (int column = 0; column < N; column++) {
        double x[N];
        for (int i = 0; i < N; i++) {
            x[i] = row_of[i] == column;
            for (int j = 0; j < i; j++) x[i] -= lu[row_of[i]][j] * x[j];
        }
        for (int i = N - 1; i >= 0; i--) {
            for (int j = i + 1; j < N; j++) x[i] -= lu[row_of[i]][j] * x[j];
            x[i] /= lu[row_of[i]][i];
        }
        for (int i = 0; i < N; i++) inverse[i][column] = x[i];
    }
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            double sum = -(i == j);
            for (int k = 0; k < N; k++) sum += a[i][k] * inverse[k][j];
            if (fabs(sum) > worst) worst = fabs(sum);
        }
    printf("%g\n", worst);
    return worst > 1e-8;
}
