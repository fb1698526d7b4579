/* A search tree (a treap) that grows while it is looked up, mostly for few keys, and is read in order at times. */
#include <stdio.h>
#include <stdlib.h>

enum { BEFORE = 6000, AFTER = 2000, LOOKUPS = 6, SCANNED = 40 };
typedef struct Node {
    struct Node *left, *right;
    unsigned key, weight, hits;
    char value[68];
} Node;
static unsigned state = 1;

static unsigned drawn(void) { return state = state * 1664525u + 1013904223u; }

static Node *insert(Node *node, Node *fresh) {
    if (!node) return fresh;
    Node **side = fresh->key < node->key ? &node->left : &node->right, *child = *side = insert(*side, fresh);
    if (child->weight <= node->weight) return node;
    Node **back = side == &node->left ? &child->right : &child->left;  /* the child goes up */
    *side = *back, *back = node;
    return child;
}

static int scan(Node *node, unsigned from, int left) {
    if (!node || !left) return left;
    if (node->key >= from) left = scan(node->left, from, left);
    if (left && node->key >= from) node->hits++, left--;
    return scan(node->right, from, left);
}

int main(void) {
    static unsigned keys[BEFORE + AFTER];
    Node *root = NULL;
    unsigned found = 0;
    for (int i = 0; i < BEFORE + AFTER; i++) {
        Node *fresh = calloc(1, sizeof *fresh);
        fresh->key = keys[i] = drawn(), fresh->weight = drawn();
        root = insert(root, fresh);
        for (int n = 0; i >= BEFORE && n < LOOKUPS; n++) {
            double u = drawn() / 4294967296.0;
            unsigned key = keys[(int)(u * u * u * i)];
            Node *node = root;
            while (node && node->key != key) node = key < node->key ? node->left : node->right;
            found += ++node->hits > 1;
        }
        if (i >= BEFORE && i % 20 == 0) scan(root, drawn(), SCANNED);
    }
    printf("%u\n", found);
    return 0;
}
