# Two writers and four readers of one SQLite file, each statement a process of its own: sh database.sh FILE
run() { sqlite3 -cmd '.timeout 20000' "$file" "$@" > /dev/null; }
file=$1
run 'PRAGMA journal_mode=WAL; CREATE TABLE account (id INTEGER PRIMARY KEY, held REAL)'
for w in 1 2; do
    (for i in $(seq 12); do
        run "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)
             INSERT INTO account SELECT (i * 7919 + $w * 31 + $i) % 5000, i FROM n WHERE true
             ON CONFLICT(id) DO UPDATE SET held = held + 1"
    done) &
done
for r in 1 2 3 4; do
    (for i in $(seq 20); do
        run "SELECT count(*), sum(held) FROM account WHERE id BETWEEN $i * 100 AND $i * 100 + 2500"
        sleep .00$r
    done) &
done
wait
