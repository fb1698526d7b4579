/* Round robin and SRPT on one core, as plainly as C can say them; compiled by jobs.py.
 * Jobs are sorted by arrival; times in ns, service > 0. Both return the sum of the response times. */
#include <stdint.h>

/* A job that arrives at the end of a slice queues before the preempted one; with `late` all that arrived in the slice
 * queue behind it. left: n; ring: n. */
int64_t round_robin(int64_t n, const int64_t *arrival, const int64_t *service, int64_t quantum, int64_t late,
                    int64_t *left, int64_t *ring)
{
    int64_t now = 0, total = 0, next = 0, done = 0, head = 0, used = 0;
    while (done < n) {
        if (!used && now < arrival[next])
            now = arrival[next];
        for (; next < n && arrival[next] <= now; next++) {
            left[next] = service[next];
            ring[(head + used++) % n] = next;
        }
        int64_t job = ring[head];
        int64_t slice = left[job] < quantum ? left[job] : quantum;
        head = (head + 1) % n;
        used--;
        now += slice;
        left[job] -= slice;
        if (left[job] && late)
            ring[(head + used++) % n] = job;
        for (; next < n && arrival[next] <= now; next++) {
            left[next] = service[next];
            ring[(head + used++) % n] = next;
        }
        if (!left[job]) {
            total += now - arrival[job];
            done++;
        } else if (!late) {
            ring[(head + used++) % n] = job;
        }
    }
    return total;
}

typedef struct {
    int64_t left, job;
} entry;

static void push(entry *heap, int64_t at, entry new)
{
    for (; at && new.left < heap[(at - 1) / 2].left; at = (at - 1) / 2)
        heap[at] = heap[(at - 1) / 2];
    heap[at] = new;
}

static void pop(entry *heap, int64_t size)
{
    entry last = heap[--size];
    int64_t at = 0, child;
    while ((child = 2 * at + 1) < size) {
        if (child + 1 < size && heap[child + 1].left < heap[child].left)
            child++;
        if (last.left <= heap[child].left)
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = last;
}

/* heap: n entries. What the least has left only falls, so it stays the least. */
int64_t srpt(int64_t n, const int64_t *arrival, const int64_t *service, entry *heap)
{
    int64_t now = 0, total = 0, next = 0, size = 0;
    while (next < n || size) {
        if (!size && now < arrival[next])
            now = arrival[next];
        for (; next < n && arrival[next] <= now; next++)
            push(heap, size++, (entry){service[next], next});
        if (next < n && arrival[next] - now < heap[0].left) {
            heap[0].left -= arrival[next] - now;
            now = arrival[next];
        } else {
            now += heap[0].left;
            total += now - arrival[heap[0].job];
            pop(heap, size--);
        }
    }
    return total;
}
