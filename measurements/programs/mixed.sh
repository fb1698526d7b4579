# Two compressions in the background, a shell loop that wakes, works a little and sleeps in front: sh mixed.sh FILE
for i in 1 2; do (for k in 1 2 3; do gzip -9 < "$1" > /dev/null; done) & done
for i in $(seq 60); do
    sleep .01
    awk 'BEGIN { for (i = 0; i < 4000; i++) s += i % 7; print s }' > /dev/null
done
wait
