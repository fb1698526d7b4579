# The commonest words of some texts, six times, through seven tools: sh pipeline.sh FILE ...
for i in 1 2 3 4 5 6; do
    cat "$@" | tr A-Z a-z | tr -cs a-z '\n' | sort | uniq -c | sort -rn | head -20 > /dev/null
done
