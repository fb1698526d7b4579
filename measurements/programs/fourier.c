/* A convolution by fast Fourier transforms: bit reversal, then doubling strides; 32768 complex doubles. Prints a sum. */
#include <complex.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { BITS = 15, N = 1 << BITS };
static complex double root[N / 2];

static void transform(complex double *x) {
    for (unsigned i = 0, j = 0; i < N; i++) {
        if (i < j) {
            complex double held = x[i];
            x[i] = x[j], x[j] = held;
        }
        unsigned bit = N >> 1;
        for (; j & bit; bit >>= 1) j ^= bit;
        j |= bit;
    }
    for (int half = 1; half < N; half *= 2)
        for (int start = 0; start < N; start += 2 * half)
            for (int k = 0; k < half; k++) {
                complex double *low = x + start + k, *high = low + half, turned = *high * root[k * (N / 2 / half)];
                *high = *low - turned, *low += turned;
            }
}

int main(void) {
    complex double *signal = malloc(sizeof *signal * N), *filter = malloc(sizeof *filter * N);
    for (int i = 0; i < N / 2; i++) root[i] = cos(-2 * M_PI * i / N) + I * sin(-2 * M_PI * i / N);
    for (int i = 0; i < N; i++) signal[i] = i % 97, filter[i] = i < 64 ? 1.0 / 64 : 0;
    transform(signal), transform(filter);
    for (int i = 0; i < N; i++) signal[i] = conj(signal[i] * filter[i]);
    transform(signal);
    double sum = 0;
    for (int i = 0; i < N; i++) sum += creal(signal[i]) / N;
    printf("%g\n", sum);
    return 0;
}
