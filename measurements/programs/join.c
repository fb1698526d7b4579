/* A hash join: 6000 customers into a table, 30000 orders looked up in it, revenue added up by region. Prints one. */
#include <stdio.h>
#include <stdlib.h>

enum { CUSTOMERS = 6000, ORDERS = 30000, BUCKETS = 8192, REGIONS = 1000 };
typedef struct Customer {
    struct Customer *next;
    unsigned key;
    int region;
    char name[48];
} Customer;
typedef struct {
    unsigned customer;
    float price;
} Order;
static unsigned state = 1;

static unsigned drawn(unsigned below) { return (state = state * 1103515245u + 12345u) / 4294967296.0 * below; }

static Customer **bucket(Customer **table, unsigned key) { return table + (key * 2654435761u >> 19); }

int main(void) {
    Customer **table = calloc(BUCKETS, sizeof *table), *customers = malloc(sizeof *customers * CUSTOMERS);
    Order *orders = malloc(sizeof *orders * ORDERS);
    double *revenue = calloc(REGIONS, sizeof *revenue);
    for (unsigned i = 0; i < CUSTOMERS; i++) customers[i] = (Customer){NULL, i, drawn(REGIONS), "name and address"};
    for (int i = 0; i < ORDERS; i++) orders[i] = (Order){drawn(drawn(CUSTOMERS) + 1), drawn(100)};
    for (int i = 0; i < CUSTOMERS; i++) {
        Customer **head = bucket(table, customers[i].key);
        customers[i].next = *head, *head = customers + i;
    }
    for (int i = 0; i < ORDERS; i++)
        for (Customer *one = *bucket(table, orders[i].customer); one; one = one->next)
            if (one->key == orders[i].customer) revenue[one->region] += orders[i].price;
    printf("%g\n", revenue[0]);
    return 0;
}
