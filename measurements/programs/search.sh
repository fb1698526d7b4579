# What a search over a tree finds, four files at a time, for three expressions: sh search.sh FOLDER ...
for what in 'evict|admit' '[0-9]+ (pages|threads)' '^def [a-z_]+'; do
    find "$@" -name '*.py' -o -name '*.md' | xargs -P 4 -n 3 grep -cE "$what"
done > /dev/null
exit 0
