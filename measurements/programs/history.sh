# A history of twelve changes is made, its changes are told and hashed, and it is packed by two threads: sh history.sh FOLDER
set -e
cd "$1"
git init -q .
for i in $(seq 12); do
    for file in a b c d; do seq $((i * 37)) $((i * 37 + 900)) | awk -v f=$file '{ print $1 * 31 % 977, f }' > $file; done
    git add -A
    git -c user.name=n -c user.email=e commit -q -m "change $i"
done
git log -p | git patch-id > /dev/null
git -c pack.threads=2 repack -q -adf --window=30
